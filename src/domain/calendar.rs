//! The courts' calendar: days in São Paulo, and how much of a span of time is working time.
//!
//! Courts write movements on working days. A weekend, a national holiday and the recess of 20 December to 20 January (article 220 of
//! the code of civil procedure) count little, but not nothing: systems publish on their own, and urgent matters go on. Holidays of
//! single states and courts are not known here; they are few, and a rate is an estimate.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};

/// What a day off counts, in business days.
pub const REST_WEIGHT: f64 = 0.1;

/// The longest span that is measured, in days: ten years. What is older says nothing about today, and it bounds the work.
const LONGEST_SPAN: i64 = 3_653;

/// São Paulo is three hours behind UTC. It had summer time until 2019: an hour of an old day makes no difference here.
const BEHIND_UTC: TimeDelta = TimeDelta::hours(3);
const SECONDS_A_DAY: f64 = 86_400.0;

/// Holidays with a date of their own, outside the recess, and the first year in which they are one.
const FIXED_HOLIDAYS: [(u32, u32, i32); 8] = [
    (4, 21, 0),     // Tiradentes
    (5, 1, 0),      // Dia do Trabalho
    (9, 7, 0),      // Independência
    (10, 12, 0),    // Nossa Senhora Aparecida
    (11, 2, 0),     // Finados
    (11, 15, 0),    // República
    (11, 20, 2024), // Consciência Negra, national by Lei 14.759/2023
    (12, 8, 0),     // Dia da Justiça, a holiday of the courts
];

/// Holidays that move with Easter, in days from it: Carnaval (Monday, Tuesday), Sexta-feira Santa, Corpus Christi.
const EASTER_HOLIDAYS: [i32; 4] = [-48, -47, -2, 60];

/// The day it is in São Paulo.
#[must_use]
pub fn day_of(at: DateTime<Utc>) -> NaiveDate {
    local(at).date()
}

/// When a day begins in São Paulo.
#[must_use]
pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).checked_add_signed(BEHIND_UTC).unwrap_or(NaiveDateTime::MAX).and_utc()
}

/// Whether courts work on a day: neither weekend nor national holiday nor recess.
#[must_use]
pub fn is_business_day(day: NaiveDate) -> bool {
    let number = day.num_days_from_ce();
    business_days(number, number + 1) == 1
}

/// Working time between two instants, in business days, a day off counting [`REST_WEIGHT`]; 0 when `to` is not after `from`. Of a span
/// of more than ten years the last ten count.
#[must_use]
pub fn activity(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    activity_with(from, to, REST_WEIGHT)
}

/// As [`activity`], with another weight of a day off.
#[must_use]
pub fn activity_with(from: DateTime<Utc>, to: DateTime<Utc>, rest_weight: f64) -> f64 {
    if to <= from {
        return 0.0;
    }
    let from = from.max(to.checked_sub_signed(TimeDelta::days(LONGEST_SPAN)).unwrap_or(from));
    let (first, begun) = place(from);
    let (last, ended) = place(to);
    let days = |from: i32, to: i32| {
        let business = business_days(from, to);
        f64::from(business) + rest_weight * f64::from(to - from - business)
    };
    if first == last {
        return days(first, first + 1) * (ended - begun).max(0.0);
    }
    days(first, first + 1) * (1.0 - begun) + days(first + 1, last) + days(last, last + 1) * ended
}

fn local(at: DateTime<Utc>) -> NaiveDateTime {
    at.naive_utc().checked_sub_signed(BEHIND_UTC).unwrap_or(NaiveDateTime::MIN)
}

/// The number of the day, and how much of it has passed.
fn place(at: DateTime<Utc>) -> (i32, f64) {
    let local = local(at);
    let seconds = f64::from(local.num_seconds_from_midnight()) + f64::from(local.nanosecond()) / 1e9;
    (local.num_days_from_ce(), (seconds / SECONDS_A_DAY).min(1.0))
}

/// Business days from one day to before another.
fn business_days(from: i32, to: i32) -> i32 {
    weekdays(from, to) - weekdays_off(from, to)
}

/// Mondays to Fridays from one day to before another. Day 1 is the Monday 1 January of the year 1.
fn weekdays(from: i32, to: i32) -> i32 {
    let before = |day: i32| (day - 1).div_euclid(7) * 5 + (day - 1).rem_euclid(7).min(5);
    (before(to) - before(from)).max(0)
}

/// Mondays to Fridays on which courts rest, from one day to before another: the recess of each year, and its holidays.
fn weekdays_off(from: i32, to: i32) -> i32 {
    let year_of = |day: i32| NaiveDate::from_num_days_from_ce_opt(day).map_or(0, |day| day.year());
    // The recess of the year before may reach into the first year.
    (year_of(from) - 1..=year_of(to))
        .map(|year| {
            let recess = match (number(year, 12, 20), number(year + 1, 1, 21)) {
                (Some(begin), Some(end)) => weekdays(begin.max(from), end.min(to).max(begin.max(from))),
                _ => 0,
            };
            let holidays =
                holidays(year).filter(|day| (from..to).contains(day) && weekdays(*day, *day + 1) == 1).count();
            recess + i32::try_from(holidays).unwrap_or(0)
        })
        .sum()
}

/// Each holiday once: in 2000 Sexta-feira Santa was Tiradentes too.
fn holidays(year: i32) -> impl Iterator<Item = i32> {
    let fixed = FIXED_HOLIDAYS.into_iter().filter(move |(.., since)| year >= *since);
    let fixed = fixed.filter_map(move |(month, day, _)| number(year, month, day));
    let easter = easter(year).map(|day| day.num_days_from_ce());
    let moving = EASTER_HOLIDAYS.into_iter().filter_map(move |after| Some(easter? + after));
    fixed.clone().chain(moving.filter(move |day| !fixed.clone().any(|other| other == *day)))
}

