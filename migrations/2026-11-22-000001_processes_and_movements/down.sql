DROP TABLE process_movements;
DROP TABLE process_status_cache;
