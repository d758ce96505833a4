//! The statements of a store.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Date, Double, Float4, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::rows::{MovementColumns, ProcessRows};
use crate::domain::diff::{Identity, Known};
use crate::domain::movement::MovementId;
use crate::domain::snapshot::Provider;
use crate::domain::version::Version;

/// How long a client that has told its events may take for the word "commit": less than the others' patience with the database.
const COMMITS_WITHIN: &str = "2s";

/// What is stored of a process, locked until the end of the transaction.
#[derive(Debug, QueryableByName)]
pub(super) struct Earlier {
    #[diesel(sql_type = Nullable<Text>)]
    provider: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    verified_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    last_api_sync: DateTime<Utc>,
    #[diesel(sql_type = Bool)]
    has_copy: bool,
}

impl Earlier {
    /// The version of the copy, if there is one and not only an absence.
    pub(super) fn version(&self) -> Option<Version> {
        self.has_copy.then(|| Version::new(self.verified_at, self.last_api_sync))
    }

    /// Who supplied the copy, if there is one.
    pub(super) fn provider(&self) -> Option<Provider> {
        self.provider.as_deref().filter(|_| self.has_copy).and_then(Provider::of_word)
    }
}

#[derive(QueryableByName)]
struct KnownRow {
    #[diesel(sql_type = Text)]
    movement_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    identity: Option<String>,
    #[diesel(sql_type = Bool)]
    is_removed: bool,
    #[diesel(sql_type = Timestamptz)]
    first_seen_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct EventNumber {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Locks a process, so that two stores of it come one after the other.
pub(super) async fn lock(connection: &mut AsyncPgConnection, cnj: &str) -> QueryResult<Option<Earlier>> {
    diesel::sql_query(
        "SELECT provider, verified_at, last_api_sync, snapshot IS NOT NULL AS has_copy
         FROM process_status_cache WHERE cnj = $1 FOR UPDATE",
    )
    .bind::<Text, _>(cnj)
    .get_result(connection)
    .await
    .optional()
}

/// All movements that were ever stored of a process, newest first.
pub(super) async fn known(connection: &mut AsyncPgConnection, cnj: &str) -> QueryResult<Vec<Known>> {
    let rows: Vec<KnownRow> = diesel::sql_query(
        "SELECT movement_id, identity, removed_at IS NOT NULL AS is_removed, first_seen_at
         FROM process_movements WHERE cnj = $1 ORDER BY movement_date DESC NULLS LAST, movement_id DESC",
    )
    .bind::<Text, _>(cnj)
    .get_results(connection)
    .await?;
    let known = rows.into_iter().map(|row| Known {
        id: MovementId::from_text(row.movement_id),
        identity: row.identity.and_then(Identity::stored),
        is_removed: row.is_removed,
        first_seen: row.first_seen_at,
    });
    Ok(known.collect())
}

/// Zero when a version at least as new is stored, or anything at all although nothing `is_known`. An absence that was learned after
/// this copy was fetched stays known.
pub(super) async fn upsert_status(
    connection: &mut AsyncPgConnection,
    rows: &ProcessRows,
    is_known: bool,
) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO process_status_cache AS stored
             (cnj, sync_status, cache_valid_until, last_api_sync, verified_at, provider, total_movements, current_phase,
              description, progress_percentage, outcome, last_movement_date, tribunal_name, tribunal_grau, sealed, snapshot,
              change_rate)
         VALUES ($1, 'success', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (cnj) DO UPDATE SET
             sync_status = CASE WHEN stored.absent_since > EXCLUDED.last_api_sync THEN 'absent' ELSE 'success' END,
             absent_since = CASE WHEN stored.absent_since > EXCLUDED.last_api_sync THEN stored.absent_since END,
             absent_until = CASE WHEN stored.absent_since > EXCLUDED.last_api_sync THEN stored.absent_until END,
             cache_valid_until = EXCLUDED.cache_valid_until,
             last_api_sync = EXCLUDED.last_api_sync,
             verified_at = EXCLUDED.verified_at,
             provider = EXCLUDED.provider,
             total_movements = EXCLUDED.total_movements,
             current_phase = EXCLUDED.current_phase,
             description = EXCLUDED.description,
             progress_percentage = EXCLUDED.progress_percentage,
             outcome = EXCLUDED.outcome,
             last_movement_date = EXCLUDED.last_movement_date,
             tribunal_name = EXCLUDED.tribunal_name,
             tribunal_grau = EXCLUDED.tribunal_grau,
             sealed = EXCLUDED.sealed,
             snapshot = EXCLUDED.snapshot,
             change_rate = EXCLUDED.change_rate,
             updated_at = now()
         WHERE $17 AND (stored.snapshot IS NULL
            OR ((COALESCE(stored.verified_at, '-infinity'), stored.last_api_sync)
              < (COALESCE(EXCLUDED.verified_at, '-infinity'), EXCLUDED.last_api_sync)
              -- A poorer copy, of DataJud, never takes the place of a richer one.
              AND (EXCLUDED.provider = 'escavador' OR stored.provider IS DISTINCT FROM 'escavador')))",
    )
    .bind::<Text, _>(&rows.cnj)
    .bind::<Timestamptz, _>(rows.fresh_until)
    .bind::<Timestamptz, _>(rows.version.fetched_at)
    .bind::<Nullable<Timestamptz>, _>(rows.version.verified_at)
    .bind::<Text, _>(rows.provider.as_str())
    .bind::<BigInt, _>(rows.total_movements)
    .bind::<Text, _>(rows.current_phase)
    .bind::<Text, _>(rows.description)
    .bind::<SmallInt, _>(rows.progress)
    .bind::<Text, _>(rows.outcome)
    .bind::<Nullable<Date>, _>(rows.last_movement)
    .bind::<Text, _>(&rows.tribunal)
    .bind::<Nullable<Text>, _>(rows.grau.as_deref())
    .bind::<Bool, _>(rows.sealed)
    .bind::<Binary, _>(rows.envelope.as_ref())
    .bind::<Double, _>(rows.change_rate)
    .bind::<Bool, _>(is_known)
    .execute(connection)
    .await
}

/// Writes only what is new, changed or back, so that `fetched_from_api_at` tells news from repetition.
pub(super) async fn upsert_movements(
    connection: &mut AsyncPgConnection,
    rows: &ProcessRows,
    first_seen: &[DateTime<Utc>],
) -> QueryResult<usize> {
    let MovementColumns { types, rules, confidences, dates, contents, tribunals, graus, data } = &rows.movements;
    diesel::sql_query(
        "INSERT INTO process_movements AS stored
             (cnj, movement_id, movement_type, classification_rule, classification_confidence, movement_date, content,
              source_tribunal, source_grau, movement_data, identity, fetched_from_api_at, first_seen_at)
         SELECT $1, incoming.movement_id, incoming.movement_type, incoming.rule, incoming.confidence, incoming.day,
                incoming.content, incoming.tribunal, incoming.grau, incoming.data::jsonb, incoming.identity, $2,
                incoming.first_seen
         FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             AS incoming (movement_id, movement_type, rule, confidence, day, content, tribunal, grau, data, identity, first_seen)
         ON CONFLICT (cnj, movement_id) DO UPDATE SET
             movement_type = EXCLUDED.movement_type,
             classification_rule = EXCLUDED.classification_rule,
             classification_confidence = EXCLUDED.classification_confidence,
             movement_date = EXCLUDED.movement_date,
             content = EXCLUDED.content,
             source_tribunal = EXCLUDED.source_tribunal,
             source_grau = EXCLUDED.source_grau,
             movement_data = EXCLUDED.movement_data,
             identity = EXCLUDED.identity,
             fetched_from_api_at = EXCLUDED.fetched_from_api_at,
             removed_at = NULL
         WHERE stored.removed_at IS NOT NULL
            OR (stored.movement_type, stored.classification_rule, stored.classification_confidence, stored.movement_date,
                stored.source_tribunal, stored.source_grau, stored.content, stored.movement_data)
               IS DISTINCT FROM
               (EXCLUDED.movement_type, EXCLUDED.classification_rule, EXCLUDED.classification_confidence,
                EXCLUDED.movement_date, EXCLUDED.source_tribunal, EXCLUDED.source_grau, EXCLUDED.content,
                EXCLUDED.movement_data)",
    )
    .bind::<Text, _>(&rows.cnj)
    .bind::<Timestamptz, _>(rows.version.fetched_at)
    .bind::<Array<Text>, _>(rows.ids())
    .bind::<Array<Text>, _>(types)
    .bind::<Array<Text>, _>(rules)
    .bind::<Array<Float4>, _>(confidences)
    .bind::<Array<Nullable<Date>>, _>(dates)
    .bind::<Array<Text>, _>(contents)
    .bind::<Array<Text>, _>(tribunals)
    .bind::<Array<Nullable<Text>>, _>(graus)
    .bind::<Array<Text>, _>(data)
    .bind::<Array<Text>, _>(rows.identities())
    .bind::<Array<Timestamptz>, _>(first_seen)
    .execute(connection)
    .await
}

/// Says of stored movements what they say, where that was not known. Nothing else about them changes.
pub(super) async fn fill_identities(connection: &mut AsyncPgConnection, rows: &ProcessRows) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE process_movements AS stored SET identity = incoming.identity
         FROM unnest($2, $3) AS incoming (movement_id, identity)
         WHERE stored.cnj = $1 AND stored.movement_id = incoming.movement_id
           AND stored.identity IS DISTINCT FROM incoming.identity",
    )
    .bind::<Text, _>(&rows.cnj)
    .bind::<Array<Text>, _>(rows.ids())
    .bind::<Array<Text>, _>(rows.identities())
    .execute(connection)
    .await
}

