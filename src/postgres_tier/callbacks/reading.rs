//! Everything that is asked of `vendor_callback_reading`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Integer, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use std::time::Duration;

use super::reading_messages::{BeginReading, NoteReading, Progress, Reading};

#[derive(QueryableByName)]
struct ReadingRow {
    #[diesel(sql_type = BigInt)]
    epoch: i64,
    #[diesel(sql_type = Timestamptz)]
    since: DateTime<Utc>,
    #[diesel(sql_type = Integer)]
    page: i32,
}

/// Takes the right to read. What is due next is set now and not at the end, so that a wish that comes during the reading stays.
pub(super) async fn begin(connection: &mut AsyncPgConnection, begin: &BeginReading) -> QueryResult<Option<Reading>> {
    let row: Option<ReadingRow> = diesel::sql_query(
        "UPDATE vendor_callback_reading AS reading SET
             epoch = reading.epoch + 1,
             leased_until = now() + $1 * interval '1 second',
             next_at = now() + $2 * interval '1 second',
             began_at = coalesce(reading.began_at, now()),
             since = coalesce(reading.since, reading.complete_until - $3 * interval '1 second',
                              now() - $4 * interval '1 second'),
             page = coalesce(reading.page, 1)
         WHERE reading.next_at <= now() AND reading.leased_until <= now()
         RETURNING reading.epoch, reading.since, reading.page",
    )
    .bind::<Double, _>(begin.lease.as_secs_f64())
    .bind::<Double, _>(begin.every.as_secs_f64())
    .bind::<Double, _>(begin.overlap.as_secs_f64())
    .bind::<Double, _>(begin.look_back.as_secs_f64())
    .get_result(connection)
    .await
    .optional()?;
    let reading =
        |row: ReadingRow| Reading { epoch: row.epoch, since: row.since, page: u32::try_from(row.page).unwrap_or(1) };
    Ok(row.map(reading))
}

/// Writes down how far the reading is, if the lease is still ours.
pub(super) async fn note(connection: &mut AsyncPgConnection, note: &NoteReading) -> QueryResult<bool> {
    let written = match note.progress {
        Progress::Page { next, lease } => {
            diesel::sql_query(
                "UPDATE vendor_callback_reading SET page = $2, leased_until = now() + $3 * interval '1 second'
                 WHERE epoch = $1",
            )
            .bind::<BigInt, _>(note.epoch)
            .bind::<Integer, _>(i32::try_from(next).unwrap_or(i32::MAX))
            .bind::<Double, _>(lease.as_secs_f64())
            .execute(connection)
            .await?
        }
        // Twice is once: the second time there is no reading, and `greatest` passes a null by.
        Progress::Complete => {
            diesel::sql_query(
                "UPDATE vendor_callback_reading
                 SET complete_until = greatest(complete_until, began_at), began_at = NULL, since = NULL, page = NULL,
                     leased_until = now()
                 WHERE epoch = $1",
            )
            .bind::<BigInt, _>(note.epoch)
            .execute(connection)
            .await?
        }
        Progress::CutOff { again_in } => {
            diesel::sql_query(
                "UPDATE vendor_callback_reading
                 SET leased_until = now(), next_at = least(next_at, now() + $2 * interval '1 second')
                 WHERE epoch = $1",
            )
            .bind::<BigInt, _>(note.epoch)
            .bind::<Double, _>(again_in.as_secs_f64())
            .execute(connection)
            .await?
        }
    };
    Ok(written > 0)
}

/// Has the list read soon.
pub(super) async fn hurry(connection: &mut AsyncPgConnection, within: Duration) -> QueryResult<()> {
    diesel::sql_query("UPDATE vendor_callback_reading SET next_at = least(next_at, now() + $1 * interval '1 second')")
        .bind::<Double, _>(within.as_secs_f64())
        .execute(connection)
        .await?;
    Ok(())
}
