use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::domain::sample::{instant, process};
use crate::fetcher::messages::Failure;

const NOW: i64 = 1_000;

fn copy(fetched: i64, fresh_for: i64) -> Arc<Entry> {
    Arc::new(Entry::new(process(2, fetched), instant(fetched + fresh_for)).unwrap())
}

fn fresh() -> Said {
    Said::Copy(copy(NOW - 10, 100))
}

fn expired() -> Said {
    Said::Copy(copy(NOW - 500, 100))
}

fn failure() -> FetchError {
    FetchError { failure: Failure::ServerError, retry_after: None, cost_centavos: 0 }
}

fn version(fetched: i64) -> Version {
    Version::new(None, instant(fetched))
}

/// What the world says to one flight.
#[derive(Debug, Clone)]
struct World {
    near: Said,
    redis: Said,
    postgres: Said,
    vendor: Vendor,
}

#[derive(Debug, Clone, Copy)]
enum Vendor {
    Delivers,
    Knows404,
    Fails,
}

impl World {
    fn empty(vendor: Vendor) -> Self {
        Self { near: Said::Nothing, redis: Said::Nothing, postgres: Said::Nothing, vendor }
    }
}

/// Flies to the end; returns the flight, everything it intended, and how it landed.
fn fly(want: Want, world: &World) -> (Flight, Vec<Intent>, Landing) {
    let mut flight = Flight::new(process(0, 0).cnj, want);
    let mut event = Event::Opened { near: world.near.clone() };
    let mut intents = Vec::new();
    for _ in 0..10 {
        let mut next = None;
        for intent in flight.advance(event, instant(NOW)) {
            next = match &intent {
                Intent::AskRedis => Some(Event::Redis(world.redis.clone(), Duration::ZERO)),
                Intent::AskPostgres => Some(Event::Postgres(world.postgres.clone(), Duration::ZERO)),
                Intent::AskVendor => Some(match world.vendor {
                    Vendor::Delivers => Event::Bought(copy(NOW, 100), Duration::ZERO),
                    Vendor::Knows404 => {
                        Event::Unknown { version: version(NOW), until: instant(NOW + 60), took: Duration::ZERO }
                    }
                    Vendor::Fails => Event::NotBought(failure(), Duration::ZERO),
                }),
                Intent::StoreEverywhere(_) | Intent::StoreAbsence { .. } => Some(Event::Written),
                Intent::Land(landing) => {
                    let landing = landing.clone();
                    intents.push(intent);
                    return (flight, intents, landing);
                }
                Intent::Fill { .. } | Intent::DropFromRedis => next,
            };
            intents.push(intent);
        }
        event = next.expect("a flight that has not landed goes on");
    }
    panic!("a flight lands within ten steps");
}

fn want(reach: Reach) -> Want {
    Want { reach, not_before: None }
}

fn asked_vendor(intents: &[Intent]) -> usize {
    intents.iter().filter(|intent| matches!(intent, Intent::AskVendor)).count()
}

#[test]
fn the_first_lookup_buys_once_and_stores_before_it_lands() {
    let (_, intents, landing) = fly(want(Reach::Vendor), &World::empty(Vendor::Delivers));
    assert!(matches!(
        intents.as_slice(),
        [
            Intent::AskRedis,
            Intent::AskPostgres,
            Intent::AskVendor,
            Intent::StoreEverywhere(_),
            Intent::Land(Landing::Copy(Held { tier: Tier::Upstream, .. })),
        ]
    ));
    assert!(matches!(landing, Landing::Copy(_)));
}

#[test]
fn a_fresh_copy_in_postgresql_refills_redis_and_costs_nothing() {
    let world = World { postgres: fresh(), ..World::empty(Vendor::Delivers) };
    let (_, intents, _) = fly(want(Reach::Vendor), &world);
    assert_eq!(asked_vendor(&intents), 0);
    assert!(intents.iter().any(|intent| matches!(intent, Intent::Fill { redis: true, .. })));
}

