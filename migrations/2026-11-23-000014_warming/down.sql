DROP FUNCTION claim_warm_items(integer, interval);
DROP TABLE warm_items;
DROP TABLE warm_lists;
