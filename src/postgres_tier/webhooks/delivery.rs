//! What is asked of the webhooks' tables by the nodes that deliver.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Integer, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::messages::{
    BuryDeliveries, ClaimDeliveries, Claimed, CountDeliveries, DeliveryCounts, Ending, PruneDeliveries, SettleDelivery,
};
use crate::domain::cnj::Cnj;

#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct ClaimedRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    subscriber: String,
    #[diesel(sql_type = BigInt)]
    event_id: i64,
    #[diesel(sql_type = Text)]
    cnj: String,
    #[diesel(sql_type = Text)]
    url: String,
    #[diesel(sql_type = Text)]
    secret: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Integer)]
    failures: i32,
}

#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    dead: i64,
}

/// Takes the heads of the lines that are due. Subscribers come in no order, so that many of them share the places; what another node
/// is taking at this moment is left to it. One that is probed gets nothing else until the lease of its probe ends.
pub(super) async fn claim(connection: &mut AsyncPgConnection, claim: &ClaimDeliveries) -> QueryResult<Vec<Claimed>> {
    let rows: Vec<ClaimedRow> = diesel::sql_query(
        "WITH open AS MATERIALIZED (
             SELECT id FROM webhook_subscribers
             WHERE state = 'active' AND (held_until IS NULL OR held_until <= now()) ORDER BY random()
         ), picked AS MATERIALIZED (
             SELECT head.id, subscriber.id AS subscriber, subscriber.url, subscriber.secret, subscriber.failures
             FROM open
             JOIN webhook_subscribers AS subscriber ON subscriber.id = open.id
             CROSS JOIN LATERAL (
                 SELECT delivery.id FROM webhook_deliveries AS delivery
                 WHERE delivery.subscriber = subscriber.id AND delivery.state = 'pending'
                   AND delivery.next_attempt_at <= now()
                   AND NOT EXISTS (SELECT FROM webhook_deliveries AS earlier
                                   WHERE earlier.subscriber = delivery.subscriber AND earlier.cnj = delivery.cnj
                                     AND earlier.state = 'pending' AND earlier.event_id < delivery.event_id)
                 ORDER BY delivery.next_attempt_at, delivery.event_id
                 LIMIT greatest(0, CASE WHEN subscriber.failures >= $3 THEN 1 ELSE $2 END
                     - (SELECT count(*) FROM webhook_deliveries AS sent
                        WHERE sent.subscriber = subscriber.id AND sent.state = 'pending' AND sent.claimed
                          AND sent.next_attempt_at > now()))
                 FOR UPDATE SKIP LOCKED
             ) AS head
             WHERE subscriber.state = 'active' AND (subscriber.held_until IS NULL OR subscriber.held_until <= now())
             LIMIT $1
             FOR NO KEY UPDATE OF subscriber SKIP LOCKED
         ), probed AS (
             UPDATE webhook_subscribers AS subscriber SET held_until = now() + $4 * interval '1 second'
             FROM picked WHERE subscriber.id = picked.subscriber AND subscriber.failures >= $3
         )
         UPDATE webhook_deliveries AS taken
         SET claimed = true, attempts = taken.attempts + 1, next_attempt_at = now() + $4 * interval '1 second'
         FROM picked WHERE taken.id = picked.id
         RETURNING taken.id, taken.subscriber, taken.event_id, taken.cnj, taken.attempts, picked.url, picked.secret,
                   picked.failures",
    )
    .bind::<BigInt, _>(i64::try_from(claim.most).unwrap_or(i64::MAX))
    .bind::<BigInt, _>(i64::try_from(claim.each).unwrap_or(i64::MAX))
    .bind::<Integer, _>(i32::try_from(claim.hold_after).unwrap_or(i32::MAX))
    .bind::<Double, _>(claim.lease.as_secs_f64())
    .get_results(connection)
    .await?;
    Ok(rows.into_iter().filter_map(ClaimedRow::claimed).collect())
}

