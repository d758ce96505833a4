ALTER TABLE process_status_cache
    ADD COLUMN change_rate double precision
        CONSTRAINT change_rate_is_a_rate CHECK (change_rate >= 0);

COMMENT ON COLUMN process_status_cache.change_rate IS
    'How many days with news are expected for each business day, learned from the movements'' days; none for an absence';

-- Who is watched is kept, and refreshed before others. Only the owner of the tables reads and writes it, as it says who cares about whom.
CREATE TABLE watched_processes (
    cnj text PRIMARY KEY
        CONSTRAINT watched_cnj_is_masked CHECK (cnj ~ '^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$'),
    watched_since timestamptz NOT NULL DEFAULT now(),
    note text CONSTRAINT note_is_short CHECK (char_length(note) <= 500),
    monitor_id bigint,
    monitor_state text
        CONSTRAINT monitor_state_is_known CHECK (monitor_state IN ('wanted', 'pending', 'found', 'not-found', 'failed', 'unwanted')),
    monitor_frequency text
        CONSTRAINT monitor_frequency_is_known CHECK (monitor_frequency IN ('daily', 'weekly')),
    monitor_next_try_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);

REVOKE ALL ON watched_processes FROM PUBLIC;

COMMENT ON TABLE watched_processes IS 'Processes that are kept whatever the retention, and refreshed before others';
COMMENT ON COLUMN watched_processes.cnj IS 'The process number, masked. It need not be stored yet';
COMMENT ON COLUMN watched_processes.watched_since IS 'Since when, by the database''s clock';
COMMENT ON COLUMN watched_processes.note IS 'What whoever watches it wants to remember';
COMMENT ON COLUMN watched_processes.monitor_id IS 'The vendor''s id of its monitor, once it has one';
COMMENT ON COLUMN watched_processes.monitor_state IS
    'wanted: to be created; pending: created, the vendor is looking; found: news arrive by callback; not-found: the vendor found no such process; failed: refused; unwanted: to be removed. None: no monitor';
COMMENT ON COLUMN watched_processes.monitor_frequency IS 'How often the vendor looks at the court for it';
COMMENT ON COLUMN watched_processes.monitor_next_try_at IS 'When the vendor is asked about the monitor again, by the database''s clock';
COMMENT ON COLUMN watched_processes.updated_at IS 'When juscache last wrote the row, by the database''s clock';

DROP FUNCTION clean_expired_process_cache(interval);

-- With a limit it takes the longest unconfirmed first and as many processes at the most, so that whoever calls it again and again holds
-- locks for a moment only.
CREATE FUNCTION clean_expired_process_cache(retention interval DEFAULT '7 days', most integer DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql
SECURITY INVOKER
AS $$
DECLARE
    movements bigint;
    processes bigint;
BEGIN
    -- NULL or a negative span would take what is fresh as well.
    IF retention IS NULL OR retention < interval '0' THEN
        RAISE EXCEPTION 'retention must be a span of time, zero or longer'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'to keep everything, do not call this function';
    END IF;

    -- Locking the processes first keeps a store that runs at the same moment from losing its movements to this.
    WITH expired AS MATERIALIZED (
        SELECT status.cnj FROM process_status_cache AS status
        WHERE status.last_api_sync < now() - retention
          AND NOT EXISTS (SELECT FROM watched_processes AS watched WHERE watched.cnj = status.cnj)
        ORDER BY status.last_api_sync, status.cnj
        LIMIT most
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM process_status_cache AS status USING expired WHERE status.cnj = expired.cnj RETURNING status.cnj
    ), counted AS (
        SELECT count(*) AS n FROM process_movements AS movement JOIN gone ON gone.cnj = movement.cnj
    )
    -- The movements themselves go with their process, by the foreign key.
    SELECT counted.n, (SELECT count(*) FROM gone) INTO movements, processes FROM counted;

    RETURN processes + movements;
END
$$;

COMMENT ON FUNCTION clean_expired_process_cache(interval, integer) IS
    'Removes the processes that nobody watches and that the vendor has not confirmed for the given time, with their movements, at most so many processes; returns how many processes and movements went';

REVOKE EXECUTE ON FUNCTION clean_expired_process_cache(interval, integer) FROM PUBLIC;
