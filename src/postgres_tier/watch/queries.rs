//! Everything that is asked of `watched_processes` and `unwanted_monitors`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::messages::{
    ClaimMonitors, CopyFacts, DoubtMonitor, MonitorJob, MonitorTask, Note, Put, PutWatch, SaveMonitor, SaveRemoval,
    WatchedProcess,
};
use crate::domain::cnj::Cnj;
use crate::domain::watch::{Frequency, Monitor, MonitorState, Watch};

/// A watched process as its rows say.
#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct WatchRow {
    #[diesel(sql_type = Text)]
    cnj: String,
    #[diesel(sql_type = Timestamptz)]
    watched_since: DateTime<Utc>,
    #[diesel(sql_type = Double)]
    watched_seconds: f64,
    #[diesel(sql_type = Nullable<Text>)]
    note: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    monitor_id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    monitor_state: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    monitor_frequency: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    monitor_next_try_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Double>)]
    change_rate: Option<f64>,
    #[diesel(sql_type = Nullable<Double>)]
    lifetime_seconds: Option<f64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_api_sync: Option<DateTime<Utc>>,
    #[diesel(sql_type = BigInt)]
    requests: i64,
    #[diesel(sql_type = BigInt)]
    spent: i64,
}

impl WatchRow {
    fn process(self) -> Option<WatchedProcess> {
        let Ok(cnj) = Cnj::parse(&self.cnj) else {
            tracing::error!("a row of watched_processes cannot be read");
            return None;
        };
        let span = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
        let frequency = self.monitor_frequency.as_deref().and_then(Frequency::of_word).unwrap_or(Frequency::Daily);
        let monitor = self.monitor_state.as_deref().and_then(MonitorState::of_word).map(|state| Monitor {
            id: self.monitor_id,
            state,
            frequency,
            next_try_at: self.monitor_next_try_at,
        });
        let copy = self.lifetime_seconds.zip(self.last_api_sync).map(|(lifetime, fetched_at)| CopyFacts {
            change_rate: self.change_rate,
            lifetime: span(lifetime),
            fetched_at,
        });
        Some(WatchedProcess {
            watch: Watch { cnj, since: self.watched_since, note: self.note, monitor },
            watched_for: span(self.watched_seconds),
            copy,
            requests: u64::try_from(self.requests).unwrap_or(0),
            spent_centavos: u64::try_from(self.spent).unwrap_or(0),
        })
    }
}

/// The report's view of the processes that `$1` and `$2` name; the limit keeps it from reading the ledger for more than are shown.
const READ: &str = "
    SELECT watched.*, extract(epoch FROM now() - watched.watched_since)::double precision AS watched_seconds,
           status.change_rate, status.last_api_sync,
           extract(epoch FROM status.cache_valid_until - status.last_api_sync)::double precision AS lifetime_seconds,
           calls.requests, calls.spent
    FROM (SELECT * FROM watched_processes WHERE cnj = $1 OR ($1 IS NULL AND cnj > $2) ORDER BY cnj LIMIT $3) AS watched
    LEFT JOIN process_status_cache AS status ON status.cnj = watched.cnj AND status.snapshot IS NOT NULL
    CROSS JOIN LATERAL (
        SELECT count(*) AS requests, coalesce(sum(cost_centavos), 0)::bigint AS spent FROM api_calls
        WHERE api_calls.cnj = watched.cnj AND day > budget_day(now()) - 30
    ) AS calls
    ORDER BY watched.cnj";

/// One watched process.
pub(super) async fn read(connection: &mut AsyncPgConnection, cnj: Cnj) -> QueryResult<Option<WatchedProcess>> {
    let row: Option<WatchRow> = diesel::sql_query(READ)
        .bind::<Nullable<Text>, _>(Some(cnj.masked()))
        .bind::<Text, _>("")
        .bind::<BigInt, _>(1)
        .get_result(connection)
        .await
        .optional()?;
    Ok(row.and_then(WatchRow::process))
}

/// The watched processes behind one.
pub(super) async fn list(
    connection: &mut AsyncPgConnection,
    after: Option<Cnj>,
    most: u32,
) -> QueryResult<Vec<WatchedProcess>> {
    let rows: Vec<WatchRow> = diesel::sql_query(READ)
        .bind::<Nullable<Text>, _>(None::<String>)
        .bind::<Text, _>(after.map(|cnj| cnj.masked()).unwrap_or_default())
        .bind::<BigInt, _>(i64::from(most))
        .get_results(connection)
        .await?;
    Ok(rows.into_iter().filter_map(WatchRow::process).collect())
}

