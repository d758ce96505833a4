//! Everything that is asked of the synchronisation's tables.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::messages::{
    AddReads, BeginRun, Claim, Claimed, Clean, EndRun, Finish, Lead, Outlook, ReadExpiring, ReadOutlook, ReadRuns,
    ReadStanding, RequestRun, Requested, Resign, Run, Standing,
};
use super::models::{CandidateRow, ClaimRow, RunRow, StateRow, counted, stored};
use super::words::ClaimRefusal;
use crate::scheduler::reads::HALF_LIFE;

#[derive(QueryableByName)]
struct EpochRow {
    #[diesel(sql_type = Nullable<BigInt>)]
    epoch: Option<i64>,
}

#[derive(QueryableByName)]
struct WordRow {
    #[diesel(sql_type = Text)]
    word: String,
}

#[derive(QueryableByName)]
struct YesRow {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

#[derive(QueryableByName)]
struct RequestedRow {
    #[diesel(sql_type = BigInt)]
    run: i64,
    #[diesel(sql_type = Bool)]
    joined: bool,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = Integer)]
    count: i32,
}

/// Takes or keeps the lead.
pub(super) async fn lead(connection: &mut AsyncPgConnection, lead: &Lead) -> QueryResult<Option<u64>> {
    let row: EpochRow = diesel::sql_query("SELECT lead_sync($1, $2, $3) AS epoch")
        .bind::<Text, _>(lead.node.to_string())
        .bind::<Double, _>(lead.lease.as_secs_f64())
        .bind::<Double, _>(lead.interval.as_secs_f64())
        .get_result(connection)
        .await?;
    Ok(row.epoch.map(counted))
}

/// Gives the lead up.
pub(super) async fn resign(connection: &mut AsyncPgConnection, resign: &Resign) -> QueryResult<()> {
    diesel::sql_query("UPDATE sync_state SET holder = NULL, leased_until = NULL WHERE holder = $1 AND epoch = $2")
        .bind::<Text, _>(resign.node.to_string())
        .bind::<BigInt, _>(stored(resign.epoch))
        .execute(connection)
        .await?;
    Ok(())
}

/// The run to work on.
pub(super) async fn begin_run(connection: &mut AsyncPgConnection, begin: &BeginRun) -> QueryResult<Option<Run>> {
    let row: Option<RunRow> = diesel::sql_query("SELECT * FROM begin_sync_run($1, $2, $3)")
        .bind::<Text, _>(begin.node.to_string())
        .bind::<BigInt, _>(stored(begin.epoch))
        .bind::<Double, _>(begin.interval.as_secs_f64())
        .get_result(connection)
        .await
        .optional()?;
    Ok(row.map(Run::from))
}

/// What may be refreshed: the union of three short lists.
pub(super) async fn read_outlook(connection: &mut AsyncPgConnection, read: &ReadOutlook) -> QueryResult<Outlook> {
    let state = read_state(connection).await?;
    let rows: Vec<CandidateRow> = diesel::sql_query(
        "WITH known AS (
             SELECT status.cnj, status.cache_valid_until, status.last_api_sync, status.change_rate, status.total_movements,
                    watched.cnj IS NOT NULL AS watched, coalesce(sync.failures, 0) AS failures,
                    coalesce(sync.reads, 0)
                        * power(2, -extract(epoch FROM now() - coalesce(sync.reads_at, now()))::double precision / $5) AS reads
             FROM process_status_cache AS status
             LEFT JOIN process_sync AS sync ON sync.cnj = status.cnj
             LEFT JOIN watched_processes AS watched ON watched.cnj = status.cnj
             WHERE status.sync_status = 'success' AND status.cache_valid_until <= now() + $2 * interval '1 second'
               AND (sync.claimed_until IS NULL OR sync.claimed_until <= now())
               AND (sync.next_attempt_at IS NULL OR sync.next_attempt_at <= now())
               AND (sync.run IS DISTINCT FROM $1 OR sync.state = 'refreshing')
               AND (watched.cnj IS NOT NULL OR sync.reads_at > now() - $4 * interval '1 second'
                    OR status.created_at > now() - $4 * interval '1 second')
         ), expiring AS (
             SELECT cnj FROM known WHERE cache_valid_until > now() ORDER BY cache_valid_until LIMIT $3
         ), wanted AS (
             -- Of what nothing was learned, and of what nobody reads, a little is expected all the same.
             SELECT cnj FROM known WHERE cache_valid_until <= now()
             ORDER BY watched DESC, coalesce(change_rate, 0.05) * (0.1 + reads) DESC, cache_valid_until LIMIT $3
         ), waiting AS (
             SELECT cnj FROM known WHERE cache_valid_until <= now() ORDER BY last_api_sync LIMIT $3
         )
         SELECT known.* FROM known
         WHERE cnj IN (SELECT cnj FROM expiring UNION SELECT cnj FROM wanted UNION SELECT cnj FROM waiting)
         ORDER BY cache_valid_until, cnj",
    )
    .bind::<BigInt, _>(stored(read.run))
    .bind::<Double, _>(read.window.as_secs_f64())
    .bind::<BigInt, _>(i64::from(read.slice))
    .bind::<Double, _>(read.interest.as_secs_f64())
    .bind::<Double, _>(HALF_LIFE.as_secs_f64())
    .load(connection)
    .await?;
    let candidates = rows.into_iter().filter_map(CandidateRow::candidate).collect();
    Ok(Outlook { now: state.moment, calls: state.today().calls, candidates })
}

