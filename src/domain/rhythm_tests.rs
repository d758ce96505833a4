use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{Days, TimeDelta, TimeZone};
use proptest::prelude::*;

use super::*;
use crate::domain::sample::process;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 8, 21, 21, 0, 0).unwrap()
}

fn rate_of(ages: &[u64]) -> f64 {
    let days = ages.iter().filter_map(|age| day_of(now()).checked_sub_days(Days::new(*age)));
    Rhythm::learned(days, Segment::Estadual, Phase::Instrutoria, now()).changes_per_business_day
}

/// A process with movements so many days ago; `None`: without a date.
fn with_days(ages: &[Option<i64>]) -> Snapshot {
    let mut snapshot = process(u32::try_from(ages.len()).unwrap(), 0);
    for (movement, age) in snapshot.movements.iter_mut().zip(ages) {
        movement.date = age.map(|age| day_of(now()) - TimeDelta::days(age));
        movement.text = "CERTIDAO DE CARTORIO EXPEDIDA".into();
    }
    snapshot
}

#[test]
fn priors_follow_phase_and_segment() {
    let rate = |segment, phase| Rhythm::prior(segment, phase).changes_per_business_day;
    let by_phase: Vec<f64> = Phase::ALL.into_iter().map(|phase| rate(Segment::Estadual, phase)).collect();
    assert!(by_phase.windows(2).all(|pair| pair[0] > pair[1]), "{by_phase:?}");
    assert!((rate(Segment::Estadual, Phase::Instrutoria) - ORDINARY_RATE).abs() < 1e-12);
    assert!(rate(Segment::Trabalho, Phase::Recursal) > rate(Segment::Estadual, Phase::Recursal));
    assert!(rate(Segment::Federal, Phase::Recursal) < rate(Segment::Estadual, Phase::Recursal));
}

#[test]
fn a_young_process_leans_on_the_prior_and_an_old_one_on_itself() {
    let young = rate_of(&[1]);
    assert!((0.10..0.20).contains(&young), "{young}");
    let weekly: Vec<u64> = (0..100).map(|week| week * 7).collect();
    assert!((0.17..0.23).contains(&rate_of(&weekly)), "{}", rate_of(&weekly));
    let daily: Vec<u64> = (0..400).collect();
    assert!(rate_of(&daily) > 0.8);
    assert!(rate_of(&[700, 720]) < 0.03, "silent for two years");
}

#[test]
fn recent_days_weigh_more() {
    let (recently, long_ago) = (rate_of(&[1, 3, 5, 500]), rate_of(&[480, 490, 495, 500]));
    assert!(recently > 2.0 * long_ago, "{recently} {long_ago}");
}

#[test]
fn what_has_no_day_or_one_to_come_counts_for_nothing() {
    let plain = Rhythm::of(&with_days(&[Some(3), Some(40)]), now());
    assert_eq!(Rhythm::of(&with_days(&[Some(-300), Some(3), Some(40), None]), now()), plain);
    let alone = Rhythm::of(&with_days(&[Some(-300), None]), now());
    assert_eq!(alone, Rhythm::prior(Segment::Estadual, Phase::Inicial));
    assert_eq!(alone, Rhythm::of(&with_days(&[]), now()));
}

#[test]
fn many_movements_of_a_day_are_one_change() {
    let plain = Rhythm::of(&with_days(&[Some(3), Some(40)]), now());
    assert_eq!(Rhythm::of(&with_days(&[Some(3), Some(3), Some(3), Some(40)]), now()), plain);
}

#[test]
fn the_archive_quietens_a_busy_process() {
    let mut busy = with_days(&(0..60).map(Some).collect::<Vec<_>>());
    let before = Rhythm::of(&busy, now()).changes_per_business_day;
    busy.movements[0].text = "ARQUIVADO DEFINITIVAMENTE".into();
    let after = Rhythm::of(&busy, now()).changes_per_business_day;
    assert!(before > 0.5 && after < before / 3.0, "{before} {after}");
}

/// All work is in the movements' number, not in how far apart they are: a process of 10,000 days takes a moment even unoptimised.
#[test]
fn ten_thousand_movements_of_thirty_years_are_bounded() {
    let snapshot = with_days(&(0..10_000).map(Some).collect::<Vec<_>>());
    assert!((0.8..=MAX_RATE).contains(&Rhythm::of(&snapshot, now()).changes_per_business_day));
}

proptest! {
    #[test]
    fn any_process_is_within_bounds(ages in prop::collection::vec(prop::option::of(-4_000_i64..12_000), 0..40)) {
        let rate = Rhythm::of(&with_days(&ages), now()).changes_per_business_day;
        prop_assert!((MIN_RATE..=MAX_RATE).contains(&rate));
    }

    /// In every phase: a movement of today never makes a process look quieter, whatever it did before.
    #[test]
    fn one_more_recent_day_never_lowers_the_rate(ages in prop::collection::btree_set(0_u64..2_000, 0..80), phase in 0..6_usize) {
        let rate = |ages: &BTreeSet<u64>| {
            let days = ages.iter().filter_map(|age| day_of(now()).checked_sub_days(Days::new(*age)));
            Rhythm::learned(days, Segment::Estadual, Phase::ALL[phase], now()).changes_per_business_day
        };
        let more = ages.iter().copied().chain([0]).collect();
        prop_assert!(rate(&more) >= rate(&ages));
    }

    /// Any day later than the first that is known: what is watched stays the same, what is seen grows.
    #[test]
    fn one_more_day_after_the_first_never_lowers_the_rate(ages in prop::collection::btree_set(0_u64..2_000, 1..80), place in 0.0..1.0_f64) {
        let oldest = *ages.last().unwrap();
        let age = Duration::from_secs(oldest).mul_f64(place).as_secs();
        let more: Vec<u64> = ages.iter().copied().chain([age]).collect();
        let before: Vec<u64> = ages.into_iter().collect();
        prop_assert!(rate_of(&more) >= rate_of(&before));
    }
}
