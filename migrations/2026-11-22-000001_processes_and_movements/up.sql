CREATE TABLE process_status_cache (
    cnj text PRIMARY KEY
        CONSTRAINT cnj_is_masked CHECK (cnj ~ '^\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}$'),
    sync_status text NOT NULL
        CONSTRAINT sync_status_is_known CHECK (sync_status IN ('success', 'absent', 'failed')),
    cache_valid_until timestamptz NOT NULL,
    last_api_sync timestamptz NOT NULL,
    verified_at timestamptz,
    provider text CONSTRAINT provider_is_known CHECK (provider IN ('escavador', 'datajud')),
    total_movements bigint NOT NULL DEFAULT 0 CONSTRAINT total_movements_is_a_count CHECK (total_movements >= 0),
    current_phase text,
    description text,
    progress_percentage smallint NOT NULL DEFAULT 0
        CONSTRAINT progress_is_a_percentage CHECK (progress_percentage BETWEEN 0 AND 100),
    outcome text NOT NULL DEFAULT 'andamento'
        CONSTRAINT outcome_is_known CHECK (outcome IN ('andamento', 'vitoria', 'derrota')),
    last_movement_date date,
    tribunal_name text,
    tribunal_grau text,
    sealed boolean NOT NULL DEFAULT false,
    absent_since timestamptz,
    absent_until timestamptz,
    snapshot bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT absence_has_both_ends CHECK ((absent_since IS NULL) = (absent_until IS NULL)),
    CONSTRAINT a_copy_or_an_absence CHECK (snapshot IS NOT NULL OR absent_since IS NOT NULL)
);

-- The envelope is compressed already: trying again costs time and gains nothing.
ALTER TABLE process_status_cache ALTER COLUMN snapshot SET STORAGE EXTERNAL;

-- What expires next, for the synchronisation; what was not confirmed for long, for the cleaning, and the latest, for people.
CREATE INDEX process_status_cache_valid_until ON process_status_cache (cache_valid_until);
CREATE INDEX process_status_cache_last_api_sync ON process_status_cache (last_api_sync);

COMMENT ON TABLE process_status_cache IS 'One row for each process: the stored copy and what people ask about it';
COMMENT ON COLUMN process_status_cache.cnj IS 'The process number, masked: NNNNNNN-DD.AAAA.J.TR.OOOO';
COMMENT ON COLUMN process_status_cache.sync_status IS
    'success: the copy is what the vendor last said; absent: the vendor last said that there is no such process (an older copy may still be stored); failed: the last synchronisation failed';
COMMENT ON COLUMN process_status_cache.cache_valid_until IS 'Until when the copy counts as fresh. An UPDATE takes effect at the next read that reaches the database';
COMMENT ON COLUMN process_status_cache.last_api_sync IS 'When the stored copy was fetched from the vendor; without a copy, when the absence was learned';
COMMENT ON COLUMN process_status_cache.verified_at IS 'When the vendor last looked at the court, by the vendor''s clock';
COMMENT ON COLUMN process_status_cache.provider IS 'Who supplied the copy';
COMMENT ON COLUMN process_status_cache.total_movements IS 'How many movements the process has, as the vendor declares';
COMMENT ON COLUMN process_status_cache.current_phase IS 'The phase that the latest decisive movement tells';
COMMENT ON COLUMN process_status_cache.description IS 'That phase in one sentence, for people';
COMMENT ON COLUMN process_status_cache.progress_percentage IS 'How far that phase is, 0 to 100';
COMMENT ON COLUMN process_status_cache.outcome IS 'andamento, vitoria or derrota';
COMMENT ON COLUMN process_status_cache.last_movement_date IS 'The day of the newest movement';
COMMENT ON COLUMN process_status_cache.tribunal_name IS 'The court''s sigla';
COMMENT ON COLUMN process_status_cache.tribunal_grau IS 'The degree of jurisdiction, as people read it';
COMMENT ON COLUMN process_status_cache.sealed IS 'Under secrecy of justice (segredo de justiça)';
COMMENT ON COLUMN process_status_cache.absent_since IS 'When the vendor said that there is no such process, unless a later copy says otherwise';
COMMENT ON COLUMN process_status_cache.absent_until IS 'Until when that is believed';
COMMENT ON COLUMN process_status_cache.snapshot IS
    'The copy that is served: an envelope of src/domain/codec.rs. The columns and process_movements are derived from it, for people and SQL';
COMMENT ON COLUMN process_status_cache.created_at IS 'When the row was made, by the database''s clock';
COMMENT ON COLUMN process_status_cache.updated_at IS 'When juscache last wrote the row, by the database''s clock';

CREATE TABLE process_movements (
    cnj text NOT NULL REFERENCES process_status_cache (cnj) ON DELETE CASCADE,
    movement_id text NOT NULL,
    movement_type text NOT NULL,
    classification_rule text,
    classification_confidence real NOT NULL DEFAULT 0
        CONSTRAINT confidence_is_a_fraction CHECK (classification_confidence BETWEEN 0 AND 1),
    movement_date date,
    content text NOT NULL,
    source_tribunal text,
    source_grau text,
    movement_data jsonb NOT NULL,
    fetched_from_api_at timestamptz NOT NULL,
    first_seen_at timestamptz NOT NULL,
    removed_at timestamptz,
    -- The text is in no key: a btree refuses entries beyond some 2.7 kB, and two equal texts on one day are two movements.
    PRIMARY KEY (cnj, movement_id)
);

CREATE INDEX process_movements_timeline ON process_movements (cnj, movement_date DESC);

COMMENT ON TABLE process_movements IS 'The movements of the stored processes, one row each, for people and SQL';
COMMENT ON COLUMN process_movements.cnj IS 'The process number, masked';
COMMENT ON COLUMN process_movements.movement_id IS 'The vendor''s id, or a hash (h…) where the vendor gives none';
COMMENT ON COLUMN process_movements.movement_type IS 'What our classifier makes of it';
COMMENT ON COLUMN process_movements.classification_rule IS 'Which of the classifier''s rules decided';
COMMENT ON COLUMN process_movements.classification_confidence IS 'How sure that rule is, 0 to 1';
COMMENT ON COLUMN process_movements.movement_date IS 'The court''s day; the vendor gives no time';
COMMENT ON COLUMN process_movements.content IS 'The whole text';
COMMENT ON COLUMN process_movements.source_tribunal IS 'The sigla of the court or gazette that published it';
COMMENT ON COLUMN process_movements.source_grau IS 'The degree of jurisdiction, as people read it';
COMMENT ON COLUMN process_movements.movement_data IS 'The movement as juscache holds it';
COMMENT ON COLUMN process_movements.fetched_from_api_at IS
    'When the fetch that brought it as it is now reached us; a fetch that finds it unchanged leaves this alone, so equal values are one batch of news';
COMMENT ON COLUMN process_movements.first_seen_at IS 'When it first reached us';
COMMENT ON COLUMN process_movements.removed_at IS 'When we found that the vendor no longer lists it: marked, not deleted';
