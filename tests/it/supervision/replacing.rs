//! Children that die are replaced.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::Message;
use actix::{Actor, ActorContext, Context, Handler};
use futures_util::future::join_all;
use juscache::ambient::{SystemClock, SystemRandom};
use juscache::resilience::Backoff;
use juscache::supervised;
use juscache::supervision::{AskError, ChildEvent, ChildSpec, ChildState, ExitCause, Probe, Supervisor, spawn};
use tokio::sync::oneshot;

use super::fixture::{
    Counter, Increment, PanicWhileLeft, increment, is_up_again, ms, now, report_of, report_when, soon, spec,
    supervisor, with_child, within,
};

#[actix_rt::test]
async fn a_child_that_panics_is_replaced_and_its_reference_still_works() {
    let (supervisor, actor) = with_child(spec("child")).await;
    assert_eq!(increment(&actor).await, Ok(1));
    assert_eq!(increment(&actor).await, Ok(2));
    assert!(supervisor.sabotage("child", Probe::Panic));

    let report = report_when(&supervisor, "child", is_up_again).await;
    assert_eq!((report.generation, report.restarts, report.stuck), (2, 1, 0));
    assert_eq!(report.last_failure.as_deref(), Some("panicked: sabotaged: told to panic"));
    assert!(report.last_failure_at.is_some());
    assert_eq!(increment(&actor).await, Ok(1), "a fresh actor, with nothing of the old one's state");
}

#[actix_rt::test]
async fn a_hundred_panics_in_a_row_under_concurrent_asks_keep_every_deadline() {
    let (supervisor, actor) = with_child(spec("child")).await;
    let panics = PanicWhileLeft::times(100);
    let asking = join_all((0..16).map(|_| async {
        loop {
            let begin = now();
            let answer = actor.ask_again(Increment, within(ms(1_000))).await;
            assert!(now() - begin < ms(2_000), "answered {answer:?} only after {:?}", now() - begin);
            assert!(matches!(answer, Ok(_) | Err(AskError::Crashed)), "{answer:?}");
            if panics.0.load(Ordering::SeqCst) == 0 {
                return;
            }
            actix_rt::task::yield_now().await;
        }
    }));
    let breaking = async {
        while panics.0.load(Ordering::SeqCst) > 0 {
            let _ = actor.ask_again(panics.clone(), soon()).await;
        }
    };
    futures_util::future::join(asking, breaking).await;

    let report = report_when(&supervisor, "child", |report| is_up_again(report) && report.restarts == 100).await;
    assert_eq!((report.generation, report.in_flight), (101, 0));
    assert!(increment(&actor).await.is_ok());
}

#[actix_rt::test]
async fn one_child_dying_does_not_disturb_another() {
    let (supervisor, _dying) = with_child(spec("dying")).await;
    let other = supervisor.child(spec("other"));
    other.ready(soon()).await.expect("it comes up");
    for count in 1..=20 {
        supervisor.sabotage("dying", Probe::Panic);
        assert_eq!(increment(&other).await, Ok(count));
    }
    assert_eq!(report_of(&supervisor, "other").restarts, 0);
}

#[actix_rt::test]
async fn a_panicking_factory_is_an_exit_with_a_pause() {
    let supervisor = supervisor();
    let built = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&built);
    let actor = supervisor.child(ChildSpec {
        backoff: spec("").backoff,
        intensity: spec("").intensity,
        ..ChildSpec::new("child", move || {
            assert!(counted.fetch_add(1, Ordering::SeqCst) >= 3, "not yet");
            Counter::default()
        })
    });
    assert_eq!(actor.ask_again(Increment, soon()).await, Ok(1));
    let report = report_of(&supervisor, "child");
    assert_eq!((report.restarts, built.load(Ordering::SeqCst)), (3, 4));
    assert_eq!(report.last_failure.as_deref(), Some("panicked: not yet"));
}

#[actix_rt::test]
async fn pauses_are_waited_out() {
    let backoff = Backoff { base: ms(60_000), cap: ms(60_000), stable_for: ms(60_000) };
    let (supervisor, actor) = with_child(ChildSpec { backoff, ..spec("child") }).await;
    supervisor.sabotage("child", Probe::Panic);
    report_when(&supervisor, "child", |report| report.state == ChildState::BackingOff).await;
    assert!(!actor.is_up());
    assert_eq!(increment(&actor).await, Err(AskError::Unavailable));
}

/// Stops itself when told to; has a task on its arbiter that says when it is dropped.
struct Quitter {
    dropped: Cell<Option<oneshot::Sender<()>>>,
}

impl Actor for Quitter {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let held = self.dropped.take();
        spawn::detach(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
    }
}

supervised!(Quitter);

#[derive(Clone)]
struct Quit;

impl Message for Quit {
    type Result = ();
}

impl Handler<Quit> for Quitter {
    type Result = ();

    fn handle(&mut self, _: Quit, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[actix_rt::test]
async fn a_child_that_stops_by_itself_is_replaced_and_its_tasks_go_with_it() {
    let supervisor = supervisor();
    let (sender, dropped) = oneshot::channel();
    let sender = Mutex::new(Some(sender));
    let factory = move || Quitter { dropped: Cell::new(sender.lock().expect("not poisoned").take()) };
    let actor = supervisor.child(ChildSpec { backoff: spec("").backoff, ..ChildSpec::new("child", factory) });
    actor.ask_again(Quit, soon()).await.expect("it quits");
    assert!(dropped.await.is_err(), "the first generation's task was dropped");
    let report = report_when(&supervisor, "child", is_up_again).await;
    assert_eq!(report.last_failure.as_deref(), Some("stopped"));
}

#[actix_rt::test]
async fn the_observer_is_told_what_happens() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let observer = Box::new(move |event: &ChildEvent| seen.lock().expect("not poisoned").push(event.clone()));
    let supervisor = Supervisor::start(SystemClock::shared(), SystemRandom::shared(), observer).expect("it starts");
    let actor = supervisor.child(spec("child"));
    let _ = actor.ask_again(PanicWhileLeft::times(1), soon()).await;

    let child: Arc<str> = "child".into();
    let cause = ExitCause::Panicked("one of the panics that the test ordered".to_owned());
    let next = ChildState::BackingOff;
    let expected = [
        ChildEvent::Up { child: Arc::clone(&child), generation: 1 },
        ChildEvent::Failed { child: Arc::clone(&child), generation: 1, cause, next },
        ChildEvent::Up { child, generation: 2 },
    ];
    report_when(&supervisor, "child", is_up_again).await;
    assert_eq!(*events.lock().expect("not poisoned"), expected);
}
