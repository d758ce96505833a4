use chrono::{TimeDelta, TimeZone};

use super::*;
use crate::fetcher::escavador::movement_of_callback;

fn cnj() -> Cnj {
    Cnj::parse("0000001-39.2024.8.26.0100").unwrap()
}

fn at() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap()
}

#[test]
fn every_piece_of_news_has_its_task() {
    let movement = Box::new(movement_of_callback(&serde_json::json!({"id": 7})).unwrap());
    for (news, expected) in [
        (News::Movement(cnj(), movement.clone()), Task::Amend(cnj(), Amendment::Movement(movement))),
        (News::UpdateConcluded(cnj()), Task::Conclude(cnj())),
        (
            News::Monitor { cnj: cnj(), id: Some(1), found: true },
            Task::Monitor { cnj: cnj(), id: Some(1), found: true },
        ),
        (News::ForeignNumber, Task::Nothing(Outcome::ForeignNumber)),
        (News::UnknownEvent, Task::Nothing(Outcome::UnknownEvent)),
    ] {
        assert_eq!(task(news, at()), expected);
    }
    for (told, believed) in [(-60, -60), (0, 0), (3600, 0)] {
        let moment = |seconds| at() + TimeDelta::seconds(seconds);
        let expected = Task::Amend(cnj(), Amendment::Verified(moment(believed)));
        assert_eq!(task(News::Verified(cnj(), moment(told)), at()), expected, "{told}");
    }
}

#[test]
fn what_waits_is_only_what_has_an_effect() {
    for (news, state, outcome) in [
        (Ok(News::UpdateConcluded(cnj())), CallbackState::Received, None),
        (Ok(News::UnknownEvent), CallbackState::Ignored, Some("unknown-event")),
        (Ok(News::ForeignNumber), CallbackState::Ignored, Some("foreign-number")),
        (Err(Malformed::NotJson), CallbackState::Malformed, Some("not-json")),
    ] {
        assert_eq!(opening(&news), (state, outcome));
    }
}

#[test]
fn only_a_movement_is_worth_buying_a_process_for() {
    for (is_movement, said, next) in [
        (true, Ok(Amended::Done), Next::Over(Outcome::Added)),
        (false, Ok(Amended::Done), Next::Over(Outcome::Verified)),
        (true, Ok(Amended::Already), Next::Over(Outcome::Already)),
        (false, Ok(Amended::Already), Next::Over(Outcome::Already)),
        (true, Ok(Amended::NotHeld), Next::BringIfWatched),
        (false, Ok(Amended::NotHeld), Next::Over(Outcome::NotHeld)),
        (true, Err(AmendError::Recovering), Next::Later(Trouble::Copies)),
        (false, Err(AmendError::PostgresAway), Next::Later(Trouble::Copies)),
    ] {
        assert_eq!(after_amend(is_movement, &said), next);
    }
    for (said, next) in [
        (Ok(()), Next::Over(Outcome::Brought)),
        (Err(BringError::Unknown), Next::Over(Outcome::UnknownProcess)),
        (Err(BringError::NotYet), Next::Later(Trouble::Vendor)),
    ] {
        assert_eq!(after_bring(&said), next);
    }
}

#[test]
fn troubles_are_tried_again_for_about_two_days_and_then_given_up() {
    let settings = CallbackSettings::default();
    let mut waited = Duration::ZERO;
    let mut last = Duration::ZERO;
    for attempt in 1..settings.most_attempts {
        match settle_trouble(Trouble::Copies, attempt, &settings) {
            Settlement::Again(pause) => {
                assert!(pause >= last && pause <= settings.longest_pause);
                (waited, last) = (waited + pause, pause);
            }
            over => panic!("after {attempt}: {over:?}"),
        }
    }
    let hours = waited.as_secs() / 3600;
    assert!((36..=48).contains(&hours), "{hours} h");
    for attempt in [settings.most_attempts, settings.most_attempts + 1, u32::MAX] {
        assert_eq!(settle_trouble(Trouble::Copies, attempt, &settings), Settlement::Over(CallbackState::Failed));
    }
    assert_eq!(settle_trouble(Trouble::Unreadable, 1, &settings), Settlement::Over(CallbackState::Failed));
}