/// One process that is about to expire.
pub(super) async fn read_expiring(connection: &mut AsyncPgConnection, read: &ReadExpiring) -> QueryResult<Outlook> {
    let state = read_state(connection).await?;
    let row: Option<CandidateRow> = diesel::sql_query(
        "SELECT status.cnj, status.cache_valid_until, status.last_api_sync, status.change_rate, status.total_movements,
                watched.cnj IS NOT NULL AS watched, coalesce(sync.failures, 0) AS failures,
                coalesce(sync.reads, 0)
                    * power(2, -extract(epoch FROM now() - coalesce(sync.reads_at, now()))::double precision / $3) AS reads
         FROM process_status_cache AS status
         LEFT JOIN process_sync AS sync ON sync.cnj = status.cnj
         LEFT JOIN watched_processes AS watched ON watched.cnj = status.cnj
         WHERE status.cnj = $1 AND status.sync_status = 'success' AND status.cache_valid_until > now()
           AND status.cache_valid_until <= now() + $2 * interval '1 second'
           AND (sync.claimed_until IS NULL OR sync.claimed_until <= now())
           AND (sync.next_attempt_at IS NULL OR sync.next_attempt_at <= now())",
    )
    .bind::<Text, _>(read.cnj.masked())
    .bind::<Double, _>(read.within.as_secs_f64())
    .bind::<Double, _>(HALF_LIFE.as_secs_f64())
    .get_result(connection)
    .await
    .optional()?;
    let candidates = row.and_then(CandidateRow::candidate).into_iter().collect();
    Ok(Outlook { now: state.moment, calls: state.today().calls, candidates })
}

/// Takes a process.
pub(super) async fn claim(connection: &mut AsyncPgConnection, claim: &Claim) -> QueryResult<Claimed> {
    let Claim { by, choice, lease, daily_limit } = claim;
    let run = by.run();
    let answer: WordRow = diesel::sql_query("SELECT claim_sync($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS word")
        .bind::<Text, _>(choice.cnj.masked())
        .bind::<Nullable<BigInt>, _>(run.map(|(run, _)| stored(run)))
        .bind::<Nullable<BigInt>, _>(run.map(|(_, epoch)| stored(epoch)))
        .bind::<Text, _>(by.node().to_string())
        .bind::<Timestamptz, _>(choice.valid_until)
        .bind::<Double, _>(lease.as_secs_f64())
        .bind::<Integer, _>(i32::try_from(choice.calls).unwrap_or(i32::MAX))
        .bind::<BigInt, _>(i64::from(*daily_limit))
        .bind::<Text, _>(choice.class.as_str())
        .bind::<Double, _>(choice.worth)
        .bind::<Text, _>(&choice.explanation)
        .get_result(connection)
        .await?;
    // The only other word is that it is claimed.
    Ok(ClaimRefusal::of_word(&answer.word).map_or(Claimed::Claimed, Claimed::Refused))
}

/// Writes down what came of a claim.
pub(super) async fn finish(connection: &mut AsyncPgConnection, finish: &Finish) -> QueryResult<bool> {
    let run = finish.by.run();
    let row: YesRow = diesel::sql_query("SELECT finish_sync($1, $2, $3, $4, $5, $6, $7, $8, $9) AS yes")
        .bind::<Text, _>(finish.cnj.masked())
        .bind::<Nullable<BigInt>, _>(run.map(|(run, _)| stored(run)))
        .bind::<Nullable<BigInt>, _>(run.map(|(_, epoch)| stored(epoch)))
        .bind::<Text, _>(finish.by.node().to_string())
        .bind::<Text, _>(finish.outcome.as_str())
        .bind::<Integer, _>(i32::try_from(finish.calls).unwrap_or(i32::MAX))
        .bind::<BigInt, _>(stored(finish.cost_centavos))
        .bind::<Bool, _>(finish.is_failure)
        .bind::<Nullable<Double>, _>(finish.retry_in.map(|wait| wait.as_secs_f64()))
        .get_result(connection)
        .await?;
    Ok(row.yes)
}

/// Ends a run.
pub(super) async fn end_run(connection: &mut AsyncPgConnection, end: &EndRun) -> QueryResult<Option<Run>> {
    let row: Option<RunRow> = diesel::sql_query("SELECT * FROM end_sync_run($1, $2, $3, $4, $5)")
        .bind::<BigInt, _>(stored(end.by.run))
        .bind::<BigInt, _>(stored(end.by.epoch))
        .bind::<Text, _>(end.by.node.to_string())
        .bind::<Text, _>(end.ending.as_str())
        .bind::<BigInt, _>(stored(end.cleaned))
        .get_result(connection)
        .await
        .optional()?;
    Ok(row.map(Run::from))
}

