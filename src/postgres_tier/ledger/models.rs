//! Money as rows.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Date, Nullable, Text};

use super::messages::{AccountBooks, BalanceBase, Caps, Period, Reserved};
use crate::domain::snapshot::Provider;
use crate::ledger::call::{Call, Endpoint, Id};
use crate::ledger::report::{BudgetLine, BudgetReport};

/// Rows of the ledger column by column, as one statement takes them.
#[derive(Debug, Default)]
pub(super) struct CallColumns {
    pub(super) ids: Vec<String>,
    pub(super) ats: Vec<DateTime<Utc>>,
    pub(super) providers: Vec<&'static str>,
    pub(super) endpoints: Vec<&'static str>,
    pub(super) cnjs: Vec<Option<String>>,
    pub(super) lanes: Vec<&'static str>,
    pub(super) clients: Vec<&'static str>,
    pub(super) outcomes: Vec<&'static str>,
    pub(super) statuses: Vec<Option<i16>>,
    pub(super) expected: Vec<i64>,
    pub(super) costs: Vec<i64>,
    pub(super) bases: Vec<&'static str>,
    pub(super) durations: Vec<i64>,
    pub(super) reservations: Vec<Option<String>>,
    pub(super) draws: Vec<Option<i64>>,
}

impl CallColumns {
    pub(super) fn of(calls: &[Call]) -> Self {
        let mut columns = Self::default();
        for Call { sent, outcome, status, cost, took_ms } in calls {
            columns.ids.push(sent.id.to_string());
            columns.ats.push(sent.at);
            columns.providers.push(sent.provider.as_str());
            columns.endpoints.push(sent.endpoint.as_str());
            columns.cnjs.push(sent.cnj.map(|cnj| cnj.masked()));
            columns.lanes.push(sent.lane.as_str());
            columns.clients.push(sent.caller.as_str());
            columns.outcomes.push(outcome.as_str());
            columns.statuses.push(status.and_then(|status| i16::try_from(status).ok()));
            columns.expected.push(stored(sent.expected_centavos));
            columns.costs.push(stored(cost.centavos()));
            columns.bases.push(cost.basis());
            columns.durations.push(stored(*took_ms));
            columns.reservations.push(sent.draw.map(|draw| draw.reservation.to_string()));
            columns.draws.push(sent.draw.map(|draw| stored(draw.centavos)));
        }
        columns
    }
}

/// Today, and both periods' sums.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct BudgetRow {
    #[diesel(sql_type = Date)]
    pub(super) today: NaiveDate,
    #[diesel(sql_type = BigInt)]
    pub(super) day_spent: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) day_reserved: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) month_spent: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) month_reserved: i64,
}

impl BudgetRow {
    pub(super) fn under(&self, caps: Caps) -> BudgetReport {
        BudgetReport {
            day: line(caps.day, counted(self.day_spent), counted(self.day_reserved)),
            month: line(caps.month, counted(self.month_spent), counted(self.month_reserved)),
        }
    }
}

fn line(cap_centavos: Option<u64>, spent_centavos: u64, reserved_centavos: u64) -> BudgetLine {
    let used = spent_centavos.saturating_add(reserved_centavos);
    BudgetLine {
        cap_centavos,
        spent_centavos,
        reserved_centavos,
        left_centavos: cap_centavos.map(|cap| cap.saturating_sub(used)),
    }
}

/// What `reserve_budgets` answers; `None` for a word that it does not have.
pub(super) fn reserved(answer: &str, ends_in_ms: i64) -> Option<Reserved> {
    let ends_in = Duration::from_millis(counted(ends_in_ms));
    match answer {
        "granted" => Some(Reserved::Granted { ends_in }),
        "day" => Some(Reserved::Exhausted { period: Period::Day, ends_in }),
        "month" => Some(Reserved::Exhausted { period: Period::Month, ends_in }),
        _ => None,
    }
}

/// The highest price of one endpoint.
#[derive(Debug, QueryableByName)]
pub(super) struct PriceRow {
    #[diesel(sql_type = Text)]
    provider: String,
    #[diesel(sql_type = Text)]
    endpoint: String,
    #[diesel(sql_type = BigInt)]
    centavos: i64,
}

impl PriceRow {
    /// Nothing for words that this binary does not know: a newer one shares the database.
    pub(super) fn price(&self) -> Option<(Provider, Endpoint, u64)> {
        let provider =
            [Provider::Escavador, Provider::Datajud].into_iter().find(|known| known.as_str() == self.provider)?;
        let endpoint = Endpoint::ALL.into_iter().find(|known| known.as_str() == self.endpoint)?;
        Some((provider, endpoint, counted(self.centavos)))
    }
}

/// A vendor's account.
#[derive(Debug, Default, QueryableByName)]
pub(super) struct AccountRow {
    #[diesel(sql_type = BigInt)]
    spent_centavos: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    balance_centavos: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    booked_centavos: Option<i64>,
}

/// A row whose cost is presumed.
#[derive(Debug, QueryableByName)]
pub(super) struct PresumedRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    cost_centavos: i64,
}

impl AccountRow {
    pub(super) fn with(&self, presumed: &[PresumedRow]) -> AccountBooks {
        let base = self.balance_centavos.zip(self.booked_centavos);
        AccountBooks {
            booked_centavos: counted(self.spent_centavos),
            presumed: presumed
                .iter()
                .filter_map(|row| Some((row.id.parse().ok()?, counted(row.cost_centavos))))
                .collect(),
            base: base
                .map(|(balance_centavos, booked)| BalanceBase { balance_centavos, booked_centavos: counted(booked) }),
        }
    }
}

/// Ids as the database takes them.
pub(super) fn hex(ids: &[Id]) -> Vec<String> {
    ids.iter().map(Id::to_string).collect()
}

/// An amount as a `bigint`. What does not fit is beyond all the money there is; the highest stands for it.
pub(super) fn stored(centavos: u64) -> i64 {
    i64::try_from(centavos).unwrap_or(i64::MAX)
}

/// An amount that the schema keeps from being negative.
pub(super) fn counted(centavos: i64) -> u64 {
    u64::try_from(centavos).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_cap() {
        let row =
            BudgetRow { today: NaiveDate::MIN, day_spent: 70, day_reserved: 20, month_spent: 70, month_reserved: 40 };
        let report = row.under(Caps { day: Some(100), month: Some(100) });
        assert_eq!((report.day.left_centavos, report.month.left_centavos), (Some(10), Some(0)));
        let without = row.under(Caps::default());
        assert_eq!(
            (without.day.left_centavos, without.day.spent_centavos, without.day.reserved_centavos),
            (None, 70, 20)
        );
    }

    #[test]
    fn the_words_of_a_reservation() {
        let ends_in = Duration::from_secs(1);
        assert_eq!(reserved("granted", 1_000), Some(Reserved::Granted { ends_in }));
        for (word, period) in [("day", Period::Day), ("month", Period::Month)] {
            assert_eq!(reserved(word, 1_000), Some(Reserved::Exhausted { period, ends_in }));
        }
        assert_eq!(reserved("", 0), None);
    }
}
