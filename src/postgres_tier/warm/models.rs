//! Rows as the statements return them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz};

use crate::domain::cnj::Cnj;
use crate::domain::warm::{FailedItem, ListState, PauseReason, TakenItem, WarmList};

/// A list.
#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
pub(super) struct ListRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Timestamptz)]
    requested_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    ended_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Integer)]
    total: i32,
    #[diesel(sql_type = Integer)]
    duplicates: i32,
    #[diesel(sql_type = Integer)]
    done: i32,
    #[diesel(sql_type = Integer)]
    known: i32,
    #[diesel(sql_type = Integer)]
    unknown: i32,
    #[diesel(sql_type = Integer)]
    failed: i32,
    #[diesel(sql_type = BigInt)]
    cost_centavos: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    paused_until: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    paused_reason: Option<String>,
}

impl ListRow {
    /// The list; the table's checks leave no other words.
    pub(super) fn list(self) -> Option<WarmList> {
        let Some(state) = ListState::of_word(&self.state) else {
            tracing::error!(state = self.state, "a row of warm_lists cannot be read");
            return None;
        };
        let [total, done, known] = [count(self.total), count(self.done), count(self.known)];
        let [unknown, failed] = [count(self.unknown), count(self.failed)];
        Some(WarmList {
            id: self.id,
            state,
            requested_at: self.requested_at,
            ended_at: self.ended_at,
            total,
            duplicates: count(self.duplicates),
            waiting: total.saturating_sub(done + known + unknown + failed),
            done,
            known,
            unknown,
            failed,
            cost_centavos: u64::try_from(self.cost_centavos).unwrap_or(0),
            paused_until: self.paused_until,
            paused_reason: self.paused_reason.as_deref().and_then(PauseReason::of_word),
        })
    }
}

/// An item that was given up.
#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
pub(super) struct FailedRow {
    #[diesel(sql_type = Text)]
    cnj: String,
    #[diesel(sql_type = Integer)]
    position: i32,
    #[diesel(sql_type = Nullable<Text>)]
    outcome: Option<String>,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

impl From<FailedRow> for FailedItem {
    fn from(row: FailedRow) -> Self {
        let FailedRow { cnj, position, outcome, attempts } = row;
        Self { cnj, position: count(position), outcome: outcome.unwrap_or_default(), attempts: count(attempts) }
    }
}

/// An item that was taken.
#[derive(QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
pub(super) struct TakenRow {
    #[diesel(sql_type = Text)]
    list: String,
    #[diesel(sql_type = Integer)]
    position: i32,
    #[diesel(sql_type = Text)]
    cnj: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Integer)]
    claims: i32,
    #[diesel(sql_type = Integer)]
    strikes: i32,
    #[diesel(sql_type = Timestamptz)]
    requested_at: DateTime<Utc>,
}

impl TakenRow {
    /// The item, unless a person wrote a number into the table that is none.
    pub(super) fn item(self) -> Option<TakenItem> {
        let small = |number: i32| u32::try_from(number).unwrap_or(0);
        let Ok(cnj) = Cnj::parse(&self.cnj) else {
            tracing::error!(list = self.list, position = self.position, "a row of warm_items cannot be read");
            return None;
        };
        Some(TakenItem {
            list: self.list,
            position: small(self.position),
            cnj,
            attempts: small(self.attempts),
            claim: small(self.claims),
            strikes: small(self.strikes),
            requested_at: self.requested_at,
        })
    }
}

fn count(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
