DROP FUNCTION reserve_budgets(text, text[], bigint[], bigint, bigint);
