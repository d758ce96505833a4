//! Everything that is asked of `process_updates`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::messages::Saved;
use crate::domain::cnj::Cnj;
use crate::domain::update::{Stage, UpdateRecord};

/// A record as its row says.
#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct UpdateRow {
    #[diesel(sql_type = Text)]
    cnj: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    vendor_id: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    previous_id: Option<i64>,
    #[diesel(sql_type = Bool)]
    adopted: bool,
    #[diesel(sql_type = Timestamptz)]
    requested_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    learned_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    concluded_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    next_check_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Integer)]
    checks: i32,
    #[diesel(sql_type = Integer)]
    refreshes: i32,
    #[diesel(sql_type = BigInt)]
    cost_centavos: i64,
    #[diesel(sql_type = Text)]
    client: String,
}

impl UpdateRow {
    /// The record, unless a person wrote a number into the table that is none.
    fn record(self) -> Option<UpdateRecord> {
        let (Ok(cnj), Some(stage)) = (Cnj::parse(&self.cnj), Stage::of_word(&self.state)) else {
            tracing::error!(state = self.state, "a row of process_updates cannot be read");
            return None;
        };
        Some(UpdateRecord {
            cnj,
            stage,
            vendor_id: self.vendor_id,
            previous_id: self.previous_id,
            adopted: self.adopted,
            requested_at: self.requested_at,
            learned_at: self.learned_at,
            concluded_at: self.concluded_at,
            next_check_at: self.next_check_at,
            checks: u32::try_from(self.checks).unwrap_or(0),
            refreshes: u32::try_from(self.refreshes).unwrap_or(0),
            cost_centavos: u64::try_from(self.cost_centavos).unwrap_or(0),
            client: self.client,
        })
    }
}

/// Stores a record by the rule of [`UpdateRecord::may_replace`], or says what is stored instead. One statement decides, so of two
/// nodes that take the same step one is told that it was late.
pub(super) async fn save(
    connection: &mut AsyncPgConnection,
    record: &UpdateRecord,
    check_in: Option<Duration>,
) -> QueryResult<Saved> {
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let written = diesel::sql_query(
        "INSERT INTO process_updates AS stored
             (cnj, state, vendor_id, previous_id, adopted, requested_at, learned_at, concluded_at, next_check_at, checks,
              refreshes, cost_centavos, client)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9 * interval '1 second', $10, $11, $12, $13)
         ON CONFLICT (cnj) DO UPDATE SET
             state = EXCLUDED.state,
             vendor_id = EXCLUDED.vendor_id,
             previous_id = EXCLUDED.previous_id,
             adopted = EXCLUDED.adopted,
             requested_at = EXCLUDED.requested_at,
             learned_at = EXCLUDED.learned_at,
             concluded_at = EXCLUDED.concluded_at,
             next_check_at = EXCLUDED.next_check_at,
             checks = EXCLUDED.checks,
             refreshes = EXCLUDED.refreshes,
             cost_centavos = EXCLUDED.cost_centavos,
             client = EXCLUDED.client,
             updated_at = now()
         WHERE CASE WHEN stored.requested_at = EXCLUDED.requested_at
             THEN stored.next_check_at IS NOT NULL AND stored.checks < EXCLUDED.checks
              AND (EXCLUDED.next_check_at IS NULL
                   OR array_position(ARRAY['asked', 'uncertain', 'open', 'refreshing'], stored.state)
                   <= array_position(ARRAY['asked', 'uncertain', 'open', 'refreshing'], EXCLUDED.state))
             ELSE stored.next_check_at IS NULL AND stored.requested_at < EXCLUDED.requested_at END",
    )
    .bind::<Text, _>(record.cnj.masked())
    .bind::<Text, _>(record.stage.as_str())
    .bind::<Nullable<BigInt>, _>(record.vendor_id)
    .bind::<Nullable<BigInt>, _>(record.previous_id)
    .bind::<Bool, _>(record.adopted)
    .bind::<Timestamptz, _>(record.requested_at)
    .bind::<Nullable<Timestamptz>, _>(record.learned_at)
    .bind::<Nullable<Timestamptz>, _>(record.concluded_at)
    .bind::<Nullable<Double>, _>(check_in.map(|wait| wait.as_secs_f64()))
    .bind::<Integer, _>(count(record.checks))
    .bind::<Integer, _>(count(record.refreshes))
    .bind::<BigInt, _>(i64::try_from(record.cost_centavos).unwrap_or(i64::MAX))
    .bind::<Text, _>(&record.client)
    .execute(connection)
    .await?;
    if written > 0 {
        return Ok(Saved::Saved);
    }
    // What was in the way and is gone now is offered again by whoever keeps the record.
    let stored = read(connection, record.cnj).await?.ok_or(diesel::result::Error::NotFound)?;
    Ok(Saved::Newer(Box::new(stored)))
}

/// The record of a process.
pub(super) async fn read(connection: &mut AsyncPgConnection, cnj: Cnj) -> QueryResult<Option<UpdateRecord>> {
    let row: Option<UpdateRow> = diesel::sql_query("SELECT * FROM process_updates WHERE cnj = $1")
        .bind::<Text, _>(cnj.masked())
        .get_result(connection)
        .await
        .optional()?;
    Ok(row.and_then(UpdateRow::record))
}

/// Takes what is due, the longest overdue first. What another node is taking at this moment is left to it.
pub(super) async fn claim(
    connection: &mut AsyncPgConnection,
    most: usize,
    lease: Duration,
) -> QueryResult<Vec<UpdateRecord>> {
    let rows: Vec<UpdateRow> = diesel::sql_query(
        "WITH due AS (
             SELECT cnj FROM process_updates WHERE next_check_at <= now()
             ORDER BY next_check_at LIMIT $1 FOR UPDATE SKIP LOCKED
         )
         UPDATE process_updates AS taken SET next_check_at = now() + $2 * interval '1 second', updated_at = now()
         FROM due WHERE taken.cnj = due.cnj RETURNING taken.*",
    )
    .bind::<BigInt, _>(i64::try_from(most).unwrap_or(i64::MAX))
    .bind::<Double, _>(lease.as_secs_f64())
    .get_results(connection)
    .await?;
    Ok(rows.into_iter().filter_map(UpdateRow::record).collect())
}
