CREATE FUNCTION reserve_budgets(
    for_node text, new_ids text[], wanted bigint[], day_cap bigint, month_cap bigint, OUT answer text, OUT ends_in_ms bigint
)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
DECLARE
    part record;
BEGIN
    FOR part IN SELECT * FROM unnest(new_ids, wanted) AS given (id, centavos) LOOP
        SELECT * INTO answer, ends_in_ms
        FROM reserve_budget(for_node, part.id, part.centavos, day_cap, month_cap);
        IF answer <> 'granted' THEN
            RAISE EXCEPTION USING ERRCODE = 'JC001', MESSAGE = 'there is not enough for all';
        END IF;
    END LOOP;
EXCEPTION
    -- What the earlier ones set aside is undone with them; the answer stays.
    WHEN SQLSTATE 'JC001' THEN NULL;
END
$$;

COMMENT ON FUNCTION reserve_budgets(text, text[], bigint[], bigint, bigint) IS
    'Sets money aside for several requests that are of no use without each other: for all or for none. Answers like reserve_budget';

REVOKE EXECUTE ON FUNCTION reserve_budgets(text, text[], bigint[], bigint, bigint) FROM PUBLIC;
