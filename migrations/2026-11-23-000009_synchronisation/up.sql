-- The synchronisation, which all nodes share: who leads, what it does, what the day has left. Only the owner of the tables (the service's
-- own role) reads and writes these. Times are the database's clock; days are America/Sao_Paulo's.
CREATE TABLE sync_state (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT sync_state_is_one_row CHECK (one),
    holder text CONSTRAINT holder_is_hex CHECK (holder ~ '^[0-9a-f]{32}$'),
    epoch bigint NOT NULL DEFAULT 0 CONSTRAINT epoch_is_a_count CHECK (epoch >= 0),
    leased_until timestamptz,
    next_run_at timestamptz,
    requested_at timestamptz
);
INSERT INTO sync_state DEFAULT VALUES;

CREATE TABLE sync_days (
    day date PRIMARY KEY,
    calls bigint NOT NULL DEFAULT 0 CONSTRAINT day_calls_is_a_count CHECK (calls >= 0),
    refreshed bigint NOT NULL DEFAULT 0 CONSTRAINT day_refreshed_is_a_count CHECK (refreshed >= 0),
    unchanged bigint NOT NULL DEFAULT 0 CONSTRAINT day_unchanged_is_a_count CHECK (unchanged >= 0),
    failed bigint NOT NULL DEFAULT 0 CONSTRAINT day_failed_is_a_count CHECK (failed >= 0),
    cost_centavos bigint NOT NULL DEFAULT 0 CONSTRAINT day_cost_is_an_amount CHECK (cost_centavos >= 0)
);

CREATE TABLE sync_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trigger text NOT NULL CONSTRAINT trigger_is_known CHECK (trigger IN ('schedule', 'request')),
    epoch bigint NOT NULL CONSTRAINT run_epoch_is_a_count CHECK (epoch >= 0),
    node text,
    adopted integer NOT NULL DEFAULT 0 CONSTRAINT adopted_is_a_count CHECK (adopted >= 0),
    due_at timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    ending text CONSTRAINT ending_is_known CHECK (ending IN
        ('completed', 'day-limit', 'off', 'no-provider', 'unauthorized', 'no-credit', 'budget-exhausted', 'rate-limited', 'vendor-down')),
    chosen bigint NOT NULL DEFAULT 0 CONSTRAINT chosen_is_a_count CHECK (chosen >= 0),
    refreshed bigint NOT NULL DEFAULT 0 CONSTRAINT refreshed_is_a_count CHECK (refreshed >= 0),
    unchanged bigint NOT NULL DEFAULT 0 CONSTRAINT unchanged_is_a_count CHECK (unchanged >= 0),
    failed bigint NOT NULL DEFAULT 0 CONSTRAINT failed_is_a_count CHECK (failed >= 0),
    cleaned bigint NOT NULL DEFAULT 0 CONSTRAINT cleaned_is_a_count CHECK (cleaned >= 0),
    calls bigint NOT NULL DEFAULT 0 CONSTRAINT run_calls_is_a_count CHECK (calls >= 0),
    cost_centavos bigint NOT NULL DEFAULT 0 CONSTRAINT run_cost_is_an_amount CHECK (cost_centavos >= 0),
    CONSTRAINT what_ended_says_how CHECK ((ended_at IS NULL) = (ending IS NULL))
);

-- Never two at once.
CREATE UNIQUE INDEX sync_runs_one_is_open ON sync_runs ((true)) WHERE ended_at IS NULL;

-- It goes with its process: what is read and refreshed again begins anew.
CREATE TABLE process_sync (
    cnj text PRIMARY KEY REFERENCES process_status_cache (cnj) ON DELETE CASCADE,
    reads double precision NOT NULL DEFAULT 0 CONSTRAINT reads_is_a_count CHECK (reads >= 0),
    reads_at timestamptz,
    failures integer NOT NULL DEFAULT 0 CONSTRAINT failures_is_a_count CHECK (failures >= 0),
    next_attempt_at timestamptz,
    state text CONSTRAINT sync_claim_state_is_known CHECK (state IN ('refreshing', 'refreshed', 'unchanged', 'failed', 'unknown', 'late')),
    run bigint,
    epoch bigint,
    node text,
    claimed_at timestamptz,
    claimed_until timestamptz,
    claimed_expiry timestamptz,
    claim_day date,
    calls_reserved integer NOT NULL DEFAULT 0 CONSTRAINT reserved_is_a_count CHECK (calls_reserved >= 0),
    class text,
    worth double precision,
    explanation text,
    CONSTRAINT exactly_a_claim_has_an_end CHECK ((claimed_until IS NULL) = (state IS NULL OR state <> 'refreshing'))
);

