//! Children that hang: stuck is not dead, and busy is not stuck.

use juscache::supervision::{AskError, ChildSpec, ChildState, Heartbeat, Probe};

use super::fixture::{
    BlockProtected, Counter, Increment, block, impatient, increment, is_up_again, ms, now, report_of, report_when,
    soon, spec, supervisor, with_child, within,
};

#[actix_rt::test]
async fn a_child_that_hangs_is_abandoned_and_replaced() {
    let (supervisor, actor) = with_child(impatient("child")).await;
    let begin = now();
    assert!(supervisor.sabotage("child", Probe::Hang(ms(6_000))));
    assert_eq!(actor.ask(Increment, within(ms(10))).await, Err(AskError::TimedOut));

    let report = report_when(&supervisor, "child", is_up_again).await;
    assert!(now() - begin < ms(5_000), "replaced while the old thread still hangs");
    assert_eq!((report.generation, report.stuck), (2, 1));
    assert_eq!(report.last_failure.as_deref(), Some("stuck"));
    assert_eq!(increment(&actor).await, Ok(1));
}

/// Whoever already waits for a stuck child is not left waiting until the deadline; a lookup is asked again.
#[actix_rt::test]
async fn those_who_wait_for_a_child_that_hangs_are_told_when_it_is_given_up() {
    let (supervisor, actor) = with_child(impatient("child")).await;
    let begin = now();
    assert!(supervisor.sabotage("child", Probe::Hang(ms(6_000))));
    let (told, asked_again) = futures_util::future::join(
        actor.ask(Increment, within(ms(5_500))),
        actor.ask_again(Increment, within(ms(5_500))),
    )
    .await;
    assert_eq!((told, asked_again), (Err(AskError::Crashed), Ok(1)));
    assert!(now() - begin < ms(5_000), "long before the old thread is free again");
}

#[actix_rt::test]
async fn a_child_that_hangs_while_starting_is_replaced() {
    let supervisor = supervisor();
    let hang = std::sync::atomic::AtomicBool::new(true);
    let actor = supervisor.child(ChildSpec {
        start_within: ms(100),
        backoff: spec("").backoff,
        ..ChildSpec::new("child", move || {
            if hang.swap(false, std::sync::atomic::Ordering::SeqCst) {
                block(ms(6_000));
            }
            Counter::default()
        })
    });
    assert_eq!(actor.ask_again(Increment, within(ms(5_000))).await, Ok(1));
    assert_eq!(report_of(&supervisor, "child").last_failure.as_deref(), Some("never-ready"));
}

#[actix_rt::test]
async fn a_child_in_a_protected_zone_is_left_alone() {
    let (supervisor, actor) = with_child(impatient("child")).await;
    assert_eq!(actor.ask(BlockProtected(ms(1_000)), soon()).await, Ok(()));
    assert_eq!(increment(&actor).await, Ok(1), "the same generation");
    assert_eq!(report_of(&supervisor, "child").restarts, 0);
}

#[actix_rt::test]
async fn a_protected_zone_does_not_protect_for_ever() {
    let heartbeat = Heartbeat { every: ms(20), patience: ms(50), longest_zone: ms(200) };
    let (supervisor, actor) = with_child(ChildSpec { heartbeat, ..impatient("child") }).await;
    assert_eq!(actor.ask(BlockProtected(ms(6_000)), within(ms(10))).await, Err(AskError::TimedOut));
    assert_eq!(report_when(&supervisor, "child", is_up_again).await.stuck, 1);
}

#[actix_rt::test]
async fn no_more_threads_are_left_behind_than_allowed() {
    let mut spec = ChildSpec { max_abandoned: 2, ..impatient("child") };
    spec.backoff.cap = ms(5);
    let (supervisor, _actor) = with_child(spec).await;
    for stuck in 1..=2 {
        report_when(&supervisor, "child", |report| report.state == ChildState::Up).await;
        assert!(supervisor.sabotage("child", Probe::Hang(ms(1_500))));
        report_when(&supervisor, "child", |report| report.stuck == stuck).await;
    }
    let last_failure = "too-many-abandoned";
    report_when(&supervisor, "child", |report| report.last_failure.as_deref() == Some(last_failure)).await;
    // The threads wake up, find that they were told to stop, and make room.
    report_when(&supervisor, "child", |report| report.state == ChildState::Up).await;
}
