use std::sync::Arc;

use chrono::{Days, NaiveDate};
use proptest::prelude::*;

use super::*;
use crate::domain::movement::MovementId;
use crate::domain::sample::{instant, process};

fn entry(snapshot: Snapshot, fresh_until: i64) -> Entry {
    Entry::new(snapshot, instant(fresh_until)).unwrap()
}

fn settings() -> CoordinatorSettings {
    CoordinatorSettings { adaptive: None, jitter: false, ..CoordinatorSettings::default() }
}

fn movement(id: i64, day: u64) -> Box<Movement> {
    let date = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap().checked_add_days(Days::new(day));
    Box::new(Movement { id: MovementId::vendor(id), date, ..process(1, 0).movements.remove(0) })
}

fn change(held: &Entry, amendment: &Amendment, now: i64) -> Change {
    amended(held, held.header().version, amendment, &settings(), instant(now)).unwrap()
}

fn changed(held: &Entry, amendment: &Amendment, now: i64) -> Entry {
    match change(held, amendment, now) {
        Change::Changed(entry) => *entry,
        other => panic!("{other:?}"),
    }
}

fn ids(entry: &Entry) -> Vec<String> {
    entry.snapshot().unwrap().movements.iter().map(|movement| movement.id.to_string()).collect()
}

#[test]
fn a_movement_is_added_in_its_place_and_only_once() {
    let held = entry(process(3, 100), 500);
    // An old date, and an id that is higher than all.
    let told = Amendment::Movement(movement(9999, 1));
    let once = changed(&held, &told, 900);
    assert_eq!(ids(&once), ["1002", "9999", "1001", "1000"]);
    assert!(matches!(change(&once, &told, 901), Change::Already));
    let (before, after) = (held.header(), once.header());
    assert_eq!((after.version.verified_at, after.fresh_until), (before.version.verified_at, before.fresh_until));
    assert!(after.version > before.version && after.version.fetched_at < instant(101), "{:?}", after.version);
    let snapshot = once.snapshot().unwrap();
    assert_eq!((snapshot.total_movements(), snapshot.last_update()), (4, held.snapshot().unwrap().last_update()));
    assert_eq!(snapshot.version, after.version);
}

#[test]
fn total_and_last_update_follow() {
    let mut snapshot = process(3, 100);
    snapshot.cover.declared_total = Some(10);
    let after = changed(&entry(snapshot, 500), &Amendment::Movement(movement(5, 40)), 900);
    let after = after.snapshot().unwrap();
    assert_eq!((after.total_movements(), after.last_update()), (11, movement(5, 40).date));
    let mut empty = process(0, 100);
    empty.cover.declared_total = None;
    let after = changed(&entry(empty, 500), &Amendment::Movement(movement(5, 40)), 900).snapshot().unwrap();
    assert_eq!((after.total_movements(), after.cover.last_movement), (1, movement(5, 40).date));
}

#[test]
fn a_verification_makes_the_copy_fresh_as_of_then_and_only_once() {
    let held = entry(process(3, 100), 500);
    // Finer than what is kept.
    let told = Amendment::Verified(instant(2_000) + chrono::TimeDelta::nanoseconds(7));
    let once = changed(&held, &told, 2_010);
    let (version, day) = (once.header().version, 24 * 3600);
    assert_eq!(version, Version::new(Some(instant(2_000)), instant(2_000)));
    assert_eq!(once.header().fresh_until, instant(2_000 + day));
    assert_eq!((once.etag(), ids(&once)), (held.etag(), ids(&held)));
    assert!(matches!(change(&once, &told, 3_000), Change::Already));
    assert!(matches!(change(&once, &Amendment::Verified(instant(1_500)), 3_000), Change::Already));
}

