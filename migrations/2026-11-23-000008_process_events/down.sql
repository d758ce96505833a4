DROP TABLE process_event_counter;
DROP TABLE process_events;
ALTER TABLE process_movements DROP COLUMN identity;
