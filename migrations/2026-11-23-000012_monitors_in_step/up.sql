ALTER TABLE watched_processes
    ADD COLUMN monitor_tries integer NOT NULL DEFAULT 0
        CONSTRAINT monitor_tries_is_a_count CHECK (monitor_tries >= 0);

COMMENT ON COLUMN watched_processes.monitor_tries IS
    'How often somebody took it in hand since its monitor last changed. More than none while wanted: there may be a monitor already';

-- What is due, whoever looks.
CREATE INDEX watched_processes_due ON watched_processes (monitor_next_try_at) WHERE monitor_next_try_at IS NOT NULL;

-- Apart from the watched ones, so that whoever is no longer watched is so at once, whatever the vendor does.
CREATE TABLE unwanted_monitors (
    cnj text PRIMARY KEY
        CONSTRAINT unwanted_cnj_is_masked CHECK (cnj ~ '^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$'),
    monitor_id bigint,
    tries integer NOT NULL DEFAULT 0 CONSTRAINT unwanted_tries_is_a_count CHECK (tries >= 0),
    next_try_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX unwanted_monitors_due ON unwanted_monitors (next_try_at);

REVOKE ALL ON unwanted_monitors FROM PUBLIC;

COMMENT ON TABLE unwanted_monitors IS 'Monitors at the vendor of processes that are no longer watched, until they are removed';
COMMENT ON COLUMN unwanted_monitors.cnj IS 'The process number, masked';
COMMENT ON COLUMN unwanted_monitors.monitor_id IS 'The vendor''s id; none if it may have been created without our hearing of it';
COMMENT ON COLUMN unwanted_monitors.tries IS 'How often somebody took it in hand';
COMMENT ON COLUMN unwanted_monitors.next_try_at IS 'When the vendor is told (again), by the database''s clock';
COMMENT ON COLUMN unwanted_monitors.created_at IS 'Since when it is unwanted, by the database''s clock';

-- What one process cost lately, for the report of the watched ones.
CREATE INDEX api_calls_cnj ON api_calls (cnj, day) WHERE cnj IS NOT NULL;
