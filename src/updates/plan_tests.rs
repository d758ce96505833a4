use proptest::prelude::*;

use super::*;
use crate::fetcher::messages::FetchError;

const MINUTE: Duration = Duration::from_secs(60);

fn settings() -> UpdateSettings {
    UpdateSettings::default()
}

fn cnj() -> Cnj {
    Cnj::parse("0000001-39.2024.8.26.0100").unwrap()
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_268_800 + second, 0).unwrap()
}

fn update(id: i64, state: UpdateState) -> VendorUpdate {
    VendorUpdate { id, state, created_at: None, concluded_at: None }
}

fn told(update: Option<VendorUpdate>) -> Seen {
    Seen::Told(UpdateStatus { verified_at: None, update })
}

const SILENT: Seen = Seen::Silent { retry_after: None };

/// Asked at second 0; the vendor's last request before was number 6.
fn fresh() -> UpdateRecord {
    asked(cnj(), Caller::Anonymous, None, Some(update(6, UpdateState::Succeeded)), at(0), &settings())
}

fn record(stage: Stage) -> UpdateRecord {
    let over = stage.is_over().then(|| at(0));
    let next_check_at = if stage.is_over() { None } else { Some(at(15)) };
    let vendor_id = (stage >= Stage::Open).then_some(7);
    UpdateRecord { stage, checks: 1, vendor_id, concluded_at: over, next_check_at, ..fresh() }
}

fn fails(failure: Failure) -> Result<UpdateRequested, CourtError> {
    Err(CourtError::Vendor(FetchError { failure, retry_after: None, cost_centavos: 0 }))
}

#[test]
fn what_is_under_way_is_joined_and_what_took_too_long_is_reviewed() {
    let day = 24 * 3600;
    for (stage, age, expected) in [
        (Stage::Asked, 0, Opening::Join),
        (Stage::Asked, -50, Opening::Join),
        (Stage::Asked, 599, Opening::Join),
        (Stage::Asked, 600, Opening::Review),
        (Stage::Uncertain, 599, Opening::Join),
        (Stage::Uncertain, 600, Opening::Review),
        (Stage::Open, day - 1, Opening::Join),
        (Stage::Open, day, Opening::Review),
        (Stage::Refreshing, day - 1, Opening::Join),
        (Stage::Refreshing, day, Opening::Review),
        (Stage::Succeeded, 1, Opening::Look),
        (Stage::NotFound, 1, Opening::Look),
        (Stage::Failed, 1, Opening::Look),
        (Stage::Expired, 1, Opening::Look),
    ] {
        assert_eq!(opening(Some(&record(stage)), at(age), &settings()), expected, "{stage:?} {age}");
    }
    assert_eq!(opening(None, at(0), &settings()), Opening::Look);
}

#[test]
fn a_request_that_had_no_answer_is_uncertain_and_one_that_was_refused_is_over() {
    let ok = |update, busy| Ok(UpdateRequested { update, busy, cost_centavos: 3 });
    let open = Some(update(7, UpdateState::Open));
    use Stage::{Failed, NotFound, Open, Uncertain};
    for (said, stage, sent) in [
        (ok(open, false), Open, Sent::Going),
        (ok(open, true), Open, Sent::Going),
        (ok(None, true), Open, Sent::Going),
        (ok(None, false), NotFound, Sent::Unknown),
        (Err(CourtError::Unanswered), Uncertain, Sent::Going),
        (fails(Failure::TimedOut), Uncertain, Sent::Going),
        (fails(Failure::Unreachable), Uncertain, Sent::Going),
        (fails(Failure::ServerError), Uncertain, Sent::Going),
        (fails(Failure::Unreadable), Uncertain, Sent::Going),
        (fails(Failure::EndlessPages), Uncertain, Sent::Going),
        (Err(CourtError::NotAsked), Failed, Sent::Refused),
        (fails(Failure::NoProvider), Failed, Sent::Refused),
        (fails(Failure::Unauthorized), Failed, Sent::Refused),
        (fails(Failure::NoCredit), Failed, Sent::Refused),
        (fails(Failure::BudgetExhausted), Failed, Sent::Refused),
        (fails(Failure::Refused), Failed, Sent::Refused),
        (fails(Failure::RateLimited), Failed, Sent::Refused),
    ] {
        let (record, what) = after_request(fresh(), &said, at(2), &settings());
        assert_eq!((record.stage, what), (stage, sent), "{said:?}");
        assert_eq!(record.cost_centavos, if said.is_ok() { 3 } else { 0 });
        assert_eq!(record.next_check_at, (!stage.is_over()).then(|| at(17)));
        assert!(record.may_replace(&fresh()));
    }
    let charged = FetchError { failure: Failure::Refused, retry_after: None, cost_centavos: 300 };
    let (record, _) = after_request(fresh(), &Err(CourtError::Vendor(charged)), at(2), &settings());
    assert_eq!((record.stage, record.cost_centavos), (Uncertain, 300), "what was charged was accepted");
}