#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct Answer {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// Watches a process. A monitor that was to go comes back, as one that may be there: it is looked for before another is created.
pub(super) async fn put(connection: &mut AsyncPgConnection, put: &PutWatch) -> QueryResult<Put> {
    let (sets_note, note) = match &put.note {
        Note::Keep => (false, None),
        Note::Set(note) => (true, note.clone()),
    };
    let answer: Answer = diesel::sql_query(
        "WITH back AS (
             DELETE FROM unwanted_monitors WHERE cnj = $1 AND $4::text IS NOT NULL RETURNING cnj
         ), wish AS (
             SELECT $4::text AS frequency, (SELECT count(*)::integer FROM back) AS tries
         )
         INSERT INTO watched_processes AS watched
             (cnj, note, monitor_state, monitor_frequency, monitor_next_try_at, monitor_tries)
         SELECT $1, $3, CASE WHEN frequency IS NOT NULL THEN 'wanted' END, frequency,
                CASE WHEN frequency IS NOT NULL THEN now() END, tries FROM wish
         ON CONFLICT (cnj) DO UPDATE SET
             note = CASE WHEN $2 THEN EXCLUDED.note ELSE watched.note END,
             monitor_state = CASE WHEN watched.monitor_state IN ('failed', 'not-found') AND $4::text IS NOT NULL
                 THEN 'wanted' ELSE watched.monitor_state END,
             monitor_next_try_at = CASE WHEN watched.monitor_state IN ('failed', 'not-found') AND $4::text IS NOT NULL
                 THEN now() ELSE watched.monitor_next_try_at END,
             monitor_tries = CASE WHEN watched.monitor_state IN ('failed', 'not-found') AND $4::text IS NOT NULL
                 THEN 1 ELSE watched.monitor_tries END,
             updated_at = now()
         RETURNING xmax = 0 AS yes",
    )
    .bind::<Text, _>(put.cnj.masked())
    .bind::<Bool, _>(sets_note)
    .bind::<Nullable<Text>, _>(note)
    .bind::<Nullable<Text>, _>(put.wish.map(Frequency::as_str))
    .get_result(connection)
    .await?;
    let process = read(connection, put.cnj).await?.ok_or(diesel::result::Error::NotFound)?;
    Ok(Put { process, created: answer.yes })
}

/// Ends the watching of a process. What the vendor has of it, or may have, is to go.
pub(super) async fn drop_watch(connection: &mut AsyncPgConnection, cnj: Cnj) -> QueryResult<bool> {
    let answer: Answer = diesel::sql_query(
        "WITH gone AS (
             DELETE FROM watched_processes WHERE cnj = $1 RETURNING cnj, monitor_id, monitor_state, monitor_tries
         ), handed_on AS (
             INSERT INTO unwanted_monitors AS unwanted (cnj, monitor_id)
             SELECT cnj, monitor_id FROM gone
             WHERE monitor_id IS NOT NULL OR (monitor_state = 'wanted' AND monitor_tries > 0)
             ON CONFLICT (cnj) DO UPDATE SET monitor_id = coalesce(EXCLUDED.monitor_id, unwanted.monitor_id),
                 tries = 0, next_try_at = now()
         )
         SELECT EXISTS (SELECT FROM gone) AS yes",
    )
    .bind::<Text, _>(cnj.masked())
    .get_result(connection)
    .await?;
    Ok(answer.yes)
}

#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct TaskRow {
    #[diesel(sql_type = Text)]
    cnj: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    monitor_id: Option<i64>,
    /// None: it is to go.
    #[diesel(sql_type = Nullable<Text>)]
    state: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    frequency: Option<String>,
    #[diesel(sql_type = Integer)]
    tries: i32,
}

impl TaskRow {
    fn task(self) -> Option<MonitorTask> {
        let cnj = Cnj::parse(&self.cnj).ok()?;
        let frequency = self.frequency.as_deref().and_then(Frequency::of_word).unwrap_or(Frequency::Daily);
        let job = match (self.state.as_deref().map(MonitorState::of_word), self.monitor_id) {
            (None, id) => MonitorJob::Remove(id),
            (Some(Some(MonitorState::Pending | MonitorState::Found | MonitorState::NotFound)), Some(id)) => {
                MonitorJob::Check(id)
            }
            (Some(Some(_)), _) => MonitorJob::Create(frequency),
            (Some(None), _) => return None,
        };
        Some(MonitorTask { cnj, job, tries: u32::try_from(self.tries).unwrap_or(u32::MAX) })
    }
}

