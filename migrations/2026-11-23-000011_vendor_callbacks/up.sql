-- What the vendor posted to us. A row is written before the vendor is told 200; whoever works it off takes it afterwards. One content is
-- one row, however often it is delivered: it is told by its hash, without the `uuid` that names a delivery.
CREATE TABLE vendor_callbacks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content_hash bytea NOT NULL CONSTRAINT one_content_is_one_callback UNIQUE
        CONSTRAINT content_hash_is_sha256 CHECK (octet_length(content_hash) = 32),
    received_at timestamptz NOT NULL DEFAULT now(),
    last_received_at timestamptz NOT NULL DEFAULT now(),
    deliveries integer NOT NULL DEFAULT 1 CONSTRAINT deliveries_is_a_count CHECK (deliveries >= 1),
    event text NOT NULL CONSTRAINT event_is_short CHECK (char_length(event) <= 100),
    cnj text CONSTRAINT callback_cnj_is_masked CHECK (cnj ~ '^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$'),
    state text NOT NULL
        CONSTRAINT callback_state_is_known CHECK (state IN ('received', 'done', 'ignored', 'malformed', 'failed')),
    outcome text CONSTRAINT outcome_is_short CHECK (char_length(outcome) <= 100),
    attempts integer NOT NULL DEFAULT 0 CONSTRAINT attempts_is_a_count CHECK (attempts >= 0),
    next_attempt_at timestamptz,
    body bytea NOT NULL,
    body_bytes integer NOT NULL CONSTRAINT body_bytes_is_a_count CHECK (body_bytes >= 0),
    CONSTRAINT exactly_what_is_received_waits CHECK ((next_attempt_at IS NULL) = (state <> 'received'))
);

REVOKE ALL ON vendor_callbacks FROM PUBLIC;

-- What waits to be worked off, for the nodes that share the work; what is over costs it nothing.
CREATE INDEX vendor_callbacks_next_attempt_at ON vendor_callbacks (next_attempt_at, id) WHERE next_attempt_at IS NOT NULL;
-- Whether news of a process still wait, and what to forget when a person asks for it.
CREATE INDEX vendor_callbacks_cnj ON vendor_callbacks (cnj) WHERE cnj IS NOT NULL;
-- What operators look at.
CREATE INDEX vendor_callbacks_state ON vendor_callbacks (state, id);
-- What is forgotten.
CREATE INDEX vendor_callbacks_last_received_at ON vendor_callbacks (last_received_at) WHERE next_attempt_at IS NULL;

COMMENT ON TABLE vendor_callbacks IS 'The vendor''s callbacks as they arrived, one row for each content, and what became of them';
COMMENT ON COLUMN vendor_callbacks.id IS 'Rises in the order in which contents arrived first';
COMMENT ON COLUMN vendor_callbacks.content_hash IS
    'SHA-256 of the JSON with sorted keys, without insignificant space and without its uuid; of the bytes where they are no JSON object';
COMMENT ON COLUMN vendor_callbacks.received_at IS 'When it arrived first, by the database''s clock';
COMMENT ON COLUMN vendor_callbacks.last_received_at IS 'When it arrived last, by the database''s clock';
COMMENT ON COLUMN vendor_callbacks.deliveries IS 'How often it arrived, read from the vendor''s list included';
COMMENT ON COLUMN vendor_callbacks.event IS 'The vendor''s name for what happened; empty where none can be read';
COMMENT ON COLUMN vendor_callbacks.cnj IS 'The process it is about, masked, as the vendor wrote it: its check digits may be wrong';
COMMENT ON COLUMN vendor_callbacks.state IS
    'received: waits to be worked off; done: it had its effect; ignored: nothing of ours; malformed: refused with 400, kept for inspection; failed: given up. To have a failed one tried again: SET state = ''received'', attempts = 0, next_attempt_at = now()';
COMMENT ON COLUMN vendor_callbacks.outcome IS 'What came of it, or why the last attempt failed, in one word; null until there was one';
COMMENT ON COLUMN vendor_callbacks.attempts IS 'How often somebody took it to work it off';
COMMENT ON COLUMN vendor_callbacks.next_attempt_at IS
    'When somebody takes it again, by the database''s clock; taking it moves this by a lease, so that another node takes over from one that died';
COMMENT ON COLUMN vendor_callbacks.body IS 'The bytes as they came first; of a malformed one the first 64 KiB';
COMMENT ON COLUMN vendor_callbacks.body_bytes IS 'How many bytes it had';

-- The vendor keeps a list of its callbacks. One node at a time reads what was missed from it; a reading that is cut off goes on where it
-- stopped.
CREATE TABLE vendor_callback_reading (
    only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT there_is_one_row CHECK (only_row),
    complete_until timestamptz,
    began_at timestamptz,
    since timestamptz,
    page integer CONSTRAINT page_is_a_count CHECK (page >= 1),
    epoch bigint NOT NULL DEFAULT 0,
    leased_until timestamptz NOT NULL DEFAULT now(),
    next_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT a_reading_is_whole CHECK ((began_at IS NULL) = (since IS NULL) AND (since IS NULL) = (page IS NULL))
);

REVOKE ALL ON vendor_callback_reading FROM PUBLIC;

INSERT INTO vendor_callback_reading DEFAULT VALUES;

COMMENT ON TABLE vendor_callback_reading IS 'How far the vendor''s list of callbacks was read, and who reads it: one row';
COMMENT ON COLUMN vendor_callback_reading.only_row IS 'Keeps it one row';
COMMENT ON COLUMN vendor_callback_reading.complete_until IS 'When the last reading that reached its end began, by the database''s clock: nothing older is missing';
COMMENT ON COLUMN vendor_callback_reading.began_at IS 'When the reading that is under way, or was cut off, began; null if none was';
COMMENT ON COLUMN vendor_callback_reading.since IS 'What it asks the vendor for: callbacks created since then';
COMMENT ON COLUMN vendor_callback_reading.page IS 'The page it goes on with';
COMMENT ON COLUMN vendor_callback_reading.epoch IS 'Rises with every lease; whoever holds an older one writes nothing any more';
COMMENT ON COLUMN vendor_callback_reading.leased_until IS 'Until when nobody else reads, by the database''s clock';
COMMENT ON COLUMN vendor_callback_reading.next_at IS 'When the list is read next, by the database''s clock';