CREATE INDEX process_sync_run ON process_sync (run) WHERE run IS NOT NULL;

REVOKE ALL ON sync_state, sync_days, sync_runs, process_sync FROM PUBLIC;

-- Each of these functions is one statement to whoever calls it, so that a node that freezes in the middle holds no lock. Locks are taken
-- in one order: sync_state, process_status_cache, process_sync, sync_days, sync_runs.

CREATE FUNCTION lead_sync(of_node text, lease double precision, every double precision) RETURNS bigint
LANGUAGE sql
AS $$
    UPDATE sync_state
    SET epoch = CASE WHEN holder = of_node AND leased_until > clock_timestamp() THEN epoch ELSE epoch + 1 END,
        holder = of_node,
        leased_until = clock_timestamp() + lease * interval '1 second',
        -- A shorter interval takes effect at once; the first run is an interval after the first start.
        next_run_at = least(next_run_at, clock_timestamp() + every * interval '1 second')
    WHERE holder IS NULL OR holder = of_node OR leased_until IS NULL OR leased_until <= clock_timestamp()
    RETURNING epoch
$$;

CREATE FUNCTION begin_sync_run(of_node text, of_epoch bigint, every double precision) RETURNS SETOF sync_runs
LANGUAGE plpgsql
AS $$
DECLARE
    moment timestamptz;
    state sync_state;
    step interval := every * interval '1 second';
    missed double precision;
BEGIN
    SELECT * INTO state FROM sync_state WHERE holder = of_node AND epoch = of_epoch FOR UPDATE;
    moment := clock_timestamp();
    IF NOT FOUND OR state.leased_until <= moment THEN
        RETURN;
    END IF;
    -- What somebody asked for, or a dead leader left behind, comes first.
    RETURN QUERY UPDATE sync_runs AS run
        SET adopted = run.adopted + CASE WHEN run.node IS NOT NULL AND run.epoch <> of_epoch THEN 1 ELSE 0 END,
            epoch = of_epoch, node = of_node
        WHERE run.ended_at IS NULL RETURNING run.*;
    IF FOUND OR state.next_run_at > moment THEN
        RETURN;
    END IF;
    -- However many ticks were missed, they are one run, and the next one is due on the same beat.
    missed := floor(extract(epoch FROM moment - state.next_run_at) / every);
    UPDATE sync_state SET next_run_at = state.next_run_at + (missed + 1) * step;
    RETURN QUERY INSERT INTO sync_runs AS run (trigger, epoch, node, due_at, started_at)
        VALUES ('schedule', of_epoch, of_node, state.next_run_at, moment)
        ON CONFLICT DO NOTHING RETURNING run.*;
END
$$;

CREATE FUNCTION request_sync_run() RETURNS TABLE (run bigint, joined boolean)
LANGUAGE plpgsql
AS $$
DECLARE
    moment timestamptz;
BEGIN
    PERFORM FROM sync_state FOR UPDATE;
    moment := clock_timestamp();
    UPDATE sync_state SET requested_at = moment;
    RETURN QUERY SELECT open.id, true FROM sync_runs AS open WHERE open.ended_at IS NULL;
    IF NOT FOUND THEN
        RETURN QUERY INSERT INTO sync_runs AS made (trigger, epoch, due_at, started_at)
            SELECT 'request', state.epoch, moment, moment FROM sync_state AS state RETURNING made.id, false;
    END IF;
END
$$;

CREATE FUNCTION claim_sync(
    of_cnj text, of_run bigint, of_epoch bigint, of_node text, expiry timestamptz, lease double precision, reserve integer,
    day_limit bigint, of_class text, of_worth double precision, of_explanation text) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    moment timestamptz;
    ending timestamptz;
    held process_sync;
    today date;
