-- Lists of processes that somebody wants to be known, and how far each got. Only the owner of the tables (the service's own role) reads and
-- writes them: they say who is interested in whom.
CREATE TABLE warm_lists (
    id text PRIMARY KEY
        CONSTRAINT warm_list_id_is_hex CHECK (id ~ '^[0-9a-f]{16}$'),
    state text NOT NULL DEFAULT 'running'
        CONSTRAINT warm_list_state_is_known CHECK (state IN ('running', 'done', 'cancelled')),
    requested_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    total integer NOT NULL CONSTRAINT warm_list_is_not_empty CHECK (total > 0),
    duplicates integer NOT NULL CONSTRAINT warm_duplicates_is_a_count CHECK (duplicates >= 0),
    done integer NOT NULL DEFAULT 0 CONSTRAINT warm_done_is_a_count CHECK (done >= 0),
    known integer NOT NULL DEFAULT 0 CONSTRAINT warm_known_is_a_count CHECK (known >= 0),
    unknown integer NOT NULL DEFAULT 0 CONSTRAINT warm_unknown_is_a_count CHECK (unknown >= 0),
    failed integer NOT NULL DEFAULT 0 CONSTRAINT warm_failed_is_a_count CHECK (failed >= 0),
    cost_centavos bigint NOT NULL DEFAULT 0 CONSTRAINT warm_list_cost_is_an_amount CHECK (cost_centavos >= 0),
    strikes integer NOT NULL DEFAULT 0 CONSTRAINT warm_strikes_is_a_count CHECK (strikes >= 0),
    paused_until timestamptz,
    paused_reason text
        CONSTRAINT warm_pause_is_known CHECK (paused_reason IN
            ('no-provider', 'credits-exhausted', 'budget-exhausted', 'rate-limited', 'upstream-unavailable', 'upstream-timeout',
             'overloaded')),
    CONSTRAINT warm_counts_fit_the_list CHECK (done + known + unknown + failed <= total),
    CONSTRAINT exactly_a_running_list_has_no_end CHECK ((ended_at IS NULL) = (state = 'running')),
    CONSTRAINT only_a_running_list_pauses CHECK (state = 'running' OR (paused_until IS NULL AND paused_reason IS NULL))
);

CREATE TABLE warm_items (
    list text NOT NULL REFERENCES warm_lists (id),
    position integer NOT NULL CONSTRAINT warm_position_counts_from_one CHECK (position > 0),
    cnj text NOT NULL
        CONSTRAINT warm_cnj_is_masked CHECK (cnj ~ '^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$'),
    state text NOT NULL DEFAULT 'waiting'
        CONSTRAINT warm_item_state_is_known CHECK (state IN ('waiting', 'done', 'known', 'unknown', 'failed')),
    attempts integer NOT NULL DEFAULT 0 CONSTRAINT warm_attempts_is_a_count CHECK (attempts >= 0),
    claims integer NOT NULL DEFAULT 0 CONSTRAINT warm_claims_is_a_count CHECK (claims >= 0),
    next_attempt_at timestamptz DEFAULT now(),
    taken_until timestamptz,
    outcome text,
    cost_centavos bigint NOT NULL DEFAULT 0 CONSTRAINT warm_item_cost_is_an_amount CHECK (cost_centavos >= 0),
    PRIMARY KEY (list, position),
    CONSTRAINT a_list_holds_a_process_once UNIQUE (list, cnj),
    CONSTRAINT exactly_what_waits_is_tried CHECK ((next_attempt_at IS NULL) = (state <> 'waiting')),
    CONSTRAINT only_what_waits_is_taken CHECK (taken_until IS NULL OR state = 'waiting')
);

REVOKE ALL ON warm_lists FROM PUBLIC;
REVOKE ALL ON warm_items FROM PUBLIC;

-- What the nodes share; what is over costs it nothing.
CREATE INDEX warm_lists_running ON warm_lists (requested_at) WHERE state = 'running';
CREATE INDEX warm_lists_requested_at ON warm_lists (requested_at);
CREATE INDEX warm_items_next_attempt_at ON warm_items (list, next_attempt_at, position) WHERE state = 'waiting';
CREATE INDEX warm_items_taken ON warm_items (cnj) WHERE taken_until IS NOT NULL;
CREATE INDEX warm_items_failed ON warm_items (list, position) WHERE state = 'failed';

COMMENT ON TABLE warm_lists IS 'Lists of processes to be loaded in the background';
COMMENT ON COLUMN warm_lists.id IS 'Chosen at random by the node that accepted the list';
COMMENT ON COLUMN warm_lists.state IS 'running; done: nothing waits any more; cancelled: what still waited is not looked up';
COMMENT ON COLUMN warm_lists.requested_at IS 'When it was accepted, by the database''s clock';
COMMENT ON COLUMN warm_lists.ended_at IS 'When it was done or cancelled, by the database''s clock';
COMMENT ON COLUMN warm_lists.total IS 'Processes of the list, each counted once';
COMMENT ON COLUMN warm_lists.duplicates IS 'Numbers that were named once more and passed over';
COMMENT ON COLUMN warm_lists.done IS 'Processes that the vendor was asked for and answered';
COMMENT ON COLUMN warm_lists.known IS 'Processes of which a fresh copy was held: they cost nothing';
COMMENT ON COLUMN warm_lists.unknown IS 'Processes that the vendor does not know';
COMMENT ON COLUMN warm_lists.failed IS 'Processes that could not be had after some attempts';
COMMENT ON COLUMN warm_lists.cost_centavos IS
    'What the lookups said that they spent; what was bought for a node that died before it could say so is in api_calls only, which has every request';
COMMENT ON COLUMN warm_lists.strikes IS 'How often in a row something stopped the whole list; above zero one process is tried at a time';
COMMENT ON COLUMN warm_lists.paused_until IS 'Nothing of the list is begun before, by the database''s clock';
COMMENT ON COLUMN warm_lists.paused_reason IS 'What stopped the list; kept until something was answered again';
COMMENT ON TABLE warm_items IS 'The processes of the lists';
COMMENT ON COLUMN warm_items.list IS 'The list';
COMMENT ON COLUMN warm_items.position IS 'Its place in the list, counted from one';
COMMENT ON COLUMN warm_items.cnj IS 'The process number, masked. The process need not be stored';
COMMENT ON COLUMN warm_items.state IS
    'waiting; done: the vendor was asked for it; known: a fresh copy was held; unknown: the vendor does not know it; failed: given up';
COMMENT ON COLUMN warm_items.attempts IS 'How often it failed by itself; what stops the whole list does not count';
COMMENT ON COLUMN warm_items.claims IS 'How often a node took it: tells a late word about an earlier try from one about this';
COMMENT ON COLUMN warm_items.next_attempt_at IS
    'When a node takes it, by the database''s clock; taking it moves this by a lease, so that another node takes over from one that died';
COMMENT ON COLUMN warm_items.taken_until IS 'A node works on it until then; no other list''s entry of the same process is taken meanwhile';
COMMENT ON COLUMN warm_items.outcome IS 'How the last try ended: where the copy came from, or what went wrong';
COMMENT ON COLUMN warm_items.cost_centavos IS 'As in warm_lists';

-- A function, because each of its statements sees what was committed before it began: whoever waited for the lock sees what the one before
-- has taken, so that no process is taken twice, in one list or in two. The lock is gone with the statement that calls this.
CREATE FUNCTION claim_warm_items(most integer, lease interval)
RETURNS TABLE (list text, "position" integer, cnj text, attempts integer, claims integer, strikes integer, requested_at timestamptz)
LANGUAGE plpgsql
SECURITY INVOKER
AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('juscache.warm_items', 0));

    RETURN QUERY
    WITH open AS MATERIALIZED (
        SELECT lists.id, lists.strikes, lists.requested_at FROM warm_lists AS lists
        WHERE lists.state = 'running' AND (lists.paused_until IS NULL OR lists.paused_until <= now())
        ORDER BY lists.requested_at, lists.id
    ), due AS MATERIALIZED (
        SELECT open.strikes, open.requested_at, picked.list, picked.position, picked.cnj
        FROM open CROSS JOIN LATERAL (
            SELECT waiting.list, waiting.position, waiting.cnj FROM warm_items AS waiting
            WHERE waiting.list = open.id AND waiting.state = 'waiting' AND waiting.next_attempt_at <= now()
              AND NOT EXISTS (SELECT FROM warm_items AS other WHERE other.cnj = waiting.cnj AND other.taken_until > now())
            ORDER BY waiting.next_attempt_at, waiting.position
            -- After trouble one process finds out whether it is over.
            LIMIT CASE WHEN open.strikes > 0 THEN least(1, most) ELSE most END
            FOR UPDATE SKIP LOCKED
        ) AS picked
        LIMIT most
    ), picks AS MATERIALIZED (
        SELECT DISTINCT ON (due.cnj) due.list, due.position, due.strikes, due.requested_at
        FROM due ORDER BY due.cnj, due.requested_at, due.list
    ), trials AS (
        -- While one is under way, nobody begins another.
        UPDATE warm_lists AS lists SET paused_until = now() + lease
        FROM picks WHERE lists.id = picks.list AND picks.strikes > 0 AND lists.state = 'running'
    )
    UPDATE warm_items AS taken
    SET next_attempt_at = now() + lease, taken_until = now() + lease, claims = taken.claims + 1
    FROM picks WHERE taken.list = picks.list AND taken.position = picks.position
    RETURNING taken.list, taken.position, taken.cnj, taken.attempts, taken.claims, picks.strikes, picks.requested_at;
END
$$;

COMMENT ON FUNCTION claim_warm_items(integer, interval) IS
    'Takes at most so many processes that are due, for as long as the lease: whoever calls it looks them up';

REVOKE EXECUTE ON FUNCTION claim_warm_items(integer, interval) FROM PUBLIC;