#[test]
fn the_vendors_status_decides() {
    use Stage::{Asked, Expired, Failed, NotFound, Open, Refreshing, Uncertain};
    let shows = |id, state| told(Some(update(id, state)));
    let day = 24 * 3600;
    for (stage, seen, age, next) in [
        (Open, shows(7, UpdateState::Open), 15, Open),
        (Open, shows(7, UpdateState::Succeeded), 15, Refreshing),
        (Open, shows(7, UpdateState::NotFound), 15, NotFound),
        (Open, shows(7, UpdateState::Failed), 15, Failed),
        // A later one than ours: ours is over, the vendor has one at a time.
        (Open, shows(9, UpdateState::Succeeded), 15, Refreshing),
        (Open, shows(9, UpdateState::Open), 15, Open),
        // Not shown, or not yet: the one from before tells nothing.
        (Open, told(None), 15, Open),
        (Open, shows(6, UpdateState::Succeeded), 15, Open),
        (Open, SILENT, 15, Open),
        (Open, shows(7, UpdateState::Open), day, Expired),
        (Open, SILENT, day, Expired),
        (Open, shows(7, UpdateState::Succeeded), day, Refreshing),
        // No answer came to our request.
        (Uncertain, shows(7, UpdateState::Open), 15, Open),
        (Uncertain, shows(7, UpdateState::Succeeded), 15, Refreshing),
        (Uncertain, shows(7, UpdateState::Failed), 15, Failed),
        (Uncertain, shows(6, UpdateState::Open), 15, Open),
        (Uncertain, shows(6, UpdateState::Succeeded), 599, Uncertain),
        (Uncertain, told(None), 599, Uncertain),
        (Uncertain, told(None), 600, Failed),
        (Uncertain, shows(6, UpdateState::Succeeded), 600, Failed),
        (Uncertain, SILENT, 600, Uncertain),
        (Uncertain, SILENT, day, Expired),
        // Whoever sent it died before the answer.
        (Asked, told(None), 40, Uncertain),
        (Asked, SILENT, 40, Uncertain),
        (Asked, shows(7, UpdateState::Open), 40, Open),
        (Asked, told(None), 600, Failed),
    ] {
        let before = record(stage);
        let step = after_status(before.clone(), &seen, at(age), &settings());
        let (Step::Wait(after) | Step::Refresh(after) | Step::Over(after)) = &step;
        assert_eq!(after.stage, next, "{stage:?} {seen:?} {age}");
        assert_eq!(matches!(step, Step::Refresh(_)), next == Refreshing);
        assert_eq!(matches!(step, Step::Over(_)), next.is_over());
        assert_eq!(after.next_check_at.is_none(), next.is_over());
        assert_eq!(after.concluded_at.is_some(), next >= Refreshing);
        assert!(after.may_replace(&before));
    }
    let never_accepted = after_status(record(Uncertain), &told(None), at(600), &settings());
    assert!(matches!(never_accepted, Step::Over(UpdateRecord { vendor_id: None, .. })));
}

