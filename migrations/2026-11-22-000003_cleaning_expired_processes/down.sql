DROP FUNCTION clean_expired_process_cache(interval);
