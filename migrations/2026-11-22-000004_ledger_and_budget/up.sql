-- Money is counted in whole centavos, and in days of America/Sao_Paulo.
CREATE FUNCTION budget_day(moment timestamptz) RETURNS date
LANGUAGE sql
IMMUTABLE
AS $$ SELECT (moment AT TIME ZONE 'America/Sao_Paulo')::date $$;

CREATE TABLE api_calls (
    id text PRIMARY KEY CONSTRAINT call_id_is_hex CHECK (id ~ '^[0-9a-f]{32}$'),
    node text NOT NULL,
    at timestamptz NOT NULL,
    day date NOT NULL,
    provider text NOT NULL CONSTRAINT call_provider_is_known CHECK (provider IN ('escavador', 'datajud')),
    endpoint text NOT NULL,
    cnj text CONSTRAINT call_cnj_is_masked CHECK (cnj ~ '^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$'),
    lane text NOT NULL CONSTRAINT lane_is_known CHECK (lane IN ('interactive', 'background')),
    client text NOT NULL,
    outcome text NOT NULL,
    http_status smallint,
    expected_centavos bigint NOT NULL CONSTRAINT expected_is_no_debt CHECK (expected_centavos >= 0),
    cost_centavos bigint NOT NULL CONSTRAINT cost_is_no_debt CHECK (cost_centavos >= 0),
    cost_basis text NOT NULL
        CONSTRAINT cost_basis_is_known CHECK (cost_basis IN ('charged', 'presumed', 'reconciled')),
    duration_ms bigint NOT NULL CONSTRAINT duration_is_a_span CHECK (duration_ms >= 0),
    stored_at timestamptz NOT NULL DEFAULT now()
);

-- Sums over days; what the balance has yet to tell.
CREATE INDEX api_calls_day ON api_calls (day);
CREATE INDEX api_calls_presumed ON api_calls (provider, at DESC) WHERE cost_basis = 'presumed';

COMMENT ON TABLE api_calls IS
    'The ledger: one row for each request to a vendor. The sums in budget_periods and vendor_accounts are kept with it, so do not change costs by hand';
COMMENT ON COLUMN api_calls.id IS 'The name that the request was given before it was sent, 32 hex digits';
COMMENT ON COLUMN api_calls.node IS 'The process of juscache that stored the row';
COMMENT ON COLUMN api_calls.at IS 'When the request was sent, by the clock of the machine that sent it';
COMMENT ON COLUMN api_calls.day IS
    'The day in America/Sao_Paulo whose budget it counts for: that of its reservation, or of "at" when it had none';
COMMENT ON COLUMN api_calls.provider IS 'Who was asked';
COMMENT ON COLUMN api_calls.endpoint IS 'For what: cover, movements, …';
COMMENT ON COLUMN api_calls.cnj IS 'About which process, masked; null where the request names none';
COMMENT ON COLUMN api_calls.lane IS 'interactive: a reader waited for it; background: nobody did';
COMMENT ON COLUMN api_calls.client IS 'On whose behalf';
COMMENT ON COLUMN api_calls.outcome IS 'How it ended: ok, unknown, timed-out, …';
COMMENT ON COLUMN api_calls.http_status IS 'The HTTP status, if there was one';
COMMENT ON COLUMN api_calls.expected_centavos IS 'What it was expected to cost';
COMMENT ON COLUMN api_calls.cost_centavos IS 'What it cost, as far as we know';
COMMENT ON COLUMN api_calls.cost_basis IS
    'charged: the vendor said so; presumed: counted at the expected price because no answer came; reconciled: settled by the account''s balance';
COMMENT ON COLUMN api_calls.duration_ms IS 'How long it took, in milliseconds';
COMMENT ON COLUMN api_calls.stored_at IS 'When the row was stored, by the database''s clock';

CREATE TABLE budget_periods (
    period text PRIMARY KEY CONSTRAINT period_is_a_day_or_a_month CHECK (period ~ '^\d{4}-\d{2}(-\d{2})?$'),
    spent_centavos bigint NOT NULL DEFAULT 0 CONSTRAINT spent_is_no_debt CHECK (spent_centavos >= 0),
    reserved_centavos bigint NOT NULL DEFAULT 0 CONSTRAINT reserved_is_no_debt CHECK (reserved_centavos >= 0)
);

COMMENT ON TABLE budget_periods IS 'What was spent and is set aside, by day and by month';
COMMENT ON COLUMN budget_periods.period IS 'A day (2026-11-22) or a month (2026-11) in America/Sao_Paulo';
COMMENT ON COLUMN budget_periods.spent_centavos IS 'The sum of api_calls.cost_centavos over its days';
COMMENT ON COLUMN budget_periods.reserved_centavos IS 'The sum of budget_reservations.centavos over its days';