#[test]
fn a_verification_never_shortens_what_is_fresh_and_never_lies_in_the_future() {
    let held = entry(process(3, 100), 200_000);
    let told_late = changed(&held, &Amendment::Verified(instant(50)), 150_000);
    assert_eq!(told_late.header().fresh_until, instant(200_000));
    assert!(told_late.header().version > held.header().version);
    let vendors_clock_is_ahead = changed(&held, &Amendment::Verified(instant(9_000_000)), 1_000);
    assert_eq!(vendors_clock_is_ahead.header().version.verified_at, Some(instant(1_000)));
}

#[test]
fn another_vendors_copy_is_left_alone() {
    let mut snapshot = process(3, 100);
    snapshot.provider = Provider::Datajud;
    let held = entry(snapshot, 500);
    for told in [Amendment::Movement(movement(5, 1)), Amendment::Verified(instant(2_000))] {
        assert!(matches!(change(&held, &told, 3_000), Change::NotOurs));
    }
}

fn copy(fetched: i64) -> Said {
    Said::Copy(Arc::new(entry(process(1, fetched), 500)))
}

fn version(fetched: i64) -> Version {
    process(1, fetched).version
}

#[test]
fn the_newest_copy_of_any_tier_is_taken_and_known_to_be_missing_above() {
    let found = |near, redis, postgres| holding(near, redis, postgres, true);
    let holding_of = |near, redis, postgres| {
        let holding = found(near, redis, postgres).unwrap();
        (holding.held.tier, holding.newest, holding.redis_lacks)
    };
    assert_eq!(holding_of(Said::Nothing, copy(5), copy(9)), (Tier::Postgres, version(9), true));
    assert_eq!(holding_of(copy(9), copy(5), Said::Nothing), (Tier::Near, version(9), true));
    assert_eq!(holding_of(copy(5), copy(9), copy(5)), (Tier::Redis, version(9), false));
    assert_eq!(holding_of(copy(9), copy(9), copy(9)), (Tier::Postgres, version(9), false));
    assert_eq!(holding_of(Said::Off, Said::Off, copy(9)), (Tier::Postgres, version(9), false));
    let corrupt = Said::Corrupt { cause: "corrupt", version: Some(version(70)) };
    assert_eq!(holding_of(copy(9), Said::Nothing, corrupt), (Tier::Near, version(70), true));
    let stored_counts_not = holding(copy(9), Said::Off, copy(9), false).unwrap();
    assert_eq!(stored_counts_not.held.tier, Tier::Near);
    assert!(found(Said::Nothing, Said::Failed("away"), Said::Nothing).is_none());
}

#[test]
fn what_the_vendor_said_does_not_exist_is_not_amended() {
    let absent = |since| Said::Absent { version: Version::new(Some(instant(0)), instant(since)), until: instant(999) };
    assert!(holding(copy(5), Said::Nothing, absent(6), true).is_none());
    assert!(holding(copy(5), Said::Nothing, absent(4), true).is_some());
}

proptest! {
    /// Whatever is told, in whatever order and however often: all of it is there, once, and every change is newer than the last.
    #[test]
    fn amendments_add_up(told in prop::collection::vec((0_i64..6, 0_u64..50, prop::option::of(0_i64..5_000)), 0..30)) {
        let mut held = entry(process(2, 100), 500);
        let mut known: std::collections::BTreeSet<String> = ids(&held).into_iter().collect();
        for (id, day, at) in told {
            let amendment = match at {
                Some(at) => Amendment::Verified(instant(at)),
                None => {
                    known.insert(id.to_string());
                    Amendment::Movement(movement(id, day))
                }
            };
            if let Change::Changed(next) = change(&held, &amendment, 5_000) {
                prop_assert!(next.header().version > held.header().version);
                prop_assert!(next.header().fresh_until >= held.header().fresh_until);
                held = *next;
            }
            prop_assert!(matches!(change(&held, &amendment, 5_000), Change::Already));
        }
        let found = ids(&held);
        prop_assert_eq!(found.len(), known.len());
        prop_assert_eq!(found.into_iter().collect::<std::collections::BTreeSet<_>>(), known);
    }
}
