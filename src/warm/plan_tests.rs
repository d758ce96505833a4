use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::domain::cnj::Cnj;

const WAIT: Duration = Duration::from_secs(2);

fn item(attempts: u32, strikes: u32) -> TakenItem {
    TakenItem {
        list: "0123456789abcdef".into(),
        position: 1,
        cnj: Cnj::parse("0000001-39.2024.8.26.0100").unwrap(),
        attempts,
        claim: 1,
        strikes,
        requested_at: DateTime::UNIX_EPOCH,
    }
}

fn upstream(failure: Failure) -> Seen {
    Seen::Refused(LookupError::Upstream { failure, retry_after: WAIT, cost_centavos: 3 })
}

fn served(from: ServedFrom, freshness: Freshness) -> Seen {
    Seen::Served { from, freshness, cost_centavos: 7 }
}

fn held(fetched_since: bool) -> Seen {
    Seen::Held { from: ServedFrom::Redis, fetched_since }
}

fn stale(reason: StaleReason) -> Seen {
    served(ServedFrom::DatabaseFallback, Freshness::Stale(Some(reason)))
}

fn decide(item: &TakenItem, seen: &Seen) -> ItemNote {
    after(item, seen, &WarmSettings::default(), 0.5)
}

/// The item's state, its attempts, what was paid, and what its list does: `none`, `resume`, `next` or why it pauses.
fn told(item: &TakenItem, seen: &Seen) -> (&'static str, u32, u64, &'static str) {
    let note = decide(item, seen);
    let list = match note.list {
        ListChange::None => "none",
        ListChange::Resume => "resume",
        ListChange::TryNext => "next",
        ListChange::Pause { reason, .. } => reason.as_str(),
    };
    (note.next.state().as_str(), note.attempts, note.cost_centavos, list)
}

#[test]
fn what_settles_a_process() {
    let absent = Seen::Refused(LookupError::Unknown);
    for (seen, state, cost, in_a_trial) in [
        (held(false), "known", 0, "next"),
        (held(true), "known", 0, "next"),
        (Seen::Followed(ServedFrom::Database), "done", 0, "resume"),
        (served(ServedFrom::Api, Freshness::Fresh), "done", 7, "resume"),
        (served(ServedFrom::Database, Freshness::Fresh), "known", 7, "next"),
        (absent, "unknown", 0, "resume"),
    ] {
        assert_eq!(told(&item(2, 0), &seen), (state, 2, cost, "none"), "{seen:?}");
        assert_eq!(told(&item(2, 3), &seen), (state, 2, cost, in_a_trial), "{seen:?} after trouble");
    }
}

/// A node died between buying and saying so.
#[test]
fn what_an_earlier_try_has_bought_is_done() {
    let again = TakenItem { claim: 2, ..item(0, 1) };
    assert_eq!(told(&again, &held(true)), ("done", 0, 0, "next"));
    assert_eq!(told(&again, &held(false)), ("known", 0, 0, "next"));
}

#[test]
fn what_stops_everything_burns_no_process() {
    for (seen, reason) in [
        (upstream(Failure::NoProvider), "no-provider"),
        (upstream(Failure::Unauthorized), "upstream-unavailable"),
        (upstream(Failure::NoCredit), "credits-exhausted"),
        (upstream(Failure::BudgetExhausted), "budget-exhausted"),
        (upstream(Failure::RateLimited), "rate-limited"),
        (stale(StaleReason::CreditsExhausted), "credits-exhausted"),
        (stale(StaleReason::BudgetExhausted), "budget-exhausted"),
        (stale(StaleReason::RateLimited), "rate-limited"),
        (stale(StaleReason::NoProvider), "no-provider"),
        (Seen::Refused(LookupError::Overloaded { retry_after: WAIT }), "overloaded"),
    ] {
        for strikes in [0, 1, 40] {
            let (state, attempts, _, list) = told(&item(49, strikes), &seen);
            assert_eq!((state, attempts, list), ("waiting", 49, reason), "{seen:?}");
            assert_eq!(decide(&item(49, strikes), &seen).next, ItemNext::Again { after_seconds: 0.0 }, "{seen:?}");
        }
    }
}

#[test]
fn a_process_that_fails_while_the_vendor_answers_is_given_up_after_a_few_attempts() {
    for failure in [Failure::Refused, Failure::Unreadable, Failure::EndlessPages] {
        assert_eq!(told(&item(0, 0), &upstream(failure)), ("waiting", 1, 3, "none"));
        assert_eq!(told(&item(3, 1), &upstream(failure)), ("waiting", 4, 3, "resume"), "the vendor answers");
        assert_eq!(told(&item(4, 0), &upstream(failure)), ("failed", 5, 3, "none"));
        assert_eq!(decide(&item(4, 0), &upstream(failure)).outcome, failure.as_str());
    }
}

