//! Everything that is asked of `vendor_callbacks`.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Double, Integer, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::messages::{
    ClaimedCallback, KeepCallback, Kept, MOST_MALFORMED, NoteMonitor, PruneCallbacks, SettleCallback, Settlement,
};
use crate::domain::callback::{CallbackLine, CallbackReport, CallbackState, EventName};
use crate::domain::cnj::Cnj;

#[derive(QueryableByName)]
struct KeptRow {
    #[diesel(sql_type = Bool)]
    is_new: bool,
}

/// Stores a callback or counts a delivery. What was malformed when it came first and can be read now, after an upgrade, is taken up.
pub(super) async fn keep(connection: &mut AsyncPgConnection, callback: &KeepCallback) -> QueryResult<Kept> {
    let row: KeptRow = diesel::sql_query(
        "WITH too_old AS (
             SELECT id FROM vendor_callbacks WHERE $6 = 'malformed' AND state = 'malformed' ORDER BY id DESC OFFSET $8
         ), room AS (
             DELETE FROM vendor_callbacks AS old USING too_old WHERE old.id = too_old.id AND old.content_hash <> $1
         )
         INSERT INTO vendor_callbacks AS stored
             (content_hash, body, body_bytes, event, cnj, state, outcome, next_attempt_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $6 = 'received' THEN now() END)
         ON CONFLICT (content_hash) DO UPDATE SET
             deliveries = stored.deliveries + 1,
             last_received_at = now(),
             body = CASE WHEN stored.state = 'malformed' THEN EXCLUDED.body ELSE stored.body END,
             event = CASE WHEN stored.state = 'malformed' THEN EXCLUDED.event ELSE stored.event END,
             cnj = CASE WHEN stored.state = 'malformed' THEN EXCLUDED.cnj ELSE stored.cnj END,
             outcome = CASE WHEN stored.state = 'malformed' THEN EXCLUDED.outcome ELSE stored.outcome END,
             next_attempt_at =
                 CASE WHEN stored.state = 'malformed' THEN EXCLUDED.next_attempt_at ELSE stored.next_attempt_at END,
             state = CASE WHEN stored.state = 'malformed' THEN EXCLUDED.state ELSE stored.state END
         RETURNING stored.deliveries = 1 AS is_new",
    )
    .bind::<Binary, _>(&callback.content_hash[..])
    .bind::<Binary, _>(callback.body.as_ref())
    .bind::<Integer, _>(i32::try_from(callback.body_bytes).unwrap_or(i32::MAX))
    .bind::<Text, _>(&callback.event)
    .bind::<Nullable<Text>, _>(callback.cnj.as_deref())
    .bind::<Text, _>(callback.state.as_str())
    .bind::<Nullable<Text>, _>(callback.outcome)
    .bind::<BigInt, _>(MOST_MALFORMED - 1)
    .get_result(connection)
    .await?;
    Ok(Kept { is_new: row.is_new })
}

#[derive(QueryableByName)]
struct ClaimedRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Binary)]
    body: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

/// Takes what waits. Word that nothing is new waits while a movement of the same process does: a copy must not count as fresh while we
/// know of more than it holds.
pub(super) async fn claim(
    connection: &mut AsyncPgConnection,
    most: usize,
    lease: Duration,
) -> QueryResult<Vec<ClaimedCallback>> {
    let rows: Vec<ClaimedRow> = diesel::sql_query(
        "WITH due AS (
             SELECT waiting.id FROM vendor_callbacks AS waiting
             WHERE waiting.next_attempt_at <= now()
               AND (waiting.event <> $3 OR NOT EXISTS (
                   SELECT FROM vendor_callbacks AS news
                   WHERE news.cnj = waiting.cnj AND news.event = $4 AND news.state = 'received'))
             ORDER BY waiting.next_attempt_at, waiting.id LIMIT $1 FOR UPDATE SKIP LOCKED
         )
         UPDATE vendor_callbacks AS taken
         SET next_attempt_at = now() + $2 * interval '1 second', attempts = taken.attempts + 1
         FROM due WHERE taken.id = due.id
         RETURNING taken.id, taken.body, taken.received_at, taken.attempts",
    )
    .bind::<BigInt, _>(i64::try_from(most).unwrap_or(i64::MAX))
    .bind::<Double, _>(lease.as_secs_f64())
    .bind::<Text, _>(EventName::Verified.as_str())
    .bind::<Text, _>(EventName::NewMovement.as_str())
    .get_results(connection)
    .await?;
    let claimed = rows.into_iter().map(|row| ClaimedCallback {
        id: row.id,
        body: Bytes::from(row.body),
        received_at: row.received_at,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
    });
    Ok(claimed.collect())
}

/// Writes down what came of a callback, if the lease is still ours.
pub(super) async fn settle(connection: &mut AsyncPgConnection, settle: &SettleCallback) -> QueryResult<bool> {
    let (state, wait) = match settle.settlement {
        Settlement::Over(state) => (state, None),
        Settlement::Again(wait) => (CallbackState::Received, Some(wait.as_secs_f64())),
    };
    let written = diesel::sql_query(
        "UPDATE vendor_callbacks SET state = $3, outcome = $4, next_attempt_at = now() + $5 * interval '1 second'
         WHERE id = $1 AND attempts = $2 AND state = 'received'",
    )
    .bind::<BigInt, _>(settle.id)
    .bind::<Integer, _>(i32::try_from(settle.attempts).unwrap_or(i32::MAX))
    .bind::<Text, _>(state.as_str())
    .bind::<Text, _>(settle.outcome)
    .bind::<Nullable<Double>, _>(wait)
    .execute(connection)
    .await?;
    Ok(written > 0)
}

