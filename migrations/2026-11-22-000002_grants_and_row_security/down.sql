-- Without the policies nobody but the owner may read: the right goes first.
REVOKE SELECT ON process_status_cache, process_movements, process_grants FROM PUBLIC;

DROP POLICY granted_processes ON process_movements;
DROP POLICY granted_processes ON process_status_cache;
DROP POLICY own_grants ON process_grants;

ALTER TABLE process_movements DISABLE ROW LEVEL SECURITY;
ALTER TABLE process_status_cache DISABLE ROW LEVEL SECURITY;

DROP TABLE process_grants;
