//! Everything that is asked of PostgreSQL.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Date, Float4, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::messages::{Novelty, Stored, StoredProcess};
use super::models::{MovementColumns, ProcessRows, StoredRow};
use super::schema::process_status_cache;
use crate::domain::version::Version;

/// What is stored of a process, in one round trip.
pub(super) async fn read(connection: &mut AsyncPgConnection, cnj: &str) -> QueryResult<Option<StoredProcess>> {
    let row =
        process_status_cache::table.find(cnj).select(StoredRow::as_select()).first(connection).await.optional()?;
    Ok(row.map(StoredProcess::from))
}

/// Whether anybody is there.
pub(super) async fn ping(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    connection.batch_execute("SELECT 1").await
}

/// Stores a process unless a newer version is stored: all of it or nothing. Doing it twice is doing it once.
pub(super) async fn store(connection: &mut AsyncPgConnection, rows: &ProcessRows) -> QueryResult<Stored> {
    connection
        .transaction(async |connection| {
            if upsert_status(connection, rows).await? == 0 {
                return refused_version(connection, rows).await;
            }
            upsert_movements(connection, rows).await?;
            mark_removed(connection, rows).await?;
            Ok(Stored::Stored(Novelty::default()))
        })
        .await
}

/// Remembers an absence. The copy that is stored, if any, stays; one that was fetched later makes the absence a thing of the past.
pub(super) async fn store_absence(
    connection: &mut AsyncPgConnection,
    cnj: &str,
    version: Version,
    until: DateTime<Utc>,
) -> QueryResult<()> {
    let statement = diesel::sql_query(
        "INSERT INTO process_status_cache AS stored
             (cnj, sync_status, cache_valid_until, last_api_sync, verified_at, absent_since, absent_until)
         VALUES ($1, 'absent', $4, $3, $2, $3, $4)
         ON CONFLICT (cnj) DO UPDATE SET
             sync_status = 'absent',
             absent_since = EXCLUDED.absent_since,
             absent_until = EXCLUDED.absent_until,
             cache_valid_until =
                 CASE WHEN stored.snapshot IS NULL THEN EXCLUDED.cache_valid_until ELSE stored.cache_valid_until END,
             last_api_sync =
                 CASE WHEN stored.snapshot IS NULL THEN EXCLUDED.last_api_sync ELSE stored.last_api_sync END,
             verified_at = CASE WHEN stored.snapshot IS NULL THEN EXCLUDED.verified_at ELSE stored.verified_at END,
             updated_at = now()
         WHERE (stored.snapshot IS NULL OR stored.last_api_sync <= EXCLUDED.absent_since)
           AND (stored.absent_since IS NULL OR stored.absent_since <= EXCLUDED.absent_since)",
    );
    statement
        .bind::<Text, _>(cnj)
        .bind::<Nullable<Timestamptz>, _>(version.verified_at)
        .bind::<Timestamptz, _>(version.fetched_at)
        .bind::<Timestamptz, _>(until)
        .execute(connection)
        .await?;
    Ok(())
}

/// Zero when a version at least as new is stored. An absence that was learned after this copy was fetched stays known.
async fn upsert_status(connection: &mut AsyncPgConnection, rows: &ProcessRows) -> QueryResult<usize> {
    diesel::sql_query(
        "INSERT INTO process_status_cache AS stored
             (cnj, sync_status, cache_valid_until, last_api_sync, verified_at, provider, total_movements, current_phase,
              description, progress_percentage, outcome, last_movement_date, tribunal_name, tribunal_grau, sealed, snapshot)
         VALUES ($1, 'success', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
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
             updated_at = now()
         WHERE stored.snapshot IS NULL
            OR ((COALESCE(stored.verified_at, '-infinity'), stored.last_api_sync)
              < (COALESCE(EXCLUDED.verified_at, '-infinity'), EXCLUDED.last_api_sync)
              -- A poorer copy, of DataJud, never takes the place of a richer one.
              AND (EXCLUDED.provider = 'escavador' OR stored.provider IS DISTINCT FROM 'escavador'))",
    )
    .bind::<Text, _>(&rows.cnj)
    .bind::<Timestamptz, _>(rows.fresh_until)
    .bind::<Timestamptz, _>(rows.version.fetched_at)
    .bind::<Nullable<Timestamptz>, _>(rows.version.verified_at)
    .bind::<Text, _>(rows.provider)
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
    .execute(connection)
    .await
}

/// A copy that is stored already is a success; only a newer one is not.
async fn refused_version(connection: &mut AsyncPgConnection, rows: &ProcessRows) -> QueryResult<Stored> {
    let stored: (Option<DateTime<Utc>>, DateTime<Utc>) = process_status_cache::table
        .find(&rows.cnj)
        .select((process_status_cache::verified_at, process_status_cache::last_api_sync))
        .first(connection)
        .await?;
    let is_this = stored == (rows.version.verified_at, rows.version.fetched_at);
    Ok(if is_this { Stored::Stored(Novelty::default()) } else { Stored::Outdated })
}

/// Writes only what is new, changed or back, so that `fetched_from_api_at` tells news from repetition.
async fn upsert_movements(connection: &mut AsyncPgConnection, rows: &ProcessRows) -> QueryResult<usize> {
    let MovementColumns { ids, types, rules, confidences, dates, contents, tribunals, graus, data } = &rows.movements;
    diesel::sql_query(
        "INSERT INTO process_movements AS stored
             (cnj, movement_id, movement_type, classification_rule, classification_confidence, movement_date, content,
              source_tribunal, source_grau, movement_data, fetched_from_api_at, first_seen_at)
         SELECT $1, incoming.movement_id, incoming.movement_type, incoming.rule, incoming.confidence, incoming.day,
                incoming.content, incoming.tribunal, incoming.grau, incoming.data::jsonb, $2, $2
         FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11)
             AS incoming (movement_id, movement_type, rule, confidence, day, content, tribunal, grau, data)
         ON CONFLICT (cnj, movement_id) DO UPDATE SET
             movement_type = EXCLUDED.movement_type,
             classification_rule = EXCLUDED.classification_rule,
             classification_confidence = EXCLUDED.classification_confidence,
             movement_date = EXCLUDED.movement_date,
             content = EXCLUDED.content,
             source_tribunal = EXCLUDED.source_tribunal,
             source_grau = EXCLUDED.source_grau,
             movement_data = EXCLUDED.movement_data,
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
    .bind::<Array<Text>, _>(ids)
    .bind::<Array<Text>, _>(types)
    .bind::<Array<Text>, _>(rules)
    .bind::<Array<Float4>, _>(confidences)
    .bind::<Array<Nullable<Date>>, _>(dates)
    .bind::<Array<Text>, _>(contents)
    .bind::<Array<Text>, _>(tribunals)
    .bind::<Array<Nullable<Text>>, _>(graus)
    .bind::<Array<Text>, _>(data)
    .execute(connection)
    .await
}

async fn mark_removed(connection: &mut AsyncPgConnection, rows: &ProcessRows) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE process_movements SET removed_at = $2
         WHERE cnj = $1 AND removed_at IS NULL AND movement_id <> ALL ($3)",
    )
    .bind::<Text, _>(&rows.cnj)
    .bind::<Timestamptz, _>(rows.version.fetched_at)
    .bind::<Array<Text>, _>(&rows.movements.ids)
    .execute(connection)
    .await
}