BEGIN
    -- Without a run it is for readers who are about to find it expired: no lead is needed, as the claim itself keeps everybody else away.
    IF of_run IS NOT NULL THEN
        PERFORM FROM sync_state WHERE holder = of_node AND epoch = of_epoch AND leased_until > clock_timestamp() FOR SHARE;
        IF NOT FOUND THEN
            RETURN 'stale-epoch';
        END IF;
    END IF;
    -- It also keeps every other claim of this process out until this one is made.
    PERFORM FROM process_status_cache WHERE cnj = of_cnj AND sync_status = 'success' AND cache_valid_until = expiry
        FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 'changed';
    END IF;
    INSERT INTO process_sync (cnj) VALUES (of_cnj) ON CONFLICT DO NOTHING;
    SELECT * INTO held FROM process_sync WHERE cnj = of_cnj FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 'taken';
    END IF;
    moment := clock_timestamp();
    IF held.claimed_until > moment THEN
        -- The same question once more, because its answer was lost.
        IF (held.run, held.epoch, held.node, held.claimed_expiry) IS NOT DISTINCT FROM (of_run, of_epoch, of_node, expiry) THEN
            RETURN 'claimed';
        END IF;
        RETURN 'taken';
    END IF;
    IF held.next_attempt_at > moment THEN
        RETURN 'backing-off';
    END IF;
    -- What is claimed shortly before midnight may be sent after it, and is counted for both days.
    ending := moment + lease * interval '1 second';
    FOR today IN SELECT DISTINCT budget_day(at) FROM unnest(ARRAY[moment, ending]) AS at ORDER BY 1 LOOP
        INSERT INTO sync_days AS counted (day, calls) SELECT today, reserve WHERE reserve <= day_limit
            ON CONFLICT (day) DO UPDATE SET calls = counted.calls + EXCLUDED.calls
            WHERE counted.calls + EXCLUDED.calls <= day_limit;
        IF NOT FOUND THEN
            UPDATE sync_days SET calls = calls - reserve WHERE day >= budget_day(moment) AND day < today;
            RETURN 'day-limit';
        END IF;
    END LOOP;
    UPDATE sync_runs SET chosen = chosen + 1, calls = calls + reserve WHERE id = of_run AND epoch = of_epoch AND ended_at IS NULL;
    IF NOT FOUND AND of_run IS NOT NULL THEN
        RAISE EXCEPTION 'run % is not open in epoch %', of_run, of_epoch USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE process_sync SET
        state = 'refreshing', run = of_run, epoch = of_epoch, node = of_node, claimed_at = moment,
        claimed_until = ending, claimed_expiry = expiry, claim_day = budget_day(moment), calls_reserved = reserve,
        class = of_class, worth = of_worth, explanation = of_explanation
    WHERE cnj = of_cnj;
    RETURN 'claimed';
END
$$;

-- Not only while the lease is held: what was paid is written down by whoever paid it, unless somebody else has the process by now.
CREATE FUNCTION finish_sync(
    of_cnj text, of_run bigint, of_epoch bigint, of_node text, outcome text, drawn integer, cost bigint, is_failure boolean,
    retry_in double precision) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    held process_sync;
    given_back integer;
BEGIN
    SELECT * INTO held FROM process_sync
    WHERE cnj = of_cnj AND (run, epoch, node) IS NOT DISTINCT FROM (of_run, of_epoch, of_node) FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF held.state <> 'refreshing' THEN
        -- The same once more, because its answer was lost.
        RETURN held.state = outcome;
    END IF;
    given_back := greatest(held.calls_reserved - drawn, 0);
    UPDATE process_sync SET
        state = outcome, claimed_until = NULL, calls_reserved = drawn,
        failures = CASE WHEN is_failure THEN failures + 1 WHEN outcome IN ('refreshed', 'unchanged') THEN 0 ELSE failures END,
        next_attempt_at = clock_timestamp() + retry_in * interval '1 second'
    WHERE cnj = of_cnj;
    UPDATE sync_days SET calls = calls - given_back WHERE day BETWEEN held.claim_day AND budget_day(held.claimed_until);
    UPDATE sync_days SET
        refreshed = refreshed + CASE WHEN outcome = 'refreshed' THEN 1 ELSE 0 END,
        unchanged = unchanged + CASE WHEN outcome = 'unchanged' THEN 1 ELSE 0 END,
        failed = failed + CASE WHEN outcome IN ('failed', 'unknown') THEN 1 ELSE 0 END,
        cost_centavos = cost_centavos + cost
    WHERE day = held.claim_day;
    UPDATE sync_runs SET
        calls = calls - given_back,
        refreshed = refreshed + CASE WHEN outcome = 'refreshed' THEN 1 ELSE 0 END,
        unchanged = unchanged + CASE WHEN outcome = 'unchanged' THEN 1 ELSE 0 END,
        failed = failed + CASE WHEN outcome IN ('failed', 'unknown') THEN 1 ELSE 0 END,
        cost_centavos = cost_centavos + cost
    WHERE id = of_run;
    RETURN true;