impl ClaimedRow {
    /// The delivery, unless a person wrote a number into the table that is none.
    fn claimed(self) -> Option<Claimed> {
        let Ok(cnj) = Cnj::parse(&self.cnj) else {
            tracing::error!(delivery = self.id, "a row of webhook_deliveries cannot be read");
            return None;
        };
        Some(Claimed {
            id: self.id,
            subscriber: self.subscriber,
            event_id: u64::try_from(self.event_id).unwrap_or(0),
            cnj,
            url: self.url,
            secret: self.secret.into(),
            attempt: u32::try_from(self.attempts).unwrap_or(0),
            failures: u32::try_from(self.failures).unwrap_or(0),
        })
    }
}

/// Writes down how an attempt ended.
pub(super) async fn settle(connection: &mut AsyncPgConnection, settle: &SettleDelivery) -> QueryResult<()> {
    let attempt = i32::try_from(settle.attempt).unwrap_or(i32::MAX);
    match settle.ending {
        Ending::Delivered { status } => delivered(connection, settle.id, status).await,
        Ending::Failed { status, error, retry_in, hold_for } => {
            failed(connection, (settle.id, attempt), (status, error), retry_in, hold_for).await
        }
        Ending::Withdrawn => withdrawn(connection, settle.id, attempt).await,
        Ending::Gone { status } => gone(connection, settle.id, status).await,
    }
}

/// A subscriber that was held and is there again gets the rest at once.
async fn delivered(connection: &mut AsyncPgConnection, id: i64, status: u16) -> QueryResult<()> {
    diesel::sql_query(
        "WITH done AS (
             UPDATE webhook_deliveries
             SET state = 'delivered', claimed = false, next_attempt_at = NULL, delivered_at = now(), last_status = $2,
                 last_error = NULL
             WHERE id = $1 AND state <> 'delivered' RETURNING subscriber
         ), woken AS (
             UPDATE webhook_deliveries AS waiting SET next_attempt_at = now()
             FROM done JOIN webhook_subscribers AS subscriber ON subscriber.id = done.subscriber
             WHERE waiting.subscriber = done.subscriber AND waiting.id <> $1 AND waiting.state = 'pending'
               AND NOT waiting.claimed AND waiting.next_attempt_at > now() AND subscriber.held_until IS NOT NULL
         )
         UPDATE webhook_subscribers AS subscriber SET failures = 0, held_until = NULL, last_success_at = now()
         FROM done WHERE subscriber.id = done.subscriber",
    )
    .bind::<BigInt, _>(id)
    .bind::<Integer, _>(i32::from(status))
    .execute(connection)
    .await?;
    Ok(())
}