/// Opens a run for the leader, or joins the open one.
pub(super) async fn request_run(connection: &mut AsyncPgConnection, _: &RequestRun) -> QueryResult<Requested> {
    let row: RequestedRow =
        diesel::sql_query("SELECT run, joined FROM request_sync_run()").get_result(connection).await?;
    Ok(Requested { run: counted(row.run), joined: row.joined })
}

async fn read_state(connection: &mut AsyncPgConnection) -> QueryResult<StateRow> {
    diesel::sql_query(
        "SELECT now() AS moment, CASE WHEN state.leased_until > now() THEN state.holder END AS holder, state.epoch,
                state.next_run_at, state.requested_at, budget_day(now()) AS day, coalesce(today.calls, 0) AS calls,
                coalesce(today.refreshed, 0) AS refreshed, coalesce(today.unchanged, 0) AS unchanged,
                coalesce(today.failed, 0) AS failed, coalesce(today.cost_centavos, 0) AS cost_centavos
         FROM sync_state AS state LEFT JOIN sync_days AS today ON today.day = budget_day(now())",
    )
    .get_result(connection)
    .await
}

/// How the synchronisation stands.
pub(super) async fn read_standing(connection: &mut AsyncPgConnection, read: &ReadStanding) -> QueryResult<Standing> {
    let state = read_state(connection).await?;
    let runs: Vec<RunRow> = diesel::sql_query(
        "(SELECT * FROM sync_runs WHERE ended_at IS NULL)
         UNION ALL (SELECT * FROM sync_runs WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1)",
    )
    .load(connection)
    .await?;
    let (mut current, mut last) = (None, None);
    for run in runs.into_iter().map(Run::from) {
        let place = if run.ended.is_none() { &mut current } else { &mut last };
        *place = Some(run);
    }
    let claims: Vec<ClaimRow> = match &current {
        None => Vec::new(),
        Some(run) => diesel::sql_query(
            "SELECT * FROM process_sync WHERE run = $1 AND state IS NOT NULL ORDER BY claimed_at DESC, cnj LIMIT $2",
        )
        .bind::<BigInt, _>(stored(run.id))
        .bind::<BigInt, _>(i64::from(read.most_claims))
        .load(connection)
        .await?,
    };
    Ok(Standing {
        now: state.moment,
        leader: state.holder.as_deref().and_then(|holder| holder.parse().ok()),
        epoch: counted(state.epoch),
        next_run_at: state.next_run_at,
        requested_at: state.requested_at,
        today: state.today(),
        current,
        claims: claims.into_iter().filter_map(ClaimRow::line).collect(),
        last,
    })
}

/// The last runs.
pub(super) async fn read_runs(connection: &mut AsyncPgConnection, read: &ReadRuns) -> QueryResult<Vec<Run>> {
    let rows: Vec<RunRow> = diesel::sql_query("SELECT * FROM sync_runs ORDER BY id DESC LIMIT $1")
        .bind::<BigInt, _>(i64::from(read.most))
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(Run::from).collect())
}

/// Removes what nobody confirmed for long.
pub(super) async fn clean(connection: &mut AsyncPgConnection, clean: &Clean) -> QueryResult<u64> {
    let row: CountRow = diesel::sql_query("SELECT clean_expired_process_cache($1 * interval '1 second', $2) AS count")
        .bind::<Double, _>(clean.retention.as_secs_f64())
        .bind::<Integer, _>(i32::try_from(clean.most).unwrap_or(i32::MAX))
        .get_result(connection)
        .await?;
    Ok(u64::try_from(row.count).unwrap_or(0))
}

/// Adds reads. Processes are locked first and in one order, and those that are just being removed are passed over.
pub(super) async fn add_reads(connection: &mut AsyncPgConnection, add: &AddReads) -> QueryResult<()> {
    let mut reads = add.reads.clone();
    reads.sort_unstable();
    let cnjs: Vec<String> = reads.iter().map(|(cnj, _)| cnj.masked()).collect();
    let counts: Vec<i64> = reads.iter().map(|(_, count)| i64::from(*count)).collect();
    diesel::sql_query(
        "WITH known AS MATERIALIZED (
             SELECT cnj FROM process_status_cache WHERE cnj = ANY ($1) ORDER BY cnj FOR KEY SHARE SKIP LOCKED
         ), added AS (
             SELECT given.cnj, sum(given.count)::double precision AS reads
             FROM unnest($1, $2) AS given (cnj, count) GROUP BY given.cnj
         )
         INSERT INTO process_sync AS stored (cnj, reads, reads_at)
         SELECT added.cnj, added.reads, now() FROM added JOIN known ON known.cnj = added.cnj ORDER BY added.cnj
         ON CONFLICT (cnj) DO UPDATE SET
             reads = stored.reads * power(2, -extract(epoch FROM now() - coalesce(stored.reads_at, now()))::double precision / $3)
                     + EXCLUDED.reads,
             reads_at = now()",
    )
    .bind::<Array<Text>, _>(&cnjs)
    .bind::<Array<BigInt>, _>(&counts)
    .bind::<Double, _>(HALF_LIFE.as_secs_f64())
    .execute(connection)
    .await?;
    Ok(())
}
