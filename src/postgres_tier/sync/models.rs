//! Rows of the synchronisation's tables.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Date, Double, Integer, Nullable, Text, Timestamptz};

use super::messages::{ClaimLine, Day, Run};
use super::words::{ClaimState, Ending, Trigger};
use crate::domain::cnj::Cnj;
use crate::scheduler::choice::Candidate;
use crate::scheduler::reads;

/// A number that the schema keeps from being negative.
pub(super) fn counted(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// A count as the schema takes it.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The cycle's row.
#[derive(QueryableByName)]
pub(super) struct RunRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    trigger: String,
    #[diesel(sql_type = BigInt)]
    epoch: i64,
    #[diesel(sql_type = Nullable<Text>)]
    node: Option<String>,
    #[diesel(sql_type = Integer)]
    adopted: i32,
    #[diesel(sql_type = Timestamptz)]
    due_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    started_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    ended_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    ending: Option<String>,
    #[diesel(sql_type = BigInt)]
    chosen: i64,
    #[diesel(sql_type = BigInt)]
    refreshed: i64,
    #[diesel(sql_type = BigInt)]
    unchanged: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    cleaned: i64,
    #[diesel(sql_type = BigInt)]
    calls: i64,
    #[diesel(sql_type = BigInt)]
    cost_centavos: i64,
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        // The schema knows no other words.
        let ending = row.ending.as_deref().and_then(Ending::of_word).unwrap_or(Ending::Completed);
        Self {
            id: counted(row.id),
            trigger: Trigger::of_word(&row.trigger).unwrap_or(Trigger::Schedule),
            epoch: counted(row.epoch),
            node: row.node.and_then(|node| node.parse().ok()),
            adopted: u32::try_from(row.adopted).unwrap_or(0),
            due_at: row.due_at,
            started_at: row.started_at,
            ended: row.ended_at.map(|at| (at, ending)),
            chosen: counted(row.chosen),
            refreshed: counted(row.refreshed),
            unchanged: counted(row.unchanged),
            failed: counted(row.failed),
            cleaned: counted(row.cleaned),
            calls: counted(row.calls),
            cost_centavos: counted(row.cost_centavos),
        }
    }
}

#[derive(QueryableByName)]
pub(super) struct CandidateRow {
    #[diesel(sql_type = Text)]
    cnj: String,
    #[diesel(sql_type = Timestamptz)]
    cache_valid_until: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    last_api_sync: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Double>)]
    change_rate: Option<f64>,
    #[diesel(sql_type = Bool)]
    watched: bool,
    #[diesel(sql_type = Double)]
    reads: f64,
    #[diesel(sql_type = BigInt)]
    total_movements: i64,
    #[diesel(sql_type = Integer)]
    failures: i32,
}

impl CandidateRow {
    /// The candidate, unless a person wrote a number into the table that is none.
    pub(super) fn candidate(self) -> Option<Candidate> {
        Some(Candidate {
            cnj: Cnj::parse(&self.cnj).ok()?,
            valid_until: self.cache_valid_until,
            last_sync: self.last_api_sync,
            change_rate: self.change_rate,
            watched: self.watched,
            reads_per_day: reads::per_day(self.reads),
            total_movements: counted(self.total_movements),
            failures: u32::try_from(self.failures).unwrap_or(0),
        })
    }
}

#[derive(QueryableByName)]
pub(super) struct ClaimRow {
    #[diesel(sql_type = Text)]
    cnj: String,
    #[diesel(sql_type = Text)]
    class: String,
    #[diesel(sql_type = Double)]
    worth: f64,
    #[diesel(sql_type = Text)]
    explanation: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Timestamptz)]
    claimed_at: DateTime<Utc>,
    #[diesel(sql_type = Integer)]
    calls_reserved: i32,
}

impl ClaimRow {
    pub(super) fn line(self) -> Option<ClaimLine> {
        Some(ClaimLine {
            cnj: Cnj::parse(&self.cnj).ok()?,
            class: self.class,
            worth: self.worth,
            explanation: self.explanation,
            state: ClaimState::of_word(&self.state)?,
            claimed_at: self.claimed_at,
            calls: u32::try_from(self.calls_reserved).unwrap_or(0),
        })
    }
}

/// The state's row, with the day's beside it.
#[derive(QueryableByName)]
pub(super) struct StateRow {
    #[diesel(sql_type = Timestamptz)]
    pub(super) moment: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) holder: Option<String>,
    #[diesel(sql_type = BigInt)]
    pub(super) epoch: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub(super) next_run_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub(super) requested_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Date)]
    day: NaiveDate,
    #[diesel(sql_type = BigInt)]
    calls: i64,
    #[diesel(sql_type = BigInt)]
    refreshed: i64,
    #[diesel(sql_type = BigInt)]
    unchanged: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    cost_centavos: i64,
}

impl StateRow {
    pub(super) fn today(&self) -> Day {
        Day {
            day: self.day,
            calls: counted(self.calls),
            refreshed: counted(self.refreshed),
            unchanged: counted(self.unchanged),
            failed: counted(self.failed),
            cost_centavos: counted(self.cost_centavos),
        }
    }
}
