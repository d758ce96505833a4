DROP TABLE process_updates;