END
$$;

CREATE FUNCTION end_sync_run(of_run bigint, of_epoch bigint, of_node text, of_ending text, of_cleaned bigint) RETURNS SETOF sync_runs
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM FROM sync_state WHERE holder = of_node AND epoch = of_epoch AND leased_until > clock_timestamp() FOR SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- A year of them is enough to look back on.
    DELETE FROM sync_runs WHERE ended_at < clock_timestamp() - interval '400 days';
    RETURN QUERY UPDATE sync_runs AS run SET
            cleaned = CASE WHEN run.ended_at IS NULL THEN run.cleaned + of_cleaned ELSE run.cleaned END,
            ended_at = coalesce(run.ended_at, clock_timestamp()),
            ending = coalesce(run.ending, of_ending)
        WHERE run.id = of_run AND run.epoch = of_epoch RETURNING run.*;
END
$$;

REVOKE EXECUTE ON FUNCTION lead_sync(text, double precision, double precision),
    begin_sync_run(text, bigint, double precision), request_sync_run(),
    claim_sync(text, bigint, bigint, text, timestamptz, double precision, integer, bigint, text, double precision, text),
    finish_sync(text, bigint, bigint, text, text, integer, bigint, boolean, double precision),
    end_sync_run(bigint, bigint, text, text, bigint) FROM PUBLIC;

COMMENT ON FUNCTION lead_sync(text, double precision, double precision) IS
    'Takes the lead, or keeps it, for so many seconds; returns its epoch, or nothing while another node leads. The epoch rises with every change';
COMMENT ON FUNCTION begin_sync_run(text, bigint, double precision) IS
    'The run that the leader works on now: the open one, or a new one if it is due; nothing if there is nothing to do, or another node leads';
COMMENT ON FUNCTION request_sync_run() IS 'Opens a run for the leader to work on, or joins the one that is open';
COMMENT ON FUNCTION claim_sync(text, bigint, bigint, text, timestamptz, double precision, integer, bigint, text, double precision, text) IS
    'Takes a process for a refresh and sets requests of the day aside for it: claimed, or why not. With a run, only for the leader; without, for any node';
COMMENT ON FUNCTION finish_sync(text, bigint, bigint, text, text, integer, bigint, boolean, double precision) IS
    'Writes down what came of a claim and gives back the requests that were not sent; false if the claim is another''s by now';
COMMENT ON FUNCTION end_sync_run(bigint, bigint, text, text, bigint) IS 'Ends a run; nothing is returned if another node leads';

COMMENT ON TABLE sync_state IS 'Who leads the synchronisation: one row';
COMMENT ON COLUMN sync_state.one IS 'Always true: there is one row';
COMMENT ON COLUMN sync_state.holder IS 'The process of juscache that leads, 32 random hex digits; none after it resigned';
COMMENT ON COLUMN sync_state.epoch IS 'Rises with every change of the holder; whoever works under an older one is refused';
COMMENT ON COLUMN sync_state.leased_until IS 'Until when it leads unless it renews';
COMMENT ON COLUMN sync_state.next_run_at IS 'When the next run is due';
COMMENT ON COLUMN sync_state.requested_at IS 'When somebody last asked for a run';
COMMENT ON TABLE sync_days IS 'What the synchronisation did, by day: the daily limit is kept here';
COMMENT ON COLUMN sync_days.day IS 'The day in America/Sao_Paulo';
COMMENT ON COLUMN sync_days.calls IS
    'Requests to vendors, those set aside for refreshes under way included; what a node that died had set aside stays counted, as it may have been sent';