/// It may be the process and it may be the vendor: the list pauses, and the process is given up only if the vendor answered for others.
#[test]
fn in_doubt_the_list_pauses_and_an_outage_gives_nothing_up() {
    for (seen, reason) in [
        (upstream(Failure::ServerError), "upstream-unavailable"),
        (upstream(Failure::Unreachable), "upstream-unavailable"),
        (upstream(Failure::TimedOut), "upstream-timeout"),
        (stale(StaleReason::UpstreamUnavailable), "upstream-unavailable"),
        (stale(StaleReason::UpstreamTimeout), "upstream-timeout"),
        (Seen::Refused(LookupError::Recovering { retry_after: WAIT }), "overloaded"),
    ] {
        let of = |attempts, strikes| {
            let (state, attempts, _, list) = told(&item(attempts, strikes), &seen);
            assert_eq!(list, reason, "{seen:?}");
            (state, attempts)
        };
        assert_eq!(of(0, 0), ("waiting", 1), "{seen:?}");
        assert_eq!(of(4, 1), ("waiting", 5), "{seen:?}: nobody was answered");
        assert_eq!(of(4, 0), ("failed", 5), "{seen:?}: others were");
        assert_eq!(of(48, 9), ("waiting", 49), "{seen:?}");
        assert_eq!(of(49, 9), ("failed", 50), "{seen:?}: for hours");
    }
}

#[test]
fn pauses_double_heed_who_asks_for_longer_and_have_a_longest() {
    let seconds = |strikes, retry_after, fraction| {
        let seen = Seen::Refused(LookupError::Overloaded { retry_after });
        match after(&item(0, strikes), &seen, &WarmSettings::default(), fraction).list {
            ListChange::Pause { seconds, strikes: next, .. } => {
                assert_eq!(next, strikes + 1);
                seconds
            }
            other => panic!("{other:?}"),
        }
    };
    let short = Duration::from_secs(1);
    let full: Vec<f64> = (0..9).map(|strikes| seconds(strikes, short, 1.0)).collect();
    assert_eq!(full, [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0]);
    assert_eq!((seconds(1, short, 0.0), seconds(0, Duration::from_secs(60), 0.0)), (5.0, 60.0));
    assert_eq!(seconds(0, Duration::from_secs(86_400), 0.0), 600.0, "somebody may raise the cap before midnight");
}

#[test]
fn a_fetch_that_may_go_on_is_followed() {
    for (seen, expected) in [
        (Seen::Refused(LookupError::Recovering { retry_after: WAIT }), true),
        (upstream(Failure::TimedOut), false),
        (stale(StaleReason::UpstreamTimeout), false),
        (upstream(Failure::ServerError), false),
        (stale(StaleReason::UpstreamUnavailable), false),
        (served(ServedFrom::Api, Freshness::Fresh), false),
        (held(true), false),
        (Seen::Refused(LookupError::Unknown), false),
    ] {
        assert_eq!(seen.may_be_under_way(), expected, "{seen:?}");
    }
}

fn any_seen() -> impl Strategy<Value = Seen> {
    let failures = [
        Failure::NoProvider,
        Failure::Unauthorized,
        Failure::NoCredit,
        Failure::BudgetExhausted,
        Failure::Refused,
        Failure::RateLimited,
        Failure::ServerError,
        Failure::Unreachable,
        Failure::TimedOut,
        Failure::Unreadable,
        Failure::EndlessPages,
    ];
    let fresh = served(ServedFrom::Api, Freshness::Fresh);
    let cases: Vec<Seen> = failures.into_iter().map(upstream).chain([held(true), held(false), fresh]).collect();
    (prop::sample::select(cases), 0..100_000_u64).prop_map(|(seen, wait)| match seen {
        Seen::Refused(LookupError::Upstream { failure, cost_centavos, .. }) => {
            let retry_after = Duration::from_secs(wait);
            Seen::Refused(LookupError::Upstream { failure, retry_after, cost_centavos })
        }
        other => other,
    })
}

proptest! {
    /// While one process finds out for all, everybody waits for its word: it must always say something about the list.
    #[test]
    fn a_trial_always_speaks_for_its_list(attempts in 0..60_u32, strikes in 1..60_u32, seen in any_seen()) {
        prop_assert_ne!(decide(&item(attempts, strikes), &seen).list, ListChange::None);
    }

    #[test]
    fn every_wait_has_an_end(attempts: u32, strikes: u32, seen in any_seen(), fraction: f64) {
        let note = after(&item(attempts, strikes), &seen, &WarmSettings::default(), fraction);
        if let ItemNext::Again { after_seconds } = note.next {
            prop_assert!((0.0..=900.0).contains(&after_seconds));
        }
        if let ListChange::Pause { seconds, .. } = note.list {
            prop_assert!((2.5..=600.0).contains(&seconds));
        }
        prop_assert!(note.attempts == attempts || note.attempts == attempts.saturating_add(1));
    }

    /// However it goes on failing, it ends.
    #[test]
    fn a_process_that_always_fails_is_given_up(strikes in prop::collection::vec(0..3_u32, 60)) {
        let mut attempts = 0;
        let ended = strikes.into_iter().any(|strikes| {
            let note = decide(&item(attempts, strikes), &upstream(Failure::ServerError));
            attempts = note.attempts;
            note.next == ItemNext::Over(ItemState::Failed)
        });
        prop_assert!(ended);
    }
}
