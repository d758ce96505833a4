//! Reading a process, and remembering an absence. Storing is `store`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::messages::StoredProcess;
use super::models::StoredRow;
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
