CREATE FUNCTION reserve_budgets(
    for_node text, new_ids text[], wanted bigint[], day_cap bigint, month_cap bigint, OUT answer text, OUT ends_in_ms bigint
)
LANGUAGE plpgsql
SET lock_timeout = '2s'
AS $$
BEGIN
    FOR place IN 1 .. cardinality(new_ids) LOOP
        SELECT * INTO answer, ends_in_ms
        FROM reserve_budget(for_node, new_ids[place], wanted[place], day_cap, month_cap);
        IF answer <> 'granted' THEN
            -- Nobody has seen what the earlier ones set aside: the periods are locked until all of this is over.
            PERFORM release_budget(new_ids[1:place - 1]);
            RETURN;
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION reserve_budgets(text, text[], bigint[], bigint, bigint) IS
    'Sets money aside for several requests that are of no use without each other: for all or for none. Answers like reserve_budget';

REVOKE EXECUTE ON FUNCTION reserve_budgets(text, text[], bigint[], bigint, bigint) FROM PUBLIC;
