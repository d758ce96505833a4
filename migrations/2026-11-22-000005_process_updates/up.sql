-- What was asked of the courts through the vendor. Only the owner of the tables (the service's own role) reads and writes it: it says who
-- asked about which process, and unlike the tables that people read it has no policies.
CREATE TABLE process_updates (
    cnj text PRIMARY KEY
        CONSTRAINT updated_cnj_is_masked CHECK (cnj ~ '^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$'),
    state text NOT NULL
        CONSTRAINT update_state_is_known CHECK
            (state IN ('asked', 'uncertain', 'open', 'refreshing', 'succeeded', 'not-found', 'failed', 'expired')),
    vendor_id bigint,
    previous_id bigint,
    adopted boolean NOT NULL,
    requested_at timestamptz NOT NULL,
    learned_at timestamptz,
    concluded_at timestamptz,
    next_check_at timestamptz,
    checks integer NOT NULL CONSTRAINT checks_is_a_count CHECK (checks >= 0),
    refreshes integer NOT NULL CONSTRAINT refreshes_is_a_count CHECK (refreshes >= 0),
    cost_centavos bigint NOT NULL CONSTRAINT update_cost_is_an_amount CHECK (cost_centavos >= 0),
    client text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT exactly_what_is_not_over_is_checked CHECK
        ((next_check_at IS NULL) = (state IN ('succeeded', 'not-found', 'failed', 'expired')))
);

REVOKE ALL ON process_updates FROM PUBLIC;

-- What is due, for the nodes that share the work; what is over costs it nothing.
CREATE INDEX process_updates_next_check_at ON process_updates (next_check_at) WHERE next_check_at IS NOT NULL;

COMMENT ON TABLE process_updates IS 'The last update request of each process: the vendor looks at the court, juscache follows it to its end';
COMMENT ON COLUMN process_updates.cnj IS 'The process number, masked. The process need not be stored: asking for an unknown one is how the vendor learns of it';
COMMENT ON COLUMN process_updates.state IS
    'asked: being sent; uncertain: sent, not confirmed; open: accepted; refreshing: the vendor is done, our copy is being renewed; then succeeded, not-found (the court shows no such process), failed (by the vendor, or never accepted) or expired (given up)';
COMMENT ON COLUMN process_updates.vendor_id IS 'The vendor''s id of the request; none until it confirms one';
COMMENT ON COLUMN process_updates.previous_id IS 'The vendor''s last request before this one: what still shows it tells nothing of this one';
COMMENT ON COLUMN process_updates.adopted IS 'The request was open at the vendor already: nothing new was asked';
COMMENT ON COLUMN process_updates.requested_at IS 'When juscache asked, or adopted, by the clock of the node that did; it names the request';
COMMENT ON COLUMN process_updates.learned_at IS 'When juscache learned that the vendor was done, by its own clock: a copy fetched since then holds the news';
COMMENT ON COLUMN process_updates.concluded_at IS 'When it ended, by the vendor''s clock where it tells';
COMMENT ON COLUMN process_updates.next_check_at IS
    'When a node looks at it again, by the database''s clock; taking it moves this by a lease, so that another node takes over from one that died';
COMMENT ON COLUMN process_updates.checks IS 'How many steps it took so far; every write that moves it on raises this';
COMMENT ON COLUMN process_updates.refreshes IS 'How often our copy was renewed for it and may have been paid: bounded';
COMMENT ON COLUMN process_updates.cost_centavos IS 'What it cost so far, the renewal of our copy included; api_calls has the parts';
COMMENT ON COLUMN process_updates.client IS 'Whose request it was';
COMMENT ON COLUMN process_updates.updated_at IS 'When juscache last wrote the row, by the database''s clock';