async fn failed(
    connection: &mut AsyncPgConnection,
    (id, attempt): (i64, i32),
    (status, error): (Option<u16>, &'static str),
    retry_in: Option<Duration>,
    hold_for: Option<Duration>,
) -> QueryResult<()> {
    diesel::sql_query(
        "WITH tried AS (
             UPDATE webhook_deliveries
             SET claimed = false, last_status = $3, last_error = $4,
                 state = CASE WHEN $5 IS NULL THEN 'dead' ELSE 'pending' END,
                 next_attempt_at = now() + $5 * interval '1 second'
             WHERE id = $1 AND state = 'pending' AND claimed AND attempts = $2 RETURNING subscriber
         )
         UPDATE webhook_subscribers AS subscriber
         SET failures = subscriber.failures + 1, last_failure_at = now(), last_error = $4,
             held_until = CASE WHEN $6 IS NULL THEN subscriber.held_until ELSE now() + $6 * interval '1 second' END
         FROM tried WHERE subscriber.id = tried.subscriber",
    )
    .bind::<BigInt, _>(id)
    .bind::<Integer, _>(attempt)
    .bind::<Nullable<Integer>, _>(status.map(i32::from))
    .bind::<Text, _>(error)
    .bind::<Nullable<Double>, _>(retry_in.map(|wait| wait.as_secs_f64()))
    .bind::<Nullable<Double>, _>(hold_for.map(|wait| wait.as_secs_f64()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Its subscriber was not asked, so nothing is said of it.
async fn withdrawn(connection: &mut AsyncPgConnection, id: i64, attempt: i32) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE webhook_deliveries
         SET state = 'dead', claimed = false, next_attempt_at = NULL, last_status = NULL, last_error = 'withdrawn'
         WHERE id = $1 AND state = 'pending' AND claimed AND attempts = $2",
    )
    .bind::<BigInt, _>(id)
    .bind::<Integer, _>(attempt)
    .execute(connection)
    .await?;
    Ok(())
}

/// The order of the two does not matter: both are of one moment.
async fn gone(connection: &mut AsyncPgConnection, id: i64, status: u16) -> QueryResult<()> {
    diesel::sql_query(
        "WITH answered AS (
             SELECT subscriber FROM webhook_deliveries WHERE id = $1
         ), dropped AS (
             UPDATE webhook_deliveries AS queued
             SET state = 'dead', claimed = false, next_attempt_at = NULL, last_error = 'gone',
                 last_status = CASE WHEN queued.id = $1 THEN $2 ELSE queued.last_status END
             FROM answered WHERE queued.subscriber = answered.subscriber AND queued.state = 'pending'
         )
         UPDATE webhook_subscribers AS subscriber
         SET state = 'paused', failures = subscriber.failures + 1, held_until = NULL, last_failure_at = now(),
             last_error = 'gone'
         FROM answered WHERE subscriber.id = answered.subscriber",
    )
    .bind::<BigInt, _>(id)
    .bind::<Integer, _>(i32::from(status))
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives up what waited too long behind a subscriber that does not answer.
pub(super) async fn bury(connection: &mut AsyncPgConnection, bury: &BuryDeliveries) -> QueryResult<usize> {
    diesel::sql_query(
        "WITH waited AS (
             SELECT delivery.id FROM webhook_deliveries AS delivery
             JOIN webhook_subscribers AS subscriber ON subscriber.id = delivery.subscriber
             WHERE delivery.state = 'pending' AND NOT delivery.claimed AND subscriber.failures >= $2
               AND delivery.queued_at < now() - $1 * interval '1 second'
             LIMIT $3 FOR UPDATE OF delivery SKIP LOCKED
         )
         UPDATE webhook_deliveries AS given_up
         SET state = 'dead', next_attempt_at = NULL, last_error = coalesce(given_up.last_error, 'subscriber-down')
         FROM waited WHERE given_up.id = waited.id",
    )
    .bind::<Double, _>(bury.waited.as_secs_f64())
    .bind::<Integer, _>(i32::try_from(bury.hold_after).unwrap_or(i32::MAX))
    .bind::<BigInt, _>(i64::try_from(bury.most).unwrap_or(i64::MAX))
    .execute(connection)
    .await
}

/// Removes what is over and old.
pub(super) async fn prune(connection: &mut AsyncPgConnection, prune: &PruneDeliveries) -> QueryResult<usize> {
    diesel::sql_query(
        "WITH old AS (
             SELECT id FROM webhook_deliveries
             WHERE state <> 'pending' AND created_at < now() - $1 * interval '1 second'
             ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         DELETE FROM webhook_deliveries AS gone USING old WHERE gone.id = old.id",
    )
    .bind::<Double, _>(prune.older_than.as_secs_f64())
    .bind::<BigInt, _>(i64::try_from(prune.most).unwrap_or(i64::MAX))
    .execute(connection)
    .await
}

/// How many there are.
pub(super) async fn count(connection: &mut AsyncPgConnection, _: &CountDeliveries) -> QueryResult<DeliveryCounts> {
    let row: CountRow = diesel::sql_query(
        "SELECT (SELECT count(*) FROM webhook_deliveries WHERE state = 'pending') AS pending,
                (SELECT count(*) FROM webhook_deliveries WHERE state = 'dead') AS dead",
    )
    .get_result(connection)
    .await?;
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(DeliveryCounts { pending: count(row.pending), dead: count(row.dead) })
}