/// Forgets what is over for long enough.
pub(super) async fn prune(connection: &mut AsyncPgConnection, prune: &PruneCallbacks) -> QueryResult<usize> {
    diesel::sql_query(
        "WITH old AS (
             SELECT id FROM vendor_callbacks
             WHERE (state IN ('done', 'ignored') AND last_received_at < now() - $1 * interval '1 second')
                OR (state = 'failed' AND last_received_at < now() - $2 * interval '1 second')
             ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
         )
         DELETE FROM vendor_callbacks AS gone USING old WHERE gone.id = old.id",
    )
    .bind::<Double, _>(prune.keep.as_secs_f64())
    .bind::<Double, _>(prune.keep_failed.as_secs_f64())
    .bind::<BigInt, _>(i64::try_from(prune.most).unwrap_or(i64::MAX))
    .execute(connection)
    .await
}

#[derive(QueryableByName)]
struct CountsRow {
    #[diesel(sql_type = BigInt)]
    waiting: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    malformed: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    complete_until: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    next_at: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct LineRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Timestamptz)]
    received_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    last_received_at: DateTime<Utc>,
    #[diesel(sql_type = Integer)]
    deliveries: i32,
    #[diesel(sql_type = Text)]
    event: String,
    #[diesel(sql_type = Nullable<Text>)]
    cnj: Option<String>,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Nullable<Text>)]
    outcome: Option<String>,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    next_attempt_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Integer)]
    body_bytes: i32,
    #[diesel(sql_type = Nullable<Binary>)]
    body: Option<Vec<u8>>,
}

impl From<LineRow> for CallbackLine {
    fn from(row: LineRow) -> Self {
        Self {
            id: row.id,
            received_at: row.received_at,
            last_received_at: row.last_received_at,
            deliveries: u32::try_from(row.deliveries).unwrap_or(0),
            event: row.event,
            cnj: row.cnj,
            state: row.state,
            outcome: row.outcome,
            attempts: u32::try_from(row.attempts).unwrap_or(0),
            next_attempt_at: row.next_attempt_at,
            body_bytes: u64::try_from(row.body_bytes).unwrap_or(0),
            body: row.body.map(Bytes::from),
        }
    }
}

/// The latest callbacks and how many are in each state that a person should know of.
pub(super) async fn report(
    connection: &mut AsyncPgConnection,
    state: Option<CallbackState>,
    most: usize,
) -> QueryResult<CallbackReport> {
    let counts: CountsRow = diesel::sql_query(
        "SELECT count(*) FILTER (WHERE state = 'received') AS waiting, count(*) FILTER (WHERE state = 'failed') AS failed,
                count(*) FILTER (WHERE state = 'malformed') AS malformed,
                (SELECT complete_until FROM vendor_callback_reading) AS complete_until,
                (SELECT next_at FROM vendor_callback_reading) AS next_at
         FROM vendor_callbacks WHERE state IN ('received', 'failed', 'malformed')",
    )
    .get_result(connection)
    .await?;
    let lines: Vec<LineRow> = diesel::sql_query(
        "SELECT id, received_at, last_received_at, deliveries, event, cnj, state, outcome, attempts, next_attempt_at, body_bytes,
                CASE WHEN state = 'malformed' THEN substring(body FOR 4096) END AS body
         FROM vendor_callbacks WHERE $1 IS NULL OR state = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind::<Nullable<Text>, _>(state.map(CallbackState::as_str))
    .bind::<BigInt, _>(i64::try_from(most).unwrap_or(i64::MAX))
    .get_results(connection)
    .await?;
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(CallbackReport {
        waiting: count(counts.waiting),
        failed: count(counts.failed),
        malformed: count(counts.malformed),
        list_complete_until: counts.complete_until,
        list_next_at: counts.next_at,
        callbacks: lines.into_iter().map(CallbackLine::from).collect(),
    })
}

#[derive(QueryableByName)]
struct WatchedRow {
    #[diesel(sql_type = Bool)]
    is_watched: bool,
}

/// Whether somebody watches a process.
pub(super) async fn is_watched(connection: &mut AsyncPgConnection, cnj: Cnj) -> QueryResult<bool> {
    let row: WatchedRow =
        diesel::sql_query("SELECT EXISTS (SELECT FROM watched_processes WHERE cnj = $1) AS is_watched")
            .bind::<Text, _>(cnj.masked())
            .get_result(connection)
            .await?;
    Ok(row.is_watched)
}

/// Writes down what the vendor said of a monitor; of one that is to be removed nothing is.
pub(super) async fn note_monitor(connection: &mut AsyncPgConnection, note: &NoteMonitor) -> QueryResult<bool> {
    let written = diesel::sql_query(
        "UPDATE watched_processes
         SET monitor_state = $3, monitor_id = coalesce($2, monitor_id), monitor_next_try_at = NULL, updated_at = now()
         WHERE cnj = $1 AND monitor_state IN ('wanted', 'pending', 'found', 'not-found')
           AND (monitor_id IS NULL OR $2 IS NULL OR monitor_id = $2)",
    )
    .bind::<Text, _>(note.cnj.masked())
    .bind::<Nullable<BigInt>, _>(note.monitor_id)
    .bind::<Text, _>(if note.found { "found" } else { "not-found" })
    .execute(connection)
    .await?;
    Ok(written > 0)
}