/// Takes what is due, the longest overdue first. What another node is taking at this moment is left to it.
pub(super) async fn claim(connection: &mut AsyncPgConnection, claim: &ClaimMonitors) -> QueryResult<Vec<MonitorTask>> {
    let most = i64::try_from(claim.most).unwrap_or(i64::MAX);
    if let Some(wish) = claim.wish {
        diesel::sql_query(
            "UPDATE watched_processes SET monitor_state = 'wanted', monitor_frequency = $2, monitor_next_try_at = now(),
                 monitor_tries = 0, updated_at = now()
             WHERE cnj IN (SELECT cnj FROM watched_processes WHERE monitor_state IS NULL LIMIT $1 FOR UPDATE SKIP LOCKED)",
        )
        .bind::<BigInt, _>(most)
        .bind::<Text, _>(wish.as_str())
        .execute(connection)
        .await?;
    }
    let mut rows: Vec<TaskRow> = diesel::sql_query(
        "WITH due AS (
             SELECT cnj FROM watched_processes
             WHERE monitor_next_try_at <= now() AND ($3 OR monitor_state <> 'wanted')
             ORDER BY monitor_next_try_at LIMIT $1 FOR UPDATE SKIP LOCKED
         )
         UPDATE watched_processes AS taken
         SET monitor_next_try_at = now() + $2 * interval '1 second', monitor_tries = least(monitor_tries, 1000) + 1
         FROM due WHERE taken.cnj = due.cnj
         RETURNING taken.cnj, monitor_id, monitor_state AS state, monitor_frequency AS frequency, monitor_tries AS tries",
    )
    .bind::<BigInt, _>(most)
    .bind::<Double, _>(claim.lease.as_secs_f64())
    .bind::<Bool, _>(claim.wish.is_some())
    .get_results(connection)
    .await?;
    let unwanted: Vec<TaskRow> = diesel::sql_query(
        "WITH due AS (
             SELECT cnj FROM unwanted_monitors WHERE next_try_at <= now()
             ORDER BY next_try_at LIMIT $1 FOR UPDATE SKIP LOCKED
         )
         UPDATE unwanted_monitors AS taken
         SET next_try_at = now() + $2 * interval '1 second', tries = least(tries, 1000) + 1
         FROM due WHERE taken.cnj = due.cnj
         RETURNING taken.cnj, monitor_id, NULL::text AS state, NULL::text AS frequency, tries",
    )
    .bind::<BigInt, _>(most)
    .bind::<Double, _>(claim.lease.as_secs_f64())
    .get_results(connection)
    .await?;
    rows.extend(unwanted);
    Ok(rows.into_iter().filter_map(TaskRow::task).collect())
}

/// Stores how a monitor stands, or hands it on to be removed if nobody watches its process any more.
pub(super) async fn save(connection: &mut AsyncPgConnection, save: &SaveMonitor) -> QueryResult<()> {
    diesel::sql_query(
        "WITH kept AS (
             UPDATE watched_processes SET monitor_id = $2, monitor_state = $3, monitor_tries = $4,
                 monitor_next_try_at = now() + $5 * interval '1 second', updated_at = now()
             WHERE cnj = $1 RETURNING cnj
         )
         INSERT INTO unwanted_monitors AS unwanted (cnj, monitor_id)
         SELECT $1, $2 WHERE $2 IS NOT NULL AND NOT EXISTS (SELECT FROM kept)
         ON CONFLICT (cnj) DO UPDATE SET monitor_id = EXCLUDED.monitor_id, tries = 0, next_try_at = now()",
    )
    .bind::<Text, _>(save.cnj.masked())
    .bind::<Nullable<BigInt>, _>(save.id)
    .bind::<Text, _>(save.state.as_str())
    .bind::<Integer, _>(i32::try_from(save.tries).unwrap_or(i32::MAX))
    .bind::<Nullable<Double>, _>(save.again.map(|again| again.as_secs_f64()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores how a removal went; one that another id took the place of meanwhile is left alone.
pub(super) async fn save_removal(connection: &mut AsyncPgConnection, save: &SaveRemoval) -> QueryResult<()> {
    let (cnj, id) = (save.cnj.masked(), save.id);
    let written = match save.again {
        None => {
            diesel::sql_query("DELETE FROM unwanted_monitors WHERE cnj = $1 AND monitor_id IS NOT DISTINCT FROM $2")
                .bind::<Text, _>(cnj)
                .bind::<Nullable<BigInt>, _>(id)
                .execute(connection)
                .await?
        }
        Some(again) => {
            diesel::sql_query(
                "UPDATE unwanted_monitors SET next_try_at = now() + $3 * interval '1 second'
             WHERE cnj = $1 AND monitor_id IS NOT DISTINCT FROM $2",
            )
            .bind::<Text, _>(cnj)
            .bind::<Nullable<BigInt>, _>(id)
            .bind::<Double, _>(again.as_secs_f64())
            .execute(connection)
            .await?
        }
    };
    tracing::trace!(written, "a removal is stored");
    Ok(())
}

/// Makes a monitor due of which something else is said than stored.
pub(super) async fn doubt(connection: &mut AsyncPgConnection, doubt: &DoubtMonitor) -> QueryResult<bool> {
    let written = diesel::sql_query(
        "UPDATE watched_processes SET monitor_next_try_at = now()
         WHERE cnj = $1 AND monitor_state IN ('wanted', 'pending', 'found', 'not-found') AND monitor_state <> $2",
    )
    .bind::<Text, _>(doubt.cnj.masked())
    .bind::<Text, _>(doubt.state.as_str())
    .execute(connection)
    .await?;
    Ok(written > 0)
}
