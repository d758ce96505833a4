//! Children that fail more often than they may.

use juscache::supervision::{ChildSpec, ChildState, Escalation, Probe, RestartIntensity};
use tokio::time::timeout;

use super::fixture::{
    Counter, Increment, PanicWhileLeft, ms, report_of, report_when, soon, spec, supervisor, with_child,
};

fn at_most(max_restarts: usize) -> ChildSpec<Counter> {
    ChildSpec { intensity: RestartIntensity { max_restarts, within: ms(60_000) }, ..spec("child") }
}

#[actix_rt::test]
async fn an_exhausted_intensity_marks_the_child_down_and_keeps_trying() {
    let supervisor = supervisor();
    let mut spec = at_most(2);
    spec.backoff.cap = ms(500);
    let actor = supervisor.child(spec);
    let panics = PanicWhileLeft::times(3);
    for failures in 1..=3 {
        actor.ready(soon()).await.expect("it comes up");
        let _ = actor.ask(panics.clone(), soon()).await;
        report_when(&supervisor, "child", |report| report.restarts == failures).await;
    }
    let report = report_when(&supervisor, "child", |report| report.state == ChildState::Down).await;
    assert_eq!(report.restarts, 3);
    assert_eq!(actor.ask_again(Increment, soon()).await, Ok(1), "it was tried again");
    report_when(&supervisor, "child", |report| report.state == ChildState::Up).await;
}

#[actix_rt::test]
async fn an_exhausted_intensity_that_escalates_resolves_fatal() {
    let (supervisor, actor) = with_child(ChildSpec { escalation: Escalation::ExitProcess, ..at_most(1) }).await;
    assert!(timeout(ms(50), supervisor.fatal()).await.is_err(), "nothing fatal has happened");

    let _ = actor.ask_again(PanicWhileLeft::times(2), soon()).await;
    let fatal = supervisor.fatal().await;
    assert_eq!(*fatal.child, *"child");
    assert_eq!(fatal.reason, "panicked: one of the panics that the test ordered");
    assert_eq!(supervisor.fatal().await, fatal, "whoever asks later learns it, too");
    assert_eq!(report_of(&supervisor, "child").state, ChildState::Down);
    supervisor.shutdown().await;
}

#[actix_rt::test]
async fn a_child_that_keeps_trying_is_never_fatal() {
    let (supervisor, _actor) = with_child(at_most(0)).await;
    supervisor.sabotage("child", Probe::Panic);
    report_when(&supervisor, "child", |report| report.restarts > 0).await;
    assert!(timeout(ms(50), supervisor.fatal()).await.is_err());
}