CREATE TABLE budget_reservations (
    id text PRIMARY KEY CONSTRAINT reservation_id_is_hex CHECK (id ~ '^[0-9a-f]{32}$'),
    node text NOT NULL,
    day date NOT NULL,
    centavos bigint NOT NULL CONSTRAINT reservation_is_no_debt CHECK (centavos >= 0),
    made_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE budget_reservations IS 'Money set aside for requests under way and as the processes'' local reserves';
COMMENT ON COLUMN budget_reservations.id IS 'Its name, 32 hex digits, given by whoever asked for it';
COMMENT ON COLUMN budget_reservations.node IS 'The process of juscache that holds it';
COMMENT ON COLUMN budget_reservations.day IS 'The day in America/Sao_Paulo whose budget it is taken from';
COMMENT ON COLUMN budget_reservations.centavos IS 'What is left of it';
COMMENT ON COLUMN budget_reservations.made_at IS 'When it was made, by the database''s clock';

CREATE TABLE avoided_calls (
    day date NOT NULL,
    tier text NOT NULL,
    lookups bigint NOT NULL CONSTRAINT lookups_is_a_count CHECK (lookups >= 0),
    centavos bigint NOT NULL CONSTRAINT avoided_is_no_debt CHECK (centavos >= 0),
    PRIMARY KEY (day, tier)
);

COMMENT ON TABLE avoided_calls IS 'What was not spent because a copy answered, by day';
COMMENT ON COLUMN avoided_calls.day IS 'The day in America/Sao_Paulo on which it was counted';
COMMENT ON COLUMN avoided_calls.tier IS 'What answered: memory, redis, database, coalesced, confirmed';
COMMENT ON COLUMN avoided_calls.lookups IS 'How many lookups it answered';
COMMENT ON COLUMN avoided_calls.centavos IS 'What they would have cost';

CREATE TABLE vendor_accounts (
    provider text PRIMARY KEY CONSTRAINT account_provider_is_known CHECK (provider IN ('escavador', 'datajud')),
    spent_centavos bigint NOT NULL DEFAULT 0 CONSTRAINT account_spent_is_no_debt CHECK (spent_centavos >= 0),
    balance_centavos bigint,
    booked_centavos bigint CONSTRAINT booked_is_no_debt CHECK (booked_centavos >= 0),
    read_at timestamptz,
    CONSTRAINT a_stock_taking_is_whole
        CHECK ((balance_centavos IS NULL) = (read_at IS NULL) AND (booked_centavos IS NULL) = (read_at IS NULL))
);

COMMENT ON TABLE vendor_accounts IS 'Our account with each vendor, as the ledger has it and as the vendor last told';
COMMENT ON COLUMN vendor_accounts.provider IS 'The vendor';
COMMENT ON COLUMN vendor_accounts.spent_centavos IS
    'The sum of its api_calls.cost_centavos, kept with every stored row, so that nobody has to add up the whole ledger';
COMMENT ON COLUMN vendor_accounts.balance_centavos IS 'The balance that the vendor told at the last stock-taking; null before the first';
COMMENT ON COLUMN vendor_accounts.booked_centavos IS 'What spent_centavos was at that moment';
COMMENT ON COLUMN vendor_accounts.read_at IS 'When that was, by the database''s clock';

-- For the owner only: these tables say who asked about which process.
REVOKE ALL ON api_calls, budget_periods, budget_reservations, avoided_calls, vendor_accounts FROM PUBLIC;
ALTER TABLE api_calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE budget_periods ENABLE ROW LEVEL SECURITY;
ALTER TABLE budget_reservations ENABLE ROW LEVEL SECURITY;
ALTER TABLE avoided_calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE vendor_accounts ENABLE ROW LEVEL SECURITY;

-- What follows takes its locks in one order, so that it cannot deadlock: vendor_accounts, months, days; a reservation is only
-- touched by whoever holds its day and month. Each runs as one statement, so that no client that freezes in the middle of a
-- transaction holds a lock, and whoever waits for a lock is refused before its caller takes the database for dead.

CREATE FUNCTION lock_budget_periods(days date[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    names text[];
BEGIN
    SELECT array_agg(DISTINCT named.name) INTO names
    FROM unnest(days) AS given (day),
         LATERAL (VALUES (to_char(given.day, 'YYYY-MM')), (to_char(given.day, 'YYYY-MM-DD'))) AS named (name);

    INSERT INTO budget_periods (period)
    SELECT missing.name FROM unnest(names) AS missing (name) ORDER BY length(missing.name), missing.name
    ON CONFLICT DO NOTHING;

    PERFORM 1 FROM budget_periods AS held
    WHERE held.period = ANY (names)
    ORDER BY length(held.period), held.period
    FOR UPDATE;
END
$$;

CREATE FUNCTION change_budget(days date[], spent bigint[], reserved bigint[]) RETURNS void
LANGUAGE sql
AS $$
    UPDATE budget_periods AS held
    SET spent_centavos = held.spent_centavos + change.spent,
        reserved_centavos = held.reserved_centavos + change.reserved
    FROM (
        SELECT named.name, coalesce(sum(given.spent), 0)::bigint AS spent,
               coalesce(sum(given.reserved), 0)::bigint AS reserved
        FROM unnest(days, spent, reserved) AS given (day, spent, reserved),
             LATERAL (VALUES (to_char(given.day, 'YYYY-MM')), (to_char(given.day, 'YYYY-MM-DD'))) AS named (name)
        GROUP BY named.name
    ) AS change
    WHERE held.period = change.name
$$;

CREATE FUNCTION reserve_budget(
    for_node text, new_id text, wanted bigint, day_cap bigint, month_cap bigint, OUT answer text, OUT ends_in_ms bigint
)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
    on_day date := budget_day(now());
    earlier date;
    day_used bigint;
    month_used bigint;
    ends_on date;
BEGIN
    PERFORM lock_budget_periods(ARRAY[on_day]);
    SELECT held.spent_centavos + held.reserved_centavos INTO day_used
    FROM budget_periods AS held WHERE held.period = to_char(on_day, 'YYYY-MM-DD');
    SELECT held.spent_centavos + held.reserved_centavos INTO month_used
    FROM budget_periods AS held WHERE held.period = to_char(on_day, 'YYYY-MM');
    SELECT held.day INTO earlier FROM budget_reservations AS held WHERE held.id = new_id;

    -- A cap that is not set is NULL, and nothing is beyond it. The month comes first: waiting for tomorrow would not help.
    IF earlier IS NOT NULL THEN
        answer := 'granted';
        on_day := earlier;
    ELSIF month_cap - month_used < wanted THEN
        answer := 'month';
    ELSIF day_cap - day_used < wanted THEN
        answer := 'day';
    ELSE
        answer := 'granted';
        INSERT INTO budget_reservations (id, node, day, centavos)
        SELECT new_id, for_node, on_day, wanted WHERE wanted > 0
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM change_budget(ARRAY[on_day], NULL, ARRAY[wanted]);
        END IF;
    END IF;

    ends_on := CASE answer
        WHEN 'month' THEN date_trunc('month', on_day::timestamp) + interval '1 month'
        ELSE on_day + 1
    END;
    -- Waiting for the locks took its time: not now(), which is when the statement began.
    ends_in_ms := greatest(0, floor(1000 * extract(
        epoch FROM ends_on::timestamp AT TIME ZONE 'America/Sao_Paulo' - clock_timestamp()
    )));
END
$$;

CREATE FUNCTION release_budget(ids text[]) RETURNS void
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
    days date[];
    freed bigint[];
BEGIN
    PERFORM lock_budget_periods((SELECT array_agg(held.day) FROM budget_reservations AS held WHERE held.id = ANY (ids)));
    WITH gone AS (
        DELETE FROM budget_reservations AS held WHERE held.id = ANY (ids) RETURNING held.day, held.centavos
    )
    SELECT array_agg(gone.day), array_agg(-gone.centavos) INTO days, freed FROM gone;
    PERFORM change_budget(days, NULL, freed);
END
$$;

CREATE FUNCTION settle_calls(providers text[], days date[], costs bigint[], reservations text[], draws bigint[])
RETURNS void
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
    held_days date[];
    drawn_ids text[];
    drawn_days date[];
    taken bigint[];
BEGIN
    INSERT INTO vendor_accounts (provider)
    SELECT DISTINCT given.provider FROM unnest(providers) AS given (provider) ORDER BY given.provider
    ON CONFLICT DO NOTHING;
    PERFORM 1 FROM vendor_accounts AS account
    WHERE account.provider = ANY (providers) ORDER BY account.provider FOR UPDATE;
    UPDATE vendor_accounts AS account SET spent_centavos = account.spent_centavos + booked.centavos
    FROM (
        SELECT given.provider, sum(given.centavos)::bigint AS centavos
        FROM unnest(providers, costs) AS given (provider, centavos) GROUP BY given.provider
    ) AS booked
    WHERE account.provider = booked.provider;

    -- A reservation keeps its day for ever, so that it may be looked up before it is locked.
    SELECT days || array_agg(held.day) INTO held_days FROM budget_reservations AS held WHERE held.id = ANY (reservations);
    PERFORM lock_budget_periods(held_days);
    SELECT array_agg(held.id), array_agg(held.day), array_agg(-least(held.centavos, drawn.centavos))
    INTO drawn_ids, drawn_days, taken
    FROM budget_reservations AS held
    JOIN (
        SELECT given.id, sum(given.centavos)::bigint AS centavos
        FROM unnest(reservations, draws) AS given (id, centavos) GROUP BY given.id
    ) AS drawn ON drawn.id = held.id
    WHERE held.day = ANY (held_days);
    UPDATE budget_reservations AS held SET centavos = held.centavos + used.centavos
    FROM unnest(drawn_ids, taken) AS used (id, centavos)
    WHERE held.id = used.id;
    DELETE FROM budget_reservations AS held WHERE held.id = ANY (drawn_ids) AND held.centavos = 0;

    PERFORM change_budget(days, costs, NULL);
    PERFORM change_budget(drawn_days, NULL, taken);
END
$$;

CREATE FUNCTION close_vendor_account(of_provider text, balance bigint, as_read bigint, uncharged text[]) RETURNS boolean
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
    days date[];
    freed bigint[];
BEGIN
    INSERT INTO vendor_accounts (provider) VALUES (of_provider) ON CONFLICT DO NOTHING;
    PERFORM 1 FROM vendor_accounts AS account
    WHERE account.provider = of_provider AND account.spent_centavos = as_read
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    SELECT array_agg(call.day), array_agg(-call.cost_centavos) INTO days, freed
    FROM api_calls AS call
    WHERE call.provider = of_provider AND call.cost_basis = 'presumed' AND call.id IN (SELECT unnest(uncharged));
    UPDATE api_calls AS call SET cost_centavos = 0, cost_basis = 'reconciled'
    WHERE call.provider = of_provider AND call.cost_basis = 'presumed' AND call.id IN (SELECT unnest(uncharged));
    UPDATE api_calls AS call SET cost_basis = 'reconciled'
    WHERE call.provider = of_provider AND call.cost_basis = 'presumed';

    PERFORM lock_budget_periods(days);
    PERFORM change_budget(days, freed, NULL);
    UPDATE vendor_accounts AS account
    SET spent_centavos = total.now, booked_centavos = total.now, balance_centavos = balance, read_at = now()
    FROM (SELECT as_read + coalesce(sum(given.centavos), 0)::bigint AS now FROM unnest(freed) AS given (centavos)) AS total
    WHERE account.provider = of_provider;
    RETURN true;
END
$$;

COMMENT ON FUNCTION budget_day(timestamptz) IS 'The day in America/Sao_Paulo of a moment';
COMMENT ON FUNCTION lock_budget_periods(date[]) IS
    'Locks the months and then the days of these days, always in the same order, and makes those that are missing';
COMMENT ON FUNCTION change_budget(date[], bigint[], bigint[]) IS
    'Adds to what is spent and reserved on these days and in their months; NULL adds nothing. Whoever calls it holds their locks';
COMMENT ON FUNCTION reserve_budget(text, text, bigint, bigint, bigint) IS
    'Sets money aside unless that would exceed a cap. Answers granted, or the period (day, month) whose cap does not allow it, and for how many milliseconds that holds. Repeated with the same id it reserves once';
COMMENT ON FUNCTION release_budget(text[]) IS 'Gives back what is left of reservations';
COMMENT ON FUNCTION settle_calls(text[], date[], bigint[], text[], bigint[]) IS
    'Books rows that were just added to api_calls: their cost is spent, and what they drew is taken off their reservations';
COMMENT ON FUNCTION close_vendor_account(text, bigint, bigint, text[]) IS
    'Takes stock: the presumed costs of a vendor become final, those listed as nothing. Answers false, and does nothing, if the ledger has changed since it was read';

REVOKE EXECUTE ON FUNCTION budget_day(timestamptz), lock_budget_periods(date[]), change_budget(date[], bigint[], bigint[]),
    reserve_budget(text, text, bigint, bigint, bigint), release_budget(text[]),
    settle_calls(text[], date[], bigint[], text[], bigint[]), close_vendor_account(text, bigint, bigint, text[]) FROM PUBLIC;
