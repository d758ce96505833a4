//! What a refresh is worth and what it costs. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::choice::{Candidate, Rules};
use crate::domain::calendar::activity;
use crate::domain::phase::Phase;
use crate::domain::rhythm::{MAX_RATE, MIN_RATE, Rhythm};

/// Movements on one page, the vendor's largest.
const PAGE: u64 = 500;
/// Reads a day of a process that nobody was seen to read: somebody once did, or it would not be here. One in three weeks.
pub const LEAST_READS: f64 = 0.05;
/// Reads a day that watching stands for, at the least: whoever watches wants to know within the day.
pub const WATCHED_READS: f64 = 2.0;
/// More reads a day than this are those of a machine, and weigh no more.
pub const MOST_READS: f64 = 1_000.0;
/// A process that failed so often weighs no less than that: it is never forgotten.
const MOST_FAILURES: i32 = 10;
/// How many times as many pages a process that failed is given, at the most: the vendor's older and smaller pages hold a fifth. A process may also
/// have grown, and one that is never given enough would be paid for again and again without ever being whole.
const MOST_PAGES_FOR_ONE: u32 = 5;

/// What a refresh costs, in centavos for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshPrice {
    /// `status-atualizacao`.
    pub status: u64,
    /// A cover.
    pub cover: u64,
    /// A page of movements.
    pub page: u64,
}

impl Default for RefreshPrice {
    /// The highest seen (measured in the vendor's panel, 2026-08), as in `fetcher::prices`.
    fn default() -> Self {
        Self { status: 0, cover: 300, page: 300 }
    }
}

/// What is known of a refresh before it is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// Changes for each business day, learned or the prior.
    pub rate: f64,
    /// Business days since the vendor was last asked.
    pub unseen: f64,
    /// That something changed since: 0 to 1.
    pub probability: f64,
    /// Reads a day, those that watching stands for included.
    pub reads_per_day: f64,
    /// Expected money, in centavos.
    pub centavos: f64,
    /// Reads answered without a piece of news, counted for each piece, expected, for each centavo; a request counts [`Rules::call`] centavos beside its price.
    pub worth: f64,
    /// The most requests it may take: status, cover, every page, one retry. After failures with room for more pages.
    pub calls: u32,
}

impl Outlook {
    /// Looks at one candidate.
    #[must_use]
    pub fn of(candidate: &Candidate, now: DateTime<Utc>, rules: &Rules) -> Self {
        let rate = rate(candidate);
        let unseen = activity(candidate.last_sync, now);
        let probability = 1.0 - (-rate * unseen).exp();
        let reads_per_day = reads(candidate);
        // One more page than the movements need: they may have become more.
        let pages = u32::try_from(candidate.total_movements / PAGE + 1).unwrap_or(u32::MAX);
        let room = candidate.failures.saturating_add(1).min(MOST_PAGES_FOR_ONE);
        let calls = pages.saturating_mul(room).saturating_add(3);
        let pages = f64::from(pages);
        let RefreshPrice { status, cover, page } = rules.price;
        let centavos = number(status) + probability * (number(cover) + pages * number(page));
        let requests = 1.0 + probability * (1.0 + pages);
        // At least one, so that where everything is free worth is still a number.
        let cost = (centavos + requests * number(rules.call)).max(1.0);
        let patience = 0.5_f64.powi(i32::try_from(candidate.failures).unwrap_or(MOST_FAILURES).min(MOST_FAILURES));
        // Every change counts, and has been waiting for half of the time, expected. That grows with the square of the time, which is
        // what spreads refreshes as 1/√rate; probability alone would spend everything on the busiest.
        let waiting = rate * unseen * days(candidate.last_sync, now) / 2.0;
        let worth = reads_per_day * waiting / cost * patience;
        Self { rate, unseen, probability, reads_per_day, centavos, worth, calls }
    }
}

fn rate(candidate: &Candidate) -> f64 {
    let learned = candidate.change_rate.filter(|rate| rate.is_finite());
    // Of a process of which nothing was learned: as if in a trial, which looks soon rather than late.
    let prior = || Rhythm::prior(candidate.cnj.segment(), Phase::Instrutoria).changes_per_business_day;
    learned.unwrap_or_else(prior).clamp(MIN_RATE, MAX_RATE)
}

fn reads(candidate: &Candidate) -> f64 {
    let least = if candidate.watched { WATCHED_READS } else { LEAST_READS };
    let reads = candidate.reads_per_day;
    if reads.is_nan() { least } else { reads.clamp(least, MOST_READS) }
}

fn days(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).to_std().unwrap_or(Duration::ZERO).as_secs_f64() / 86_400.0
}

