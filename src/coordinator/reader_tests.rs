use std::sync::Arc;

use super::*;
use crate::coordinator::trail::Tier;
use crate::domain::entry::Entry;
use crate::domain::sample::{instant, process};
use crate::domain::served::ServedFrom;
use crate::fetcher::messages::FetchError;

const NOW: i64 = 1_000;
const PATIENCE: Patience = Patience { soft: Duration::from_secs(2), hard: Duration::from_secs(30) };

fn hand(fresh_for: i64, believed: bool) -> Option<InHand> {
    let entry = Arc::new(Entry::new(process(2, NOW - 100), instant(NOW - 100 + fresh_for)).unwrap());
    Some(InHand { held: Held { entry, tier: Tier::Postgres }, believed })
}

fn fresh() -> Option<InHand> {
    hand(500, true)
}

fn expired() -> Option<InHand> {
    hand(50, true)
}

fn reach(reach: Reach) -> Demand {
    Demand { reach, ..Demand::default() }
}

fn reader(demand: Demand, since: std::time::Instant) -> Reader {
    Reader { demand, since, payer: true, collapsed: false }
}

/// What a reader gets when the vendor has been asked for `waited` seconds.
fn asking(demand: Demand, hand: Option<InHand>, waited: u64) -> Decision {
    let since = crate::ambient::Clock::monotonic(&crate::ambient::SystemClock);
    let progress = Progress::Asking { hand, since, trail: Trail::default() };
    decide(&reader(demand, since), &progress, PATIENCE, (since + Duration::from_secs(waited), instant(NOW)))
}

fn failed(demand: Demand, hand: Option<InHand>) -> Decision {
    let error = FetchError { failure: Failure::NoCredit, retry_after: None, cost_centavos: 7 };
    let landing = Landing::Failed(error);
    let progress = Progress::Landed { landing, hand, trail: Trail::default(), cost_centavos: 7, renewal: None };
    let now = crate::ambient::Clock::monotonic(&crate::ambient::SystemClock);
    decide(&reader(demand, now), &progress, PATIENCE, (now, instant(NOW)))
}

fn served(decision: Decision) -> (ServedFrom, Freshness) {
    match decision {
        Decision::Answer(answer) => answer.map(|served| (served.from, served.freshness)).unwrap(),
        Decision::Wait(_) => panic!("the reader waits"),
    }
}

fn refused(decision: Decision) -> LookupError {
    match decision {
        Decision::Answer(answer) => answer.unwrap_err(),
        Decision::Wait(_) => panic!("the reader waits"),
    }
}

const FALLBACK: ServedFrom = ServedFrom::DatabaseFallback;

#[test]
fn with_a_stale_copy_the_wait_is_the_soft_timeout() {
    assert!(matches!(asking(Demand::default(), expired(), 1), Decision::Wait(Some(_))));
    let stale = Freshness::Stale(Some(StaleReason::UpstreamTimeout));
    assert_eq!(served(asking(Demand::default(), expired(), 2)), (FALLBACK, stale));
}

#[test]
fn without_a_copy_the_wait_is_the_hard_timeout() {
    assert!(matches!(asking(Demand::default(), None, 29), Decision::Wait(Some(_))));
    let error = refused(asking(Demand::default(), None, 30));
    assert!(matches!(error, LookupError::Upstream { failure: Failure::TimedOut, .. }));
}

/// A reader who joins a flight that has taken long already waits as long as the first one did.
#[test]
fn without_a_copy_a_late_reader_has_a_wait_of_its_own() {
    let since = crate::ambient::Clock::monotonic(&crate::ambient::SystemClock);
    let progress = Progress::Asking { hand: None, since, trail: Trail::default() };
    let later = since + Duration::from_secs(40);
    let late = Reader { collapsed: true, ..reader(Demand::default(), later) };
    let decision = decide(&late, &progress, PATIENCE, (later, instant(NOW)));
    assert!(matches!(decision, Decision::Wait(Some(until)) if until == later + PATIENCE.hard));
}

