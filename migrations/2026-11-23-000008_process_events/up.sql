ALTER TABLE process_movements ADD COLUMN identity text;

COMMENT ON COLUMN process_movements.identity IS
    'What the movement says, whatever its id: a hash of its source, day, kind and folded text, after the number of the way in which it was made. None in rows from before; the next store fills it';

-- No foreign key to the process: what is told outlives a process that was cleaned away.
CREATE TABLE process_events (
    id bigint PRIMARY KEY,
    cnj text NOT NULL
        CONSTRAINT event_cnj_is_masked CHECK (cnj ~ '^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$'),
    kind text NOT NULL CONSTRAINT event_kind_is_known CHECK (kind IN ('new', 'changed', 'removed')),
    movement_id text NOT NULL,
    movement jsonb NOT NULL,
    provider text NOT NULL CONSTRAINT event_provider_is_known CHECK (provider IN ('escavador', 'datajud')),
    sealed boolean NOT NULL,
    first_seen_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX process_events_of_process ON process_events (cnj, id);

-- A movement is new once, also if its process was cleaned away and came back.
CREATE UNIQUE INDEX process_events_new_once ON process_events (cnj, movement_id) WHERE kind = 'new';

COMMENT ON TABLE process_events IS 'What was new about the stored processes, in the order in which it became visible; pruned after a month';
COMMENT ON COLUMN process_events.id IS
    'Its number, from process_event_counter. Whoever has seen all up to a number never misses one by asking for those after it; some numbers are not used';
COMMENT ON COLUMN process_events.cnj IS 'The process number, masked';
COMMENT ON COLUMN process_events.kind IS
    'new: not known before; changed: said differently, or listed again after it had gone; removed: not listed any more';
COMMENT ON COLUMN process_events.movement_id IS 'As in process_movements';
COMMENT ON COLUMN process_events.movement IS 'The movement as it became; a removed one as it was';
COMMENT ON COLUMN process_events.provider IS 'Who supplied the copy that brought it';
COMMENT ON COLUMN process_events.sealed IS 'Under secrecy of justice at that moment';
COMMENT ON COLUMN process_events.first_seen_at IS 'When the movement first reached us';
COMMENT ON COLUMN process_events.recorded_at IS 'When the event was stored, by the database''s clock';

-- A sequence gives out numbers in another order than transactions commit, and a reader would miss the late ones for ever. This row is
-- locked from the last statement of a transaction until its commit, so the numbers rise as events become visible.
CREATE TABLE process_event_counter (
    single boolean PRIMARY KEY DEFAULT true CONSTRAINT there_is_one_counter CHECK (single),
    last bigint NOT NULL CONSTRAINT last_is_a_count CHECK (last >= 0)
);

INSERT INTO process_event_counter (last) VALUES (0);

COMMENT ON TABLE process_event_counter IS 'One row: the number that the newest event was given';
COMMENT ON COLUMN process_event_counter.single IS 'True: there is one row';
COMMENT ON COLUMN process_event_counter.last IS 'The highest number that was given';

-- For the owner only: events hold whole movements of all processes.
REVOKE ALL ON process_events, process_event_counter FROM PUBLIC;
ALTER TABLE process_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE process_event_counter ENABLE ROW LEVEL SECURITY;
