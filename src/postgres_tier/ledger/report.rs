//! A report, put together from sums: pure.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Date, Text};

use super::messages::ReadLedger;
use super::models::counted;
use crate::ledger::report::{Avoided, BudgetReport, DaySum, Days, LedgerReport, Sum};

/// The days of a report, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: NaiveDate,
    pub(super) to: NaiveDate,
}

impl Span {
    /// Which days are meant on this day. Of more than [`ReadLedger::MOST_DAYS`] the last; none when the ends are exchanged.
    pub(super) fn of(days: Days, today: NaiveDate) -> Self {
        let yesterday = today.pred_opt().unwrap_or(today);
        let (from, to) = match days {
            Days::Recent => (yesterday, today),
            Days::Yesterday => (yesterday, yesterday),
            Days::Today => (today, today),
            Days::Month => (today.with_day(1).unwrap_or(today), today),
            Days::Range(from, to) => (from, to),
        };
        let earliest = to.checked_sub_days(chrono::Days::new(u64::from(ReadLedger::MOST_DAYS - 1)));
        Self { from: earliest.map_or(from, |earliest| from.max(earliest)), to }
    }
}

/// One line of one breakdown.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct SumRow {
    /// Which breakdown.
    #[diesel(sql_type = Text)]
    part: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    requests: i64,
    #[diesel(sql_type = BigInt)]
    centavos: i64,
    #[diesel(sql_type = BigInt)]
    presumed: i64,
}

/// What a tier avoided on a day.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct AvoidedRow {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
    #[diesel(sql_type = Text)]
    tier: String,
    #[diesel(sql_type = BigInt)]
    lookups: i64,
    #[diesel(sql_type = BigInt)]
    centavos: i64,
}

/// The report. Each breakdown keeps the order of its rows.
pub(super) fn assemble(span: Span, sums: Vec<SumRow>, avoided: Vec<AvoidedRow>, budget: BudgetReport) -> LedgerReport {
    let mut report = LedgerReport {
        from: span.from,
        to: span.to,
        requests: 0,
        spent_centavos: 0,
        presumed_centavos: 0,
        avoided_centavos: 0,
        without_cache_centavos: 0,
        days: Vec::new(),
        by_endpoint: Vec::new(),
        by_lane: Vec::new(),
        by_client: Vec::new(),
        by_outcome: Vec::new(),
        by_process: Vec::new(),
        avoided: Vec::new(),
        budget,
    };
    let mut days: BTreeMap<NaiveDate, DaySum> = BTreeMap::new();
    let mut tiers: BTreeMap<String, Avoided> = BTreeMap::new();
    for SumRow { part, name, requests, centavos, presumed } in sums {
        let (requests, centavos) = (counted(requests), counted(centavos));
        let breakdown = match part.as_str() {
            "endpoint" => &mut report.by_endpoint,
            "lane" => &mut report.by_lane,
            "client" => &mut report.by_client,
            "outcome" => &mut report.by_outcome,
            "process" => &mut report.by_process,
            "day" => {
                if let Ok(day) = name.parse() {
                    let sum = days.entry(day).or_insert_with(|| nothing_on(day));
                    (sum.requests, sum.spent_centavos) = (requests, centavos);
                }
                continue;
            }
            _all => {
                (report.requests, report.spent_centavos) = (requests, centavos);
                report.presumed_centavos = counted(presumed);
                continue;
            }
        };
        breakdown.push(Sum { name, requests, centavos });
    }
    for AvoidedRow { day, tier, lookups, centavos } in avoided {
        let (lookups, centavos) = (counted(lookups), counted(centavos));
        report.avoided_centavos = report.avoided_centavos.saturating_add(centavos);
        let sum = days.entry(day).or_insert_with(|| nothing_on(day));
        sum.avoided_centavos = sum.avoided_centavos.saturating_add(centavos);
        let sum = tiers.entry(tier).or_insert_with_key(|tier| Avoided { tier: tier.clone(), lookups: 0, centavos: 0 });
        sum.lookups = sum.lookups.saturating_add(lookups);
        sum.centavos = sum.centavos.saturating_add(centavos);
    }
    report.without_cache_centavos = report.spent_centavos.saturating_add(report.avoided_centavos);
    report.days = days.into_values().rev().collect();
    report.avoided = tiers.into_values().collect();
    report.avoided.sort_by_key(|avoided| std::cmp::Reverse((avoided.centavos, avoided.lookups)));
    report
}

fn nothing_on(day: NaiveDate) -> DaySum {
    DaySum { day, requests: 0, spent_centavos: 0, avoided_centavos: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn which_days_are_meant() {
        let today = day("2026-03-01");
        let range = |from, to| Days::Range(day(from), day(to));
        let table = [
            (Days::Recent, "2026-02-28", "2026-03-01"),
            (Days::Yesterday, "2026-02-28", "2026-02-28"),
            (Days::Today, "2026-03-01", "2026-03-01"),
            (Days::Month, "2026-03-01", "2026-03-01"),
            (range("2026-01-05", "2026-01-07"), "2026-01-05", "2026-01-07"),
            (range("2024-11-23", "2025-12-27"), "2024-11-23", "2025-12-27"),
            (range("2024-11-22", "2025-12-27"), "2024-11-23", "2025-12-27"),
            (range("0001-01-01", "9999-12-31"), "9998-11-27", "9999-12-31"),
            (range("2026-01-07", "2026-01-05"), "2026-01-07", "2026-01-05"),
        ];
        for (days, from, to) in table {
            assert_eq!(Span::of(days, today), Span { from: day(from), to: day(to) }, "{days:?}");
        }
        assert_eq!(Span::of(Days::Month, day("2026-12-31")).from, day("2026-12-01"));
        assert_eq!(Span::of(Days::Range(NaiveDate::MIN, NaiveDate::MIN), today).to, NaiveDate::MIN);
    }

    #[test]
    fn a_day_on_which_nothing_was_bought_shows_what_was_avoided() {
        let span = Span { from: day("2026-03-01"), to: day("2026-03-02") };
        let row = |part: &str, name: &str| SumRow {
            part: part.to_owned(),
            name: name.to_owned(),
            requests: 2,
            centavos: 10,
            presumed: 4,
        };
        let avoided =
            |on: &str, tier: &str, centavos| AvoidedRow { day: day(on), tier: tier.to_owned(), lookups: 1, centavos };
        let report = assemble(
            span,
            vec![row("all", ""), row("day", "2026-03-01"), row("lane", "interactive")],
            vec![
                avoided("2026-03-01", "memory", 5),
                avoided("2026-03-02", "memory", 6),
                avoided("2026-03-02", "redis", 90),
            ],
            BudgetReport { day: Default::default(), month: Default::default() },
        );
        let days: Vec<_> = report.days.iter().map(|day| (day.spent_centavos, day.avoided_centavos)).collect();
        assert_eq!(days, [(0, 96), (10, 5)]);
        let tiers: Vec<_> = report.avoided.iter().map(|sum| (sum.tier.as_str(), sum.lookups, sum.centavos)).collect();
        assert_eq!(tiers, [("redis", 1, 90), ("memory", 2, 11)]);
        assert_eq!((report.spent_centavos, report.presumed_centavos, report.avoided_centavos), (10, 4, 101));
        assert_eq!((report.without_cache_centavos, report.by_lane.len()), (111, 1));
    }
}
