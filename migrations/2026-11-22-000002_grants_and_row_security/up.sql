-- Whoever owns the tables (the service's own role) is not subject to the policies and writes. Every other role may read, and
-- sees the processes that a row here grants to it: INSERT INTO process_grants VALUES ('some_role', '0000000-00.0000.0.00.0000').
CREATE TABLE process_grants (
    grantee name NOT NULL,
    cnj text NOT NULL
        CONSTRAINT granted_cnj_is_masked CHECK (cnj ~ '^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$'),
    PRIMARY KEY (grantee, cnj)
);

COMMENT ON TABLE process_grants IS 'Which role may see which process, besides the owner of the tables, who sees all';
COMMENT ON COLUMN process_grants.grantee IS 'The role; it is compared with current_user, membership does not count';
COMMENT ON COLUMN process_grants.cnj IS 'The process number, masked. It may be granted before it is stored';

GRANT SELECT ON process_status_cache, process_movements, process_grants TO PUBLIC;

ALTER TABLE process_status_cache ENABLE ROW LEVEL SECURITY;
ALTER TABLE process_movements ENABLE ROW LEVEL SECURITY;
ALTER TABLE process_grants ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_grants ON process_grants FOR SELECT TO PUBLIC
    USING (grantee = current_user);

CREATE POLICY granted_processes ON process_status_cache FOR SELECT TO PUBLIC
    USING (EXISTS (
        SELECT FROM process_grants AS granted
        WHERE granted.grantee = current_user AND granted.cnj = process_status_cache.cnj
    ));

CREATE POLICY granted_processes ON process_movements FOR SELECT TO PUBLIC
    USING (EXISTS (
        SELECT FROM process_grants AS granted
        WHERE granted.grantee = current_user AND granted.cnj = process_movements.cnj
    ));