fn number(year: i32, month: u32, day: u32) -> Option<i32> {
    NaiveDate::from_ymd_opt(year, month, day).map(|day| day.num_days_from_ce())
}

/// Easter Sunday of a year of the Gregorian calendar (the rule of Butcher, as in Meeus, Astronomical Algorithms).
fn easter(year: i32) -> Option<NaiveDate> {
    let (golden, century, rest) = (year.rem_euclid(19), year.div_euclid(100), year.rem_euclid(100));
    let moon = (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15).rem_euclid(30);
    let week = (32 + 2 * (century % 4) + 2 * (rest / 4) - moon - rest % 4).rem_euclid(7);
    let correction = (golden + 11 * moon + 22 * week) / 451;
    let days = u64::try_from(moon + week - 7 * correction).ok()?;
    NaiveDate::from_ymd_opt(year, 3, 22)?.checked_add_days(Days::new(days))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn between(from: &str, to: &str) -> f64 {
        activity(midnight(day(from)), midnight(day(to)))
    }

    #[test]
    fn easter_is_where_it_was() {
        for text in ["2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2025-04-20", "2026-04-05", "2038-04-25"] {
            assert_eq!(easter(day(text).year()), Some(day(text)));
        }
    }

    #[test]
    fn days_on_which_courts_rest() {
        for rests in [
            "2026-08-22", // Saturday
            "2026-08-23", // Sunday
            "2026-02-16", // Carnaval
            "2026-02-17",
            "2026-04-03", // Sexta-feira Santa
            "2026-06-04", // Corpus Christi
            "2026-04-21",
            "2026-09-07",
            "2024-11-20",
            "2025-12-22", // recess
            "2026-01-01",
            "2026-01-20",
        ] {
            assert!(!is_business_day(day(rests)), "{rests}");
        }
        for works in ["2026-08-21", "2026-02-18", "2026-04-06", "2023-11-20", "2025-12-19", "2026-01-21"] {
            assert!(is_business_day(day(works)), "{works}");
        }
    }

    #[test]
    fn working_time_is_counted_in_business_days() {
        for (from, to, expected) in [
            ("2026-08-17", "2026-08-22", 5.0),
            ("2026-08-17", "2026-08-24", 5.2),
            ("2026-08-22", "2026-08-24", 0.2),
            ("2025-12-20", "2026-01-21", 3.2),
            ("2026-02-13", "2026-02-19", 2.0 + 0.4),
            ("2000-04-17", "2000-04-24", 4.3), // two holidays on one Friday
            ("2026-08-24", "2026-08-17", 0.0),
            ("2026-08-24", "2026-08-24", 0.0),
        ] {
            assert!((between(from, to) - expected).abs() < 1e-9, "{from}..{to}: {}", between(from, to));
        }
        let year = between("2026-01-01", "2027-01-01");
        assert!((230.0..250.0).contains(&year), "{year}");
    }

    /// What is Tuesday evening in São Paulo is Wednesday in UTC.
    #[test]
    fn days_are_those_of_sao_paulo() {
        let evening = Utc.with_ymd_and_hms(2026, 8, 19, 2, 59, 59).unwrap();
        assert_eq!(day_of(evening), day("2026-08-18"));
        assert_eq!(day_of(evening + TimeDelta::seconds(1)), day("2026-08-19"));
        assert_eq!(midnight(day("2026-08-19")), evening + TimeDelta::seconds(1));
        // Friday noon to Saturday noon: half a day of work, half a day off.
        let noon = Utc.with_ymd_and_hms(2026, 8, 21, 15, 0, 0).unwrap();
        assert!((activity(noon, noon + TimeDelta::days(1)) - 0.55).abs() < 1e-9);
    }

    #[test]
    fn the_ends_of_time_are_measured_too() {
        let (min, max) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        assert!(activity(min, max).is_finite() && activity(max, min) == 0.0);
        assert!(activity(min, min + TimeDelta::days(2)).is_finite());
        let now = midnight(day("2026-08-19"));
        assert!((2_000.0..3_000.0).contains(&activity(min, now)));
    }

    proptest! {
        #[test]
        fn spans_add_up(start in 0_i64..4_000_000_000, first in 0_i64..30_000_000, second in 0_i64..30_000_000) {
            let at = |second: i64| Utc.timestamp_opt(second, 0).unwrap();
            let (a, b, c) = (at(start), at(start + first), at(start + first + second));
            let whole = activity(a, c);
            prop_assert!((activity(a, b) + activity(b, c) - whole).abs() < 1e-6);
            let days = (c - a).as_seconds_f64() / SECONDS_A_DAY;
            prop_assert!(whole <= days + 1e-6 && whole >= days * REST_WEIGHT - 1e-6);
        }

        /// The closed form is what a walk over the days gives.
        #[test]
        fn the_closed_form_is_the_sum_of_its_days(start in 0_i64..20_000, length in 0_i64..900) {
            let start = day("1999-12-01") + TimeDelta::days(start);
            let days = (0..length).map(|after| if is_business_day(start + TimeDelta::days(after)) { 1.0 } else { REST_WEIGHT });
            let walked: f64 = days.sum();
            let closed = activity(midnight(start), midnight(start + TimeDelta::days(length)));
            prop_assert!((walked - closed).abs() < 1e-6, "{walked} {closed}");
        }
    }
}
