DROP FUNCTION close_vendor_account(text, bigint, bigint, bigint, text[]);

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

COMMENT ON FUNCTION close_vendor_account(text, bigint, bigint, text[]) IS
    'Takes stock: the presumed costs of a vendor become final, those listed as nothing. Answers false, and does nothing, if the ledger has changed since it was read';

REVOKE EXECUTE ON FUNCTION close_vendor_account(text, bigint, bigint, text[]) FROM PUBLIC;

ALTER TABLE vendor_accounts DROP COLUMN round, DROP COLUMN round_by, DROP COLUMN round_at;
DROP TABLE ledger_nodes;