#[test]
fn an_expired_copy_stays_in_hand_when_the_vendor_fails() {
    let world = World { near: expired(), redis: expired(), postgres: expired(), vendor: Vendor::Fails };
    let (flight, _, landing) = fly(want(Reach::Vendor), &world);
    assert!(matches!(landing, Landing::Failed(_)));
    let held = flight.held.unwrap();
    assert_eq!(held.served_from(false), ServedFrom::DatabaseFallback);
}

/// Near copies are confirmed by a tier once their near time is over; if no tier can be asked, they are believed rather than
/// bought again.
#[test]
fn a_near_copy_past_its_near_time_is_believed_only_when_nobody_can_confirm_it() {
    let away =
        World { near: fresh(), redis: Said::Failed("away"), postgres: Said::Failed("away"), vendor: Vendor::Delivers };
    let (_, intents, landing) = fly(want(Reach::Vendor), &away);
    assert_eq!(asked_vendor(&intents), 0);
    assert!(matches!(landing, Landing::Copy(Held { tier: Tier::Near, .. })));
    let removed = World { near: fresh(), ..World::empty(Vendor::Delivers) };
    assert_eq!(asked_vendor(&fly(want(Reach::Vendor), &removed).1), 1);
}

#[test]
fn a_corrupt_copy_is_dropped_and_bought_again_under_a_newer_version() {
    let corrupt = Said::Corrupt { cause: "corrupt", version: Some(version(NOW + 5)) };
    let world = World { redis: corrupt.clone(), postgres: corrupt, ..World::empty(Vendor::Delivers) };
    let (flight, intents, _) = fly(want(Reach::Vendor), &world);
    assert!(intents.iter().any(|intent| matches!(intent, Intent::DropFromRedis)));
    assert_eq!(asked_vendor(&intents), 1);
    assert_eq!(flight.newest_known(), Some(version(NOW + 5)));
}

#[test]
fn an_absence_is_believed_until_it_ends_and_a_refresh_asks_anyway() {
    let absent = |until| Said::Absent { version: version(NOW - 5), until: instant(until) };
    let world = |until| World { postgres: absent(until), ..World::empty(Vendor::Delivers) };
    assert!(matches!(fly(want(Reach::Vendor), &world(NOW + 5)).2, Landing::Unknown));
    assert_eq!(asked_vendor(&fly(want(Reach::Vendor), &world(NOW - 1)).1), 1);
    assert_eq!(asked_vendor(&fly(want(Reach::Refresh), &world(NOW + 5)).1), 1);
}

/// Unlike a refresh it does not insist: the vendor is told of the copy, and may say that it is current.
#[test]
fn a_revalidation_reaches_the_vendor_and_does_not_insist() {
    let world = World { near: fresh(), redis: fresh(), postgres: fresh(), vendor: Vendor::Delivers };
    for (reach, insists) in [(Reach::Revalidate, false), (Reach::Refresh, true)] {
        let (flight, intents, _) = fly(want(reach), &world);
        let (told, insist) = flight.for_the_vendor();
        assert_eq!((asked_vendor(&intents), told.is_some(), insist), (1, true, insists), "{reach:?}");
    }
    assert_eq!(want(Reach::Vendor).and(want(Reach::Revalidate)), want(Reach::Revalidate));
    assert_eq!(want(Reach::Revalidate).and(want(Reach::Refresh)), want(Reach::Refresh));
}

#[test]
fn a_reader_who_wants_only_held_copies_spends_nothing() {
    let (_, intents, landing) = fly(want(Reach::Held), &World::empty(Vendor::Delivers));
    assert_eq!(asked_vendor(&intents), 0);
    assert!(matches!(landing, Landing::NotAsked));
}

#[test]
fn a_reader_with_a_limit_on_age_gets_no_older_copy() {
    let demand = Demand { max_age: Some(Duration::from_secs(5)), ..Demand::default() };
    let world = World { redis: fresh(), postgres: fresh(), ..World::empty(Vendor::Delivers) };
    assert_eq!(asked_vendor(&fly(Want::of(&demand, instant(NOW)), &world).1), 1);
}