COMMENT ON COLUMN sync_days.refreshed IS 'Refreshes that brought something new';
COMMENT ON COLUMN sync_days.unchanged IS 'Refreshes that confirmed what was held';
COMMENT ON COLUMN sync_days.failed IS 'Refreshes that failed';
COMMENT ON COLUMN sync_days.cost_centavos IS 'What they cost, as far as known; api_calls has the parts';
COMMENT ON TABLE sync_runs IS 'The cycles of the synchronisation, kept for 400 days';
COMMENT ON COLUMN sync_runs.id IS 'Its number';
COMMENT ON COLUMN sync_runs.trigger IS 'schedule: it was due; request: somebody asked for it';
COMMENT ON COLUMN sync_runs.epoch IS 'The epoch of the leader that works, or last worked, on it';
COMMENT ON COLUMN sync_runs.node IS 'That leader; none until one took it';
COMMENT ON COLUMN sync_runs.adopted IS 'How often another leader went on with it';
COMMENT ON COLUMN sync_runs.due_at IS 'When it was due; ticks that were missed meanwhile are part of it';
COMMENT ON COLUMN sync_runs.started_at IS 'When it was opened';
COMMENT ON COLUMN sync_runs.ended_at IS 'When it ended';
COMMENT ON COLUMN sync_runs.ending IS 'completed: nothing was left to do; day-limit: the day''s requests were used up; off: the limit is zero; otherwise what kept the vendor from being asked';
COMMENT ON COLUMN sync_runs.chosen IS 'Refreshes that were begun';
COMMENT ON COLUMN sync_runs.refreshed IS 'Of these, how many brought something new';
COMMENT ON COLUMN sync_runs.unchanged IS 'Of these, how many confirmed what was held';
COMMENT ON COLUMN sync_runs.failed IS 'Of these, how many failed';
COMMENT ON COLUMN sync_runs.cleaned IS 'Processes and movements that went because nobody had confirmed them for the retention';
COMMENT ON COLUMN sync_runs.calls IS 'Requests to vendors, counted as in sync_days';
COMMENT ON COLUMN sync_runs.cost_centavos IS 'What it cost, as far as known';
COMMENT ON TABLE process_sync IS 'What the synchronisation knows of each process: how often it is read, how its last refresh went, who is refreshing it';
COMMENT ON COLUMN process_sync.cnj IS 'The process number, masked';
COMMENT ON COLUMN process_sync.reads IS 'Reads, of which half are forgotten within seven days, as of reads_at';
COMMENT ON COLUMN process_sync.reads_at IS 'When reads were last added';
COMMENT ON COLUMN process_sync.failures IS 'Refreshes that failed since the last that did not';
COMMENT ON COLUMN process_sync.next_attempt_at IS 'It is left alone until then';
COMMENT ON COLUMN process_sync.state IS
    'refreshing, while claimed; then how it went: refreshed, unchanged, failed, unknown (to the vendor), late (the node woke up when its claim was over)';
COMMENT ON COLUMN process_sync.run IS 'The run that last claimed it, which does so once; none if it was refreshed early, for its readers';
COMMENT ON COLUMN process_sync.epoch IS 'The epoch in which it was claimed; none if it was refreshed early';
COMMENT ON COLUMN process_sync.node IS 'The node that claimed it';
COMMENT ON COLUMN process_sync.claimed_at IS 'When it was claimed';
COMMENT ON COLUMN process_sync.claimed_until IS 'Until when nobody else may claim it: a dead node''s claim ends by itself';
COMMENT ON COLUMN process_sync.claimed_expiry IS 'The cache_valid_until for which it was claimed';
COMMENT ON COLUMN process_sync.claim_day IS 'The day whose requests were set aside for it; shortly before midnight, also those of the next';
COMMENT ON COLUMN process_sync.calls_reserved IS 'How many were set aside; once it is finished, how many were sent';
COMMENT ON COLUMN process_sync.class IS 'Why it was due';
COMMENT ON COLUMN process_sync.worth IS 'What its refresh was expected to be worth';
COMMENT ON COLUMN process_sync.explanation IS 'Why it was chosen, for an operator';
