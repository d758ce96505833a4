DROP INDEX api_calls_cnj;
DROP TABLE unwanted_monitors;
DROP INDEX watched_processes_due;
ALTER TABLE watched_processes DROP COLUMN monitor_tries;