/// Money as a weight. No price comes near 2^32 centavos.
fn number(centavos: u64) -> f64 {
    f64::from(u32::try_from(centavos).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::cnj::Cnj;

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 8, 21, 15, 0, 0).unwrap()
    }

    fn candidate() -> Candidate {
        Candidate {
            cnj: Cnj::parse("0000001-39.2024.8.26.0100").unwrap(),
            valid_until: now(),
            last_sync: now() - TimeDelta::days(3),
            change_rate: Some(0.2),
            watched: false,
            reads_per_day: 1.0,
            total_movements: 40,
            failures: 0,
        }
    }

    fn of(candidate: &Candidate) -> Outlook {
        Outlook::of(candidate, now(), &Rules::default())
    }

    #[test]
    fn probability_follows_working_days() {
        let midweek = of(&candidate());
        assert!((midweek.unseen - 3.0).abs() < 1e-9);
        assert!((midweek.probability - (1.0 - (-0.6_f64).exp())).abs() < 1e-9);
        let monday = now() + TimeDelta::days(3);
        let weekend = Candidate { last_sync: now(), ..candidate() };
        assert!(Outlook::of(&weekend, monday, &Rules::default()).probability < midweek.probability / 2.0);
    }

    #[test]
    fn worth_grows_with_reads_time_rate_and_falls_with_cost_and_failures() {
        let plain = of(&candidate()).worth;
        let better = [
            Candidate { reads_per_day: 4.0, ..candidate() },
            Candidate { last_sync: now() - TimeDelta::days(10), ..candidate() },
            Candidate { change_rate: Some(0.4), ..candidate() },
            Candidate { watched: true, ..candidate() },
        ];
        for candidate in better {
            assert!(of(&candidate).worth > plain, "{candidate:?}");
        }
        let worse = [
            Candidate { total_movements: 5_000, ..candidate() },
            Candidate { failures: 2, ..candidate() },
            Candidate { change_rate: Some(0.01), ..candidate() },
            Candidate { last_sync: now(), ..candidate() },
        ];
        for candidate in worse {
            assert!(of(&candidate).worth < plain, "{candidate:?}");
        }
    }

    #[test]
    fn watching_is_a_floor_of_reads() {
        let reads = |watched, reads_per_day| of(&Candidate { watched, reads_per_day, ..candidate() }).reads_per_day;
        assert_eq!([reads(false, 0.0), reads(true, 0.0)], [LEAST_READS, WATCHED_READS]);
        assert_eq!([reads(true, 9.0), reads(false, 9.0)], [9.0, 9.0]);
        assert_eq!([reads(false, f64::NAN), reads(true, -3.0)], [LEAST_READS, WATCHED_READS]);
        assert_eq!(reads(false, f64::INFINITY), MOST_READS);
    }

    #[test]
    fn calls_are_the_most_a_refresh_may_take() {
        let calls = |total_movements| of(&Candidate { total_movements, ..candidate() }).calls;
        assert_eq!([calls(0), calls(499), calls(500), calls(10_000)], [4, 4, 5, 24]);
        assert_eq!(calls(u64::MAX), u32::MAX);
    }

    #[test]
    fn who_failed_is_given_more_pages_up_to_the_vendors_smallest() {
        let calls = |total_movements, failures| of(&Candidate { total_movements, failures, ..candidate() }).calls;
        assert_eq!([calls(600, 0), calls(600, 1), calls(600, 4), calls(600, u32::MAX)], [5, 7, 13, 13]);
        assert_eq!([calls(40, 0), calls(40, 1), calls(u64::MAX, 3)], [4, 5, u32::MAX]);
    }

    #[test]
    fn what_is_free_has_a_worth_too() {
        let free = Rules { price: RefreshPrice { status: 0, cover: 0, page: 0 }, call: 0, ..Rules::default() };
        let worth = Outlook::of(&candidate(), now(), &free).worth;
        assert!(worth.is_finite() && worth > 0.0);
    }

    proptest! {
        #[test]
        fn worth_is_always_a_number(
            rate in prop::option::of(any::<f64>()), reads_per_day in any::<f64>(), watched: bool,
            age in any::<i32>(), total_movements: u64, failures: u32, price: u64, call: u64,
        ) {
            let last_sync = now() - TimeDelta::seconds(age.into());
            let odd = Candidate { change_rate: rate, reads_per_day, watched, last_sync, total_movements, failures, ..candidate() };
            let rules = Rules { price: RefreshPrice { status: price, cover: price, page: price }, call, ..Rules::default() };
            let outlook = Outlook::of(&odd, now(), &rules);
            prop_assert!(outlook.worth.is_finite() && outlook.worth >= 0.0, "{outlook:?}");
            prop_assert!((0.0..=1.0).contains(&outlook.probability) && outlook.centavos.is_finite());
        }
    }
}
