DROP FUNCTION clean_expired_process_cache(interval, integer);

CREATE FUNCTION clean_expired_process_cache(retention interval DEFAULT '7 days') RETURNS integer
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
        ORDER BY status.cnj
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

COMMENT ON FUNCTION clean_expired_process_cache(interval) IS
    'Removes the processes that the vendor has not confirmed for the given time, with their movements; returns how many processes and movements went';

REVOKE EXECUTE ON FUNCTION clean_expired_process_cache(interval) FROM PUBLIC;

DROP TABLE watched_processes;

ALTER TABLE process_status_cache DROP COLUMN change_rate;
