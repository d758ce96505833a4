//! What is asked of the webhooks' tables by people.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::ExposeSecret;

use super::messages::{
    AddSubscriber, DeadDelivery, ListSubscribers, ReadDead, RemoveSubscriber, ReplayDead, Subscriber,
};
use crate::domain::cnj::Cnj;

#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct CreatedRow {
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct SubscriberRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    url: String,
    #[diesel(sql_type = Nullable<Text>)]
    cnj: Option<String>,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Integer)]
    failures: i32,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    held_until: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_success_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_failure_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    last_error: Option<String>,
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    dead: i64,
}

#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct DeadRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    subscriber: String,
    #[diesel(sql_type = Text)]
    url: String,
    #[diesel(sql_type = BigInt)]
    event_id: i64,
    #[diesel(sql_type = Text)]
    cnj: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Nullable<Integer>)]
    last_status: Option<i32>,
    #[diesel(sql_type = Nullable<Text>)]
    last_error: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
}

/// Stores a subscriber; doing it twice is doing it once.
pub(super) async fn add(connection: &mut AsyncPgConnection, new: &AddSubscriber) -> QueryResult<Option<DateTime<Utc>>> {
    let row: Option<CreatedRow> = diesel::sql_query(
        "INSERT INTO webhook_subscribers (id, url, cnj, secret)
         SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM webhook_subscribers WHERE id <> $1) < $5
         ON CONFLICT (id) DO UPDATE SET url = EXCLUDED.url
         RETURNING created_at",
    )
    .bind::<Text, _>(&new.id)
    .bind::<Text, _>(&new.url)
    .bind::<Nullable<Text>, _>(new.cnj.as_ref().map(Cnj::masked))
    .bind::<Text, _>(new.secret.expose_secret())
    .bind::<BigInt, _>(i64::try_from(new.most).unwrap_or(i64::MAX))
    .get_result(connection)
    .await
    .optional()?;
    Ok(row.map(|row| row.created_at))
}

/// Every subscriber; their number is bounded.
pub(super) async fn list(connection: &mut AsyncPgConnection, _: &ListSubscribers) -> QueryResult<Vec<Subscriber>> {
    let rows: Vec<SubscriberRow> = diesel::sql_query(
        "SELECT subscriber.*,
                (SELECT count(*) FROM webhook_deliveries AS delivery
                 WHERE delivery.subscriber = subscriber.id AND delivery.state = 'pending') AS pending,
                coalesce(given_up.dead, 0) AS dead
         FROM webhook_subscribers AS subscriber
         LEFT JOIN (SELECT delivery.subscriber, count(*) AS dead FROM webhook_deliveries AS delivery
                    WHERE delivery.state = 'dead' GROUP BY delivery.subscriber) AS given_up
             ON given_up.subscriber = subscriber.id
         ORDER BY subscriber.created_at, subscriber.id",
    )
    .get_results(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Subscriber {
            id: row.id,
            url: row.url,
            cnj: row.cnj,
            state: row.state,
            created_at: row.created_at,
            failures: u32::try_from(row.failures).unwrap_or(0),
            held_until: row.held_until,
            last_success_at: row.last_success_at,
            last_failure_at: row.last_failure_at,
            last_error: row.last_error,
            pending: u64::try_from(row.pending).unwrap_or(0),
            dead: u64::try_from(row.dead).unwrap_or(0),
        })
        .collect())
}

/// Removes a subscriber; its deliveries go with it, by the foreign key.
pub(super) async fn remove(connection: &mut AsyncPgConnection, remove: &RemoveSubscriber) -> QueryResult<bool> {
    let removed = diesel::sql_query("DELETE FROM webhook_subscribers WHERE id = $1")
        .bind::<Text, _>(&remove.id)
        .execute(connection)
        .await?;
    Ok(removed > 0)
}

/// What was given up.
pub(super) async fn dead(connection: &mut AsyncPgConnection, read: &ReadDead) -> QueryResult<Vec<DeadDelivery>> {
    let rows: Vec<DeadRow> = diesel::sql_query(
        "SELECT delivery.id, delivery.subscriber, subscriber.url, delivery.event_id, delivery.cnj, delivery.attempts,
                delivery.last_status, delivery.last_error, delivery.created_at
         FROM webhook_deliveries AS delivery JOIN webhook_subscribers AS subscriber ON subscriber.id = delivery.subscriber
         WHERE delivery.state = 'dead' AND delivery.id < $1 ORDER BY delivery.id DESC LIMIT $2",
    )
    .bind::<BigInt, _>(read.before.unwrap_or(i64::MAX))
    .bind::<BigInt, _>(i64::try_from(read.most).unwrap_or(i64::MAX))
    .get_results(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| DeadDelivery {
            id: row.id,
            subscriber: row.subscriber,
            url: row.url,
            event_id: u64::try_from(row.event_id).unwrap_or(0),
            cnj: row.cnj,
            attempts: u32::try_from(row.attempts).unwrap_or(0),
            last_status: row.last_status.and_then(|status| u16::try_from(status).ok()),
            last_error: row.last_error,
            created_at: row.created_at,
        })
        .collect())
}

/// Queues a dead delivery again. Whoever asks for it says that the subscriber is there: it is not held back any longer. Doing it twice
/// says the same twice.
pub(super) async fn replay(connection: &mut AsyncPgConnection, replay: &ReplayDead) -> QueryResult<bool> {
    let queued = diesel::sql_query(
        "WITH queued AS (
             UPDATE webhook_deliveries
             SET state = 'pending', claimed = false, attempts = 0, next_attempt_at = now(), queued_at = now()
             WHERE id = $1 AND state = 'dead' RETURNING subscriber
         )
         UPDATE webhook_subscribers AS subscriber SET state = 'active', held_until = NULL
         FROM queued WHERE subscriber.id = queued.subscriber",
    )
    .bind::<BigInt, _>(replay.id)
    .execute(connection)
    .await?;
    Ok(queued > 0)
}