/// Somebody else forced a refresh of a copy that is good enough for this reader.
#[test]
fn a_reader_whom_the_copy_satisfies_does_not_wait_for_anothers_refresh() {
    assert_eq!(served(asking(Demand::default(), fresh(), 0)), (ServedFrom::Database, Freshness::Fresh));
    assert!(matches!(asking(reach(Reach::Refresh), fresh(), 0), Decision::Wait(Some(_))));
    assert_eq!(served(failed(Demand::default(), fresh())), (ServedFrom::Database, Freshness::Fresh));
    let stale = Freshness::Stale(Some(StaleReason::CreditsExhausted));
    assert_eq!(served(failed(reach(Reach::Refresh), fresh())), (FALLBACK, stale));
}

/// A near copy that no tier confirms, or one older than an absence, is a fallback and nothing else.
#[test]
fn a_copy_that_is_not_believed_is_never_fresh() {
    assert!(matches!(asking(Demand::default(), hand(500, false), 0), Decision::Wait(Some(_))));
    let (_, freshness) = served(failed(Demand::default(), hand(500, false)));
    assert_ne!(freshness, Freshness::Fresh);
}

#[test]
fn who_wants_held_copies_only_takes_any_unless_it_names_a_limit() {
    let held = reach(Reach::Held);
    assert_eq!(served(asking(held, expired(), 0)), (FALLBACK, Freshness::Stale(None)));
    assert_eq!(served(failed(held, expired())), (FALLBACK, Freshness::Stale(None)));
    let young = Demand { max_age: Some(Duration::from_secs(60)), ..held };
    assert_eq!(refused(asking(young, fresh(), 0)), LookupError::NotHeld);
    let barely_stale = Demand { max_stale: Some(Duration::from_secs(10)), ..held };
    assert_eq!(refused(failed(barely_stale, expired())), LookupError::NotHeld);
    assert_eq!(refused(asking(held, None, 0)), LookupError::NotHeld);
}

#[test]
fn a_welcome_stale_copy_is_served_at_once() {
    let welcome = |seconds| Demand { max_stale: Some(Duration::from_secs(seconds)), ..Demand::default() };
    let revalidating = Freshness::Stale(Some(StaleReason::Revalidating));
    assert_eq!(served(asking(welcome(60), expired(), 0)), (FALLBACK, revalidating));
    assert!(matches!(asking(welcome(10), expired(), 0), Decision::Wait(Some(_))));
}

#[test]
fn those_aboard_a_lost_flight_are_told() {
    let now = crate::ambient::Clock::monotonic(&crate::ambient::SystemClock);
    let told = decide(&reader(Demand::default(), now), &Progress::Lost, PATIENCE, (now, instant(NOW)));
    assert!(matches!(refused(told), LookupError::Recovering { .. }));
}

fn patient(reach: Reach) -> Demand {
    Demand { reach, patient: true, ..Demand::default() }
}

/// Nobody waits behind it: a stale copy would be news to nobody, and a failure must not look like one.
#[test]
fn a_patient_reader_waits_for_the_end_and_hears_what_it_was() {
    for reach in [Reach::Vendor, Reach::Revalidate] {
        for hand in [expired(), None] {
            assert!(matches!(asking(patient(reach), hand.clone(), 90), Decision::Wait(None)), "{reach:?}");
            let error = refused(failed(patient(reach), hand));
            let LookupError::Upstream { failure, cost_centavos, .. } = error else { panic!("{error:?}") };
            assert_eq!((failure, cost_centavos), (Failure::NoCredit, 7));
        }
    }
    assert!(matches!(asking(patient(Reach::Revalidate), fresh(), 90), Decision::Wait(None)));
    assert_eq!(served(asking(patient(Reach::Vendor), fresh(), 0)).1, Freshness::Fresh, "that is all it wants");
}

#[test]
fn whoever_waited_for_the_vendor_learns_what_it_made_of_the_copy() {
    let copy = fresh().unwrap().held;
    let landed = Progress::Landed {
        landing: Landing::Copy(copy),
        hand: None,
        trail: Trail::default(),
        cost_centavos: 0,
        renewal: Some(Renewal::Confirmed),
    };
    let now = crate::ambient::Clock::monotonic(&crate::ambient::SystemClock);
    match decide(&reader(patient(Reach::Revalidate), now), &landed, PATIENCE, (now, instant(NOW))) {
        Decision::Answer(answer) => assert_eq!(answer.unwrap().renewal, Some(Renewal::Confirmed)),
        Decision::Wait(_) => panic!("it has landed"),
    }
}
