//! Everything that is asked of `process_events`. What is written to it is in `store`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::messages::{PruneEvents, ReadEvents};
use crate::domain::cnj::Cnj;
use crate::domain::event::{Event, EventKind};
use crate::domain::snapshot::Provider;

/// An event as its row says.
#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct EventRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    cnj: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    movement: String,
    #[diesel(sql_type = Text)]
    provider: String,
    #[diesel(sql_type = Bool)]
    sealed: bool,
    #[diesel(sql_type = Timestamptz)]
    first_seen_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    recorded_at: DateTime<Utc>,
}

impl EventRow {
    /// The event, unless a person wrote something into the table that is none.
    fn event(self) -> Option<Event> {
        let id = self.id;
        let event = self.decode();
        if event.is_none() {
            tracing::error!(id, "a row of process_events cannot be read");
        }
        event
    }

    fn decode(self) -> Option<Event> {
        Some(Event {
            id: u64::try_from(self.id).ok()?,
            cnj: Cnj::parse(&self.cnj).ok()?,
            kind: EventKind::of_word(&self.kind)?,
            movement: serde_json::from_str(&self.movement).ok()?,
            provider: Provider::of_word(&self.provider)?,
            sealed: self.sealed,
            first_seen_at: self.first_seen_at,
            recorded_at: self.recorded_at,
        })
    }
}

#[derive(QueryableByName)]
struct Counter {
    #[diesel(sql_type = BigInt)]
    last: i64,
}

/// Later events in their order. What is under secrecy by now is under secrecy, whatever it was when it was told.
pub(super) async fn read(connection: &mut AsyncPgConnection, read: &ReadEvents) -> QueryResult<Vec<Event>> {
    let of_process = if read.cnj.is_some() { "event.cnj = $3" } else { "$3 = ''" };
    let statement = diesel::sql_query(format!(
        "SELECT event.id, event.cnj, event.kind, event.movement::text AS movement, event.provider,
                event.sealed OR coalesce(process.sealed, false) AS sealed, event.first_seen_at, event.recorded_at
         FROM process_events AS event LEFT JOIN process_status_cache AS process ON process.cnj = event.cnj
         WHERE event.id > $1 AND {of_process} ORDER BY event.id LIMIT $2"
    ));
    let rows: Vec<EventRow> = statement
        .bind::<BigInt, _>(i64::try_from(read.after).unwrap_or(i64::MAX))
        .bind::<BigInt, _>(i64::try_from(read.most).unwrap_or(i64::MAX))
        .bind::<Text, _>(read.cnj.map(|cnj| cnj.masked()).unwrap_or_default())
        .get_results(connection)
        .await?;
    Ok(rows.into_iter().filter_map(EventRow::event).collect())
}

/// The highest number that was given. All events up to it can be read by whoever reads it.
pub(super) async fn newest(connection: &mut AsyncPgConnection) -> QueryResult<u64> {
    let counter: Option<Counter> =
        diesel::sql_query("SELECT last FROM process_event_counter").get_result(connection).await.optional()?;
    Ok(counter.and_then(|counter| u64::try_from(counter.last).ok()).unwrap_or(0))
}

/// Looks at the oldest numbers only: they are about as old as they are low.
pub(super) async fn prune(connection: &mut AsyncPgConnection, prune: PruneEvents) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM process_events AS event
         USING (SELECT id FROM process_events ORDER BY id LIMIT $2) AS oldest
         WHERE event.id = oldest.id AND event.recorded_at < now() - $1 * interval '1 second'",
    )
    .bind::<Double, _>(prune.keep.as_secs_f64())
    .bind::<BigInt, _>(i64::try_from(prune.most).unwrap_or(i64::MAX))
    .execute(connection)
    .await
}