#[test]
fn the_vendors_word_about_the_end_is_kept_and_only_for_an_end() {
    let concluded = VendorUpdate { concluded_at: Some(at(9)), ..update(7, UpdateState::Succeeded) };
    let Step::Refresh(done) = after_status(record(Stage::Open), &told(Some(concluded)), at(15), &settings()) else {
        panic!("done");
    };
    assert_eq!((done.concluded_at, done.learned_at, done.refreshes), (Some(at(9)), Some(at(15)), 1));
    // Examples in the vendor's documentation have it filled while the request is open.
    let open = VendorUpdate { concluded_at: Some(at(9)), ..update(7, UpdateState::Open) };
    let Step::Wait(open) = after_status(record(Stage::Open), &told(Some(open)), at(15), &settings()) else {
        panic!("open");
    };
    assert_eq!(open.concluded_at, None);
}

#[test]
fn looks_double_their_distance_up_to_ten_minutes() {
    let mut now = at(0);
    let (mut record, _) = after_request(
        fresh(),
        &Ok(UpdateRequested { update: Some(update(7, UpdateState::Open)), busy: false, cost_centavos: 0 }),
        now,
        &settings(),
    );
    let mut waits = Vec::new();
    for _ in 0..9 {
        let next = record.next_check_at.unwrap();
        waits.push((next - now).num_seconds());
        now = next;
        let Step::Wait(waiting) = after_status(record, &told(Some(update(7, UpdateState::Open))), now, &settings())
        else {
            panic!("open");
        };
        record = waiting;
    }
    assert_eq!(waits, [15, 30, 60, 120, 240, 480, 600, 600, 600]);
}

#[test]
fn advice_lengthens_a_wait_within_the_longest() {
    for (advice, wait) in [(10, 30), (100, 100), (9_999, 600)] {
        let seen = Seen::Silent { retry_after: Some(Duration::from_secs(advice)) };
        let Step::Wait(waiting) = after_status(record(Stage::Open), &seen, at(15), &settings()) else { panic!("open") };
        assert_eq!(waiting.next_check_at, Some(at(15 + wait)), "{advice}");
    }
}

#[test]
fn a_renewal_ends_well_or_is_tried_again_for_free_and_rarely_for_money() {
    let not_yet = |paid| Err(RefreshError::NotYet { retry_after: None, cost_centavos: 5, paid });
    let refreshing = |refreshes| UpdateRecord { refreshes, learned_at: Some(at(0)), ..record(Stage::Refreshing) };
    for (refreshes, outcome, now, stage, left) in [
        (1, Ok(Refreshed { cost_centavos: 5 }), 60, Stage::Succeeded, 1),
        (1, Err(RefreshError::Unknown), 60, Stage::NotFound, 1),
        (1, not_yet(false), 60, Stage::Refreshing, 0),
        (1, not_yet(true), 60, Stage::Refreshing, 1),
        (5, not_yet(false), 60, Stage::Refreshing, 4),
        (5, not_yet(true), 60, Stage::Expired, 5),
        (1, not_yet(false), 24 * 3600, Stage::Expired, 0),
    ] {
        let after = after_refresh(refreshing(refreshes), &outcome, at(now), &settings());
        assert_eq!((after.stage, after.refreshes), (stage, left), "{refreshes} {outcome:?} {now}");
        assert_eq!(after.cost_centavos, if stage == Stage::NotFound { 0 } else { 5 });
        if stage == Stage::Refreshing {
            assert_eq!(after.next_check_at, Some(at(now + 60)), "as long again as it took so far");
        }
    }
    // A crash in the middle of each attempt buys no more than that either.
    let Step::Over(given_up) = after_status(refreshing(5), &SILENT, at(60), &settings()) else { panic!("over") };
    assert_eq!(given_up.stage, Stage::Expired);
}

#[test]
fn a_new_request_has_a_name_of_its_own_even_if_the_clock_went_back() {
    let first = record(Stage::Failed);
    let again = asked(cnj(), Caller::Anonymous, Some(&first), None, at(-100), &settings());
    assert!(again.may_replace(&first), "{again:?}");
    let open = adopted(cnj(), Caller::Service, Some(&first), update(8, UpdateState::Open), at(-100), &settings());
    assert!(open.may_replace(&first) && open.adopted && open.client == "service");
}