fn any_said() -> impl Strategy<Value = Said> {
    prop_oneof![
        (0..NOW, 1..NOW).prop_map(|(fetched, fresh_for)| Said::Copy(copy(fetched, fresh_for))),
        (0..NOW, 0..2 * NOW).prop_map(|(since, until)| Said::Absent { version: version(since), until: instant(until) }),
        Just(Said::Nothing),
        Just(Said::Corrupt { cause: "corrupt", version: None }),
        Just(Said::Failed("away")),
        Just(Said::Off),
    ]
}

fn any_world() -> impl Strategy<Value = World> {
    let vendor = prop_oneof![Just(Vendor::Delivers), Just(Vendor::Knows404), Just(Vendor::Fails)];
    (any_said(), any_said(), any_said(), vendor).prop_map(|(near, redis, postgres, vendor)| World {
        near,
        redis,
        postgres,
        vendor,
    })
}

fn any_want() -> impl Strategy<Value = Want> {
    let reach = prop_oneof![Just(Reach::Vendor), Just(Reach::Revalidate), Just(Reach::Refresh), Just(Reach::Held)];
    (reach, prop::option::of(0..NOW))
        .prop_map(|(reach, age)| Want { reach, not_before: age.map(|age| instant(NOW) - TimeDelta::seconds(age)) })
}

fn copies(world: &World) -> Vec<Version> {
    let versions = [&world.near, &world.redis, &world.postgres].map(|said| match said {
        Said::Copy(entry) => Some(entry.header().version),
        _ => None,
    });
    versions.into_iter().flatten().collect()
}

/// `only-if-cached` together with an age of zero must not send the others aboard to the vendor.
#[test]
fn a_reader_of_held_copies_asks_nothing_of_the_flight() {
    let held = Demand { reach: Reach::Held, max_age: Some(Duration::ZERO), ..Demand::default() };
    let both = want(Reach::Vendor).and(Want::of(&held, instant(NOW)).of_flight());
    assert_eq!(both, want(Reach::Vendor));
}

proptest! {
    #[test]
    fn every_flight_lands_and_keeps_its_promises(world in any_world(), want in any_want()) {
        let (flight, intents, landing) = fly(want, &world);
        let asked = asked_vendor(&intents);
        prop_assert!(asked <= 1, "the vendor is asked at most once");
        prop_assert!(asked == 0 || want.reach != Reach::Held, "who wants held copies spends nothing");
        prop_assert!(asked == 1 || !want.reach.passes_copies(), "a refresh reaches the vendor");
        let landings = intents.iter().filter(|intent| matches!(intent, Intent::Land(_))).count();
        prop_assert_eq!(landings, 1);
        match landing {
            Landing::Copy(held) if held.tier != Tier::Upstream => {
                prop_assert!(want.satisfied_by(&held.entry, instant(NOW)));
                prop_assert_eq!(asked, 0);
            }
            Landing::Copy(_) => {
                prop_assert!(intents.iter().any(|intent| matches!(intent, Intent::StoreEverywhere(_))), "paid is kept");
            }
            Landing::Failed(_) | Landing::NotAsked => {
                prop_assert_eq!(flight.held.map(|held| held.entry.header().version), copies(&world).into_iter().max());
            }
            Landing::Unknown => {
                let tiers_knew = [&world.near, &world.redis, &world.postgres].iter().any(|said| matches!(said, Said::Absent { .. }));
                prop_assert!(asked == 1 || tiers_knew, "somebody said so");
            }
        }
    }

    #[test]
    fn wants_add_up_in_any_order(one in any_want(), two in any_want(), three in any_want()) {
        prop_assert_eq!(one.and(two).and(three), three.and(one).and(two));
        prop_assert_eq!(one.and(one), one);
    }
}
