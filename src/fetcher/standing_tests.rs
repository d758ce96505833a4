use proptest::prelude::*;

use super::*;
use crate::ambient::{Clock, SystemClock};

const SECOND: Duration = Duration::from_secs(1);

fn standing() -> (Standing, Instant) {
    (Standing::new(StandingSettings::default()), SystemClock.monotonic())
}

fn ask(standing: &mut Standing, outcome: CallOutcome, now: Instant) -> Change {
    let ticket = standing.admit(Endpoint::Cover, now).unwrap();
    standing.report(ticket, Endpoint::Cover, outcome, None, (now, 1.0))
}

fn stopped(change: Change) -> (HoldReason, Failure) {
    match change {
        Change::Stopped(hold) => (hold.reason, hold.failure),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_402_stops_everything_until_the_balance_shows_credit() {
    let (mut standing, now) = standing();
    assert_eq!(stopped(ask(&mut standing, CallOutcome::NoCredit, now)), (HoldReason::NoCredit, Failure::NoCredit));
    let later = now + 3_600 * SECOND;
    for endpoint in [Endpoint::Cover, Endpoint::Status] {
        assert_eq!(standing.admit(endpoint, later).unwrap_err().reason, HoldReason::NoCredit, "no reader is the trial");
    }
    assert!(!standing.wants_probe(now + SECOND) && standing.wants_probe(later));
    let _probe = standing.admit(Endpoint::Balance, later).unwrap();
    assert!(standing.admit(Endpoint::Balance, later).is_err(), "one at a time");
    let change = standing.has_credit(false, (later, 1.0));
    assert_eq!(stopped(change).0, HoldReason::NoCredit);
    let even_later = later + 3_600 * SECOND;
    let _probe = standing.admit(Endpoint::Balance, even_later).unwrap();
    assert_eq!(standing.has_credit(true, (even_later, 1.0)), Change::Resumed);
    assert!(standing.admit(Endpoint::Cover, even_later).is_ok());
}

#[test]
fn a_look_at_the_balance_takes_nobodys_turn_after_an_outage() {
    let (mut standing, now) = standing();
    for _ in 0..5 {
        ask(&mut standing, CallOutcome::ServerError, now);
    }
    assert!(standing.admit(Endpoint::Balance, now).is_err(), "nothing is asked now");
    let later = now + 60 * SECOND;
    let look = standing.admit(Endpoint::Balance, later).unwrap();
    assert_eq!(standing.report(look, Endpoint::Balance, CallOutcome::Ok, None, (later, 1.0)), Change::None);
    assert_eq!(ask(&mut standing, CallOutcome::Ok, later), Change::Resumed);
}

#[test]
fn without_a_balance_route_a_reader_is_the_trial() {
    let (mut standing, now) = standing();
    ask(&mut standing, CallOutcome::NoCredit, now);
    let later = now + 60 * SECOND;
    let _probe = standing.admit(Endpoint::Balance, later).unwrap();
    standing.balance_is_mute(later);
    assert!(!standing.wants_probe(later));
    let trial = standing.admit(Endpoint::Cover, later).unwrap();
    assert!(standing.admit(Endpoint::Cover, later).is_err(), "one at a time");
    assert_eq!(standing.report(trial, Endpoint::Cover, CallOutcome::Ok, None, (later, 1.0)), Change::Resumed);
}

#[test]
fn a_balance_route_that_is_broken_or_closed_does_not_hold_readers_off_for_ever() {
    for broken in [CallOutcome::Unauthorized, CallOutcome::ServerError, CallOutcome::TimedOut] {
        let (mut standing, mut now) = standing();
        ask(&mut standing, CallOutcome::NoCredit, now);
        for round in 0..3 {
            for probe in 0..DEAF_PROBES {
                now = standing.hold().unwrap().until;
                assert!(standing.wants_probe(now) && standing.check(Endpoint::Cover, now).is_err(), "{round} {probe}");
                let probe = standing.admit(Endpoint::Balance, now).unwrap();
                standing.report(probe, Endpoint::Balance, broken, None, (now, 1.0));
            }
            now = standing.hold().unwrap().until;
            assert!(!standing.wants_probe(now), "a reader's turn");
            let trial = standing.admit(Endpoint::Cover, now).unwrap();
            assert!(standing.admit(Endpoint::Cover, now).is_err(), "one at a time");
            let said = if round < 2 { CallOutcome::NoCredit } else { CallOutcome::Ok };
            standing.report(trial, Endpoint::Cover, said, None, (now, 1.0));
        }
        assert_eq!(standing.hold(), None, "{broken:?}");
    }
}

#[test]
fn a_refused_key_is_tried_more_and_more_slowly() {
    let (mut standing, mut now) = standing();
    let mut pauses = Vec::new();
    let mut change = ask(&mut standing, CallOutcome::Unauthorized, now);
    for _ in 0..9 {
        let Change::Stopped(hold) = change else { panic!("{change:?}") };
        pauses.push((hold.until - now).as_secs());
        now = hold.until;
        let endpoint = if standing.wants_probe(now) { Endpoint::Balance } else { Endpoint::Cover };
        let probe = standing.admit(endpoint, now).unwrap();
        change = standing.report(probe, endpoint, CallOutcome::Unauthorized, None, (now, 1.0));
    }
    assert_eq!(pauses, [4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!(standing.hold().map(|hold| hold.reason), Some(HoldReason::Unauthorized));
}

#[test]
fn a_limit_is_kept_until_its_time_and_not_a_moment_longer() {
    let (mut standing, now) = standing();
    let ticket = standing.admit(Endpoint::Cover, now).unwrap();
    let advice = Some(30 * SECOND);
    standing.report(ticket, Endpoint::Cover, CallOutcome::RateLimited, advice, (now, 0.0));
    let hold = standing.admit(Endpoint::Balance, now + 29 * SECOND).unwrap_err();
    assert_eq!((hold.failure, hold.until), (Failure::RateLimited, now + 30 * SECOND));
    assert_eq!(ask(&mut standing, CallOutcome::Ok, now + 30 * SECOND), Change::Resumed);
}

#[test]
fn an_outage_costs_probes() {
    let (mut standing, start) = standing();
    let (mut now, mut sent) = (start, 0);
    while now < start + 600 * SECOND {
        if standing.admit(Endpoint::Cover, now).is_ok_and(|ticket| {
            standing.report(ticket, Endpoint::Cover, CallOutcome::ServerError, None, (now, 0.0));
            true
        }) {
            sent += 1;
        }
        now += Duration::from_millis(50);
    }
    assert!((20..=50).contains(&sent), "{sent} requests in ten minutes of outage, of 12,000 wanted");
    assert_eq!(standing.hold().map(|hold| hold.failure), Some(Failure::ServerError));
    now += 60 * SECOND;
    assert_eq!(ask(&mut standing, CallOutcome::Unknown, now), Change::Resumed, "a 404 is an answer");
}

#[test]
fn what_was_on_its_way_changes_nothing() {
    let (mut standing, now) = standing();
    let early = standing.admit(Endpoint::Cover, now).unwrap();
    ask(&mut standing, CallOutcome::NoCredit, now);
    let hold = standing.hold();
    for outcome in [CallOutcome::Ok, CallOutcome::NoCredit, CallOutcome::ServerError, CallOutcome::Interrupted] {
        assert_eq!(standing.report(early, Endpoint::Cover, outcome, None, (now + SECOND, 0.0)), Change::None);
        assert_eq!(standing.hold(), hold);
    }
}

#[test]
fn a_success_in_between_starts_the_count_over() {
    let (mut standing, now) = standing();
    for _ in 0..10 {
        (0..4).for_each(|_| assert_eq!(ask(&mut standing, CallOutcome::TimedOut, now), Change::None));
        assert_eq!(ask(&mut standing, CallOutcome::Ok, now), Change::None);
    }
}

/// A cover is paid before its movements fail: with each round of trials that is money for nothing, so the rounds become rarer.
#[test]
fn an_outage_of_one_endpoint_is_not_hidden_by_another_that_answers() {
    let (mut standing, start) = standing();
    let (mut now, mut covers) = (start, 0);
    let report = |standing: &mut Standing, endpoint, outcome, now| {
        let ticket = standing.admit(endpoint, now)?;
        Ok::<_, Hold>(standing.report(ticket, endpoint, outcome, None, (now, 1.0)))
    };
    while now < start + 600 * SECOND {
        if report(&mut standing, Endpoint::Cover, CallOutcome::Ok, now).is_ok() {
            covers += 1;
            let _held = report(&mut standing, Endpoint::Movements, CallOutcome::ServerError, now);
        }
        now += Duration::from_millis(50);
    }
    assert!((20..=35).contains(&covers), "{covers} covers in ten minutes, of 12,000 wanted");
    now += 60 * SECOND;
    for endpoint in [Endpoint::Cover, Endpoint::Movements, Endpoint::Cover] {
        report(&mut standing, endpoint, CallOutcome::Ok, now).unwrap();
    }
    (0..4).for_each(|_| assert_eq!(ask(&mut standing, CallOutcome::TimedOut, now), Change::None, "all is forgotten"));
}

#[test]
fn a_trial_that_is_never_heard_of_again_does_not_stop_us_for_ever() {
    let (mut standing, now) = standing();
    (0..5).for_each(|_| assert!(ask(&mut standing, CallOutcome::Unreachable, now) != Change::Resumed));
    let later = now + 60 * SECOND;
    let _lost = standing.admit(Endpoint::Cover, later).unwrap();
    assert!(standing.admit(Endpoint::Cover, later + SECOND).is_err());
    assert!(standing.admit(Endpoint::Cover, later + 60 * SECOND).is_ok());
}

fn any_outcome() -> impl Strategy<Value = CallOutcome> {
    prop::sample::select(CallOutcome::ALL.to_vec())
}

proptest! {
    /// Whatever the vendor says and in whatever order, a vendor that then answers well is asked again within the longest pause.
    #[test]
    fn nothing_stops_us_for_ever(
        script in prop::collection::vec((any_outcome(), any::<bool>(), 0_u64..400, prop::option::of(0_u64..120)), 0..60),
    ) {
        let (mut standing, mut now) = standing();
        for (outcome, probe, pause, advice) in script {
            now += Duration::from_secs(pause);
            let endpoint = if probe { Endpoint::Balance } else { Endpoint::Cover };
            if let Ok(ticket) = standing.admit(endpoint, now) {
                standing.report(ticket, endpoint, outcome, advice.map(Duration::from_secs), (now, 0.5));
            }
        }
        now += 400 * SECOND;
        if standing.wants_probe(now) {
            let _probe = standing.admit(Endpoint::Balance, now).unwrap();
            standing.has_credit(true, (now, 0.5));
        }
        prop_assert!(standing.admit(Endpoint::Cover, now).is_ok());
    }
}