/// Marks what the vendor does not list any more: nothing is deleted.
pub(super) async fn mark_removed(
    connection: &mut AsyncPgConnection,
    rows: &ProcessRows,
    gone: &[&str],
) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE process_movements SET removed_at = $2
         WHERE cnj = $1 AND removed_at IS NULL AND movement_id = ANY ($3)",
    )
    .bind::<Text, _>(&rows.cnj)
    .bind::<Timestamptz, _>(rows.version.fetched_at)
    .bind::<Array<Text>, _>(gone)
    .execute(connection)
    .await
}

/// Stores events of movements that have their rows by now, and gives their numbers. It must be the last statement of its transaction:
/// the counter stays locked until the commit. A client that freezes before that is thrown out, so that nobody waits for it for long.
pub(super) async fn insert_events(
    connection: &mut AsyncPgConnection,
    rows: &ProcessRows,
    kinds: &[&str],
    ids: &[&str],
) -> QueryResult<Vec<u64>> {
    let numbers: Vec<EventNumber> = diesel::sql_query(
        "WITH counted AS (
             INSERT INTO process_event_counter AS counter (last)
             VALUES ((SELECT coalesce(max(id), 0) FROM process_events) + $2)
             ON CONFLICT (single) DO UPDATE SET last = counter.last + $2
             WHERE set_config('idle_in_transaction_session_timeout', $3, true) IS NOT NULL
             RETURNING counter.last
         )
         INSERT INTO process_events (id, cnj, kind, movement_id, movement, provider, sealed, first_seen_at)
         SELECT counted.last - $2 + told.place, $1, told.kind, told.movement_id, stored.movement_data, $4, $5,
                stored.first_seen_at
         FROM counted
         CROSS JOIN unnest($6, $7) WITH ORDINALITY AS told (kind, movement_id, place)
         JOIN process_movements AS stored ON stored.cnj = $1 AND stored.movement_id = told.movement_id
         ON CONFLICT (cnj, movement_id) WHERE kind = 'new' DO NOTHING
         RETURNING id",
    )
    .bind::<Text, _>(&rows.cnj)
    .bind::<BigInt, _>(i64::try_from(ids.len()).unwrap_or(i64::MAX))
    .bind::<Text, _>(COMMITS_WITHIN)
    .bind::<Text, _>(rows.provider.as_str())
    .bind::<Bool, _>(rows.sealed)
    .bind::<Array<Text>, _>(kinds)
    .bind::<Array<Text>, _>(ids)
    .get_results(connection)
    .await?;
    Ok(numbers.into_iter().filter_map(|number| u64::try_from(number.id).ok()).collect())
}