/// What a vendor may say to one look.
fn any_seen() -> impl Strategy<Value = Seen> {
    let state = prop_oneof![
        8 => Just(UpdateState::Open),
        1 => Just(UpdateState::Succeeded),
        1 => Just(UpdateState::NotFound),
        1 => Just(UpdateState::Failed)
    ];
    let shown = prop_oneof![1 => Just(None), 6 => (5..9_i64, state).prop_map(|(id, state)| Some(update(id, state)))];
    let advice = proptest::option::of(0..100_000_u64).prop_map(|wait| wait.map(Duration::from_secs));
    prop_oneof![
        6 => shown.prop_map(told),
        2 => advice.prop_map(|retry_after| Seen::Silent { retry_after })
    ]
}

fn any_refresh() -> impl Strategy<Value = Result<Refreshed, RefreshError>> {
    let not_yet = (proptest::option::of(0..5_000_u64), 0..400_u64, any::<bool>()).prop_map(|(wait, cost, paid)| {
        Err(RefreshError::NotYet { retry_after: wait.map(Duration::from_secs), cost_centavos: cost, paid })
    });
    prop_oneof![1 => Just(Ok(Refreshed { cost_centavos: 27 })), 1 => Just(Err(RefreshError::Unknown)), 8 => not_yet]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the vendor says: every step goes forward, is stored by the rule, waits within bounds, and the end comes, with no more
    /// renewals paid than allowed. A crash (the second of each pair) loses a step's outcome, never the way.
    #[test]
    fn every_request_comes_to_an_end(
        looks in proptest::collection::vec((any_seen(), any_refresh(), any::<bool>()), 400),
        first in prop_oneof![Just(fails(Failure::TimedOut)), Just(Ok(UpdateRequested {
            update: Some(update(7, UpdateState::Open)), busy: false, cost_centavos: 300,
        }))],
    ) {
        let settings = settings();
        let (mut record, _) = after_request(fresh(), &first, at(1), &settings);
        let mut paid = 0_u32;
        for (seen, refreshed, crashes) in looks {
            let Some(now) = record.next_check_at else { break };
            let before = record.clone();
            record = match after_status(record, &seen, now, &settings) {
                Step::Wait(record) | Step::Over(record) => record,
                Step::Refresh(begun) => {
                    prop_assert!(begun.may_replace(&before));
                    let was_paid = !matches!(refreshed, Err(RefreshError::NotYet { paid: false, .. }));
                    paid += u32::from(was_paid);
                    if crashes { begun } else {
                        let done = after_refresh(begun.clone(), &refreshed, now, &settings);
                        prop_assert!(done.may_replace(&begun));
                        done
                    }
                }
            };
            prop_assert!(record.may_replace(&before), "{before:?} {record:?}");
            prop_assert!(!before.may_replace(&record));
            prop_assert_eq!(record.stage.is_over(), record.next_check_at.is_none());
            if let Some(next) = record.next_check_at {
                let pause = (next - now).to_std().unwrap();
                prop_assert!(pause > Duration::ZERO && pause <= settings.longest_poll.max(settings.lease()));
            }
            prop_assert!(paid <= settings.most_refreshes);
        }
        prop_assert!(record.stage.is_over(), "{record:?}");
        let ended = record.concluded_at.unwrap();
        prop_assert!(ended - at(0) <= TimeDelta::from_std(settings.give_up_after + 30 * MINUTE).unwrap());
    }

    /// The names and steps of one process's records have one order, so two nodes cannot each believe to be ahead.
    #[test]
    fn of_two_records_at_most_one_may_replace_the_other(
        one in (0..8_usize, 0..3_i64, 0..4_u32), other in (0..8_usize, 0..3_i64, 0..4_u32),
    ) {
        let make = |(stage, second, checks): (usize, i64, u32)| {
            UpdateRecord { requested_at: at(second), checks, ..record(Stage::ALL[stage]) }
        };
        let (one, other) = (make(one), make(other));
        prop_assert!(!(one.may_replace(&other) && other.may_replace(&one)));
        prop_assert!(!one.may_replace(&one));
    }
}
