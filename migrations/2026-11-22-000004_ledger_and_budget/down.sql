DROP FUNCTION close_vendor_account(text, bigint, bigint, text[]);
DROP FUNCTION settle_calls(text[], date[], bigint[], text[], bigint[]);
DROP FUNCTION release_budget(text[]);
DROP FUNCTION reserve_budget(text, text, bigint, bigint, bigint);
DROP FUNCTION change_budget(date[], bigint[], bigint[]);
DROP FUNCTION lock_budget_periods(date[]);

DROP TABLE vendor_accounts;
DROP TABLE avoided_calls;
DROP TABLE budget_reservations;
DROP TABLE budget_periods;
DROP TABLE api_calls;

DROP FUNCTION budget_day(timestamptz);
