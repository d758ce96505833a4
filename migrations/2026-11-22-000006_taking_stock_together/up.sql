-- What the vendor took is compared with what the ledger has, at a moment at which no process has anything under way. So the processes
-- tell each other, round by round: whoever takes stock begins a round before it reads the balance and another one after; every other
-- process answers each round with how much it has sent. The same answer twice means that nothing was sent in between.
CREATE TABLE ledger_nodes (
    node text PRIMARY KEY CONSTRAINT ledger_node_is_hex CHECK (node ~ '^[0-9a-f]{32}$'),
    round bigint NOT NULL,
    sent bigint NOT NULL CONSTRAINT sent_is_a_count CHECK (sent >= 0),
    is_quiet boolean NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE ledger_nodes IS
    'The processes of juscache that may have requests that are not in api_calls yet: they live, or their ledger files wait for somebody to take them over';
COMMENT ON COLUMN ledger_nodes.node IS 'The process, 32 hex digits';
COMMENT ON COLUMN ledger_nodes.round IS 'The round (vendor_accounts.round) that it has answered last';
COMMENT ON COLUMN ledger_nodes.sent IS 'How many requests it had sent since its start when it answered';
COMMENT ON COLUMN ledger_nodes.is_quiet IS 'Whether it had nothing under way and nothing unstored then, and had not had for a while';
COMMENT ON COLUMN ledger_nodes.seen_at IS 'When it last answered, by the database''s clock';

REVOKE ALL ON ledger_nodes FROM PUBLIC;
ALTER TABLE ledger_nodes ENABLE ROW LEVEL SECURITY;

ALTER TABLE vendor_accounts
    ADD COLUMN round bigint NOT NULL DEFAULT 0,
    ADD COLUMN round_by text,
    ADD COLUMN round_at timestamptz;
COMMENT ON COLUMN vendor_accounts.round IS
    'Counts the times that a process asked the others what they have under way; it takes stock only if nobody asked since';
COMMENT ON COLUMN vendor_accounts.round_by IS 'The process that asked last and is not done; null when it is';
COMMENT ON COLUMN vendor_accounts.round_at IS 'When it asked, by the database''s clock; its turn is over after fifteen seconds';

DROP FUNCTION close_vendor_account(text, bigint, bigint, text[]);

CREATE FUNCTION close_vendor_account(
    of_provider text, in_round bigint, balance bigint, as_read bigint, uncharged text[]
) RETURNS boolean
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
    days date[];
    freed bigint[];
BEGIN
    INSERT INTO vendor_accounts (provider) VALUES (of_provider) ON CONFLICT DO NOTHING;
    PERFORM 1 FROM vendor_accounts AS account
    WHERE account.provider = of_provider AND account.spent_centavos = as_read AND account.round = in_round
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
    SET spent_centavos = total.now, booked_centavos = total.now, balance_centavos = balance, read_at = now(),
        round_by = NULL
    FROM (SELECT as_read + coalesce(sum(given.centavos), 0)::bigint AS now FROM unnest(freed) AS given (centavos)) AS total
    WHERE account.provider = of_provider;
    RETURN true;
END
$$;

COMMENT ON FUNCTION close_vendor_account(text, bigint, bigint, bigint, text[]) IS
    'Takes stock: the presumed costs of a vendor become final, those listed as nothing. Answers false, and does nothing, if the ledger has changed since it was read, or somebody else has begun a round';

REVOKE EXECUTE ON FUNCTION close_vendor_account(text, bigint, bigint, bigint, text[]) FROM PUBLIC;
