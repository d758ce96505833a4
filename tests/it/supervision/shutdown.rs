//! The ordered end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Context, Handler, Message};
use futures_util::future::join;
use juscache::supervised;
use juscache::supervision::{AskError, ChildSpec, ChildState, Probe, spawn};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::fixture::{AnswerAfter, Increment, block, ms, now, soon, spec, supervisor, with_child};

/// Writes its name down when it ends.
struct Mortal {
    name: &'static str,
    book: Arc<Mutex<Vec<&'static str>>>,
}

impl Actor for Mortal {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        self.book.lock().expect("not poisoned").push(self.name);
    }
}

supervised!(Mortal);

/// Blocks the thread this long, and says when it has begun to.
struct Hang(Duration, oneshot::Sender<()>);

impl Message for Hang {
    type Result = ();
}

impl Handler<Hang> for Mortal {
    type Result = ();

    fn handle(&mut self, hang: Hang, _: &mut Self::Context) {
        let _ = hang.1.send(());
        block(hang.0);
    }
}

/// Writes a word down after a while, in a task that the actor does not wait for.
struct WriteLater;

impl Message for WriteLater {
    type Result = ();
}

impl Handler<WriteLater> for Mortal {
    type Result = ();

    fn handle(&mut self, _: WriteLater, _: &mut Self::Context) {
        let book = Arc::clone(&self.book);
        spawn::detach_to_finish("write", async move {
            sleep(ms(100)).await;
            book.lock().expect("not poisoned").push("written");
        });
    }
}

fn mortal(name: &'static str, book: &Arc<Mutex<Vec<&'static str>>>) -> ChildSpec<Mortal> {
    let book = Arc::clone(book);
    ChildSpec { shutdown_grace: ms(1_000), ..ChildSpec::new(name, move || Mortal { name, book: Arc::clone(&book) }) }
}

#[actix_rt::test]
async fn children_are_shut_down_in_reverse_order_and_bounded_even_with_a_stuck_one() {
    let book = Arc::default();
    let supervisor = supervisor();
    let start = |name| supervisor.child(mortal(name, &book));
    let (first, stuck, last) = (start("first"), start("stuck"), start("last"));
    for actor in [&first, &stuck, &last] {
        actor.ready(soon()).await.expect("it comes up");
    }
    let (began, hanging) = oneshot::channel();
    tokio::select! {
        answer = stuck.ask(Hang(ms(6_000), began), soon()) => panic!("answered {answer:?} instead of hanging"),
        began = hanging => began.expect("it hangs"),
    }

    let begin = now();
    supervisor.shutdown().await;
    assert!(now() - begin < ms(5_000), "it took {:?}", now() - begin);
    assert_eq!(*book.lock().expect("not poisoned"), ["last", "first"], "the stuck one was left behind");
    assert!(supervisor.report().iter().all(|report| report.state == ChildState::Stopped));
}

#[actix_rt::test]
async fn graces_do_not_add_up() {
    let book = Arc::default();
    let supervisor = supervisor();
    let mut hanging = Vec::new();
    for name in ["one", "two", "three", "four"] {
        let mut spec = mortal(name, &book);
        spec.shutdown_grace = ms(1_500);
        let stuck = supervisor.child(spec);
        stuck.ready(soon()).await.expect("it comes up");
        let (began, hangs) = oneshot::channel();
        tokio::select! {
            answer = stuck.ask(Hang(ms(8_000), began), soon()) => panic!("answered {answer:?} instead of hanging"),
            began = hangs => began.expect("it hangs"),
        }
        hanging.push(stuck);
    }
    let begin = now();
    supervisor.shutdown_since(ms(500)).await;
    let took = now() - begin;
    assert!(took >= ms(1_000), "the first one had what was left of its grace: {took:?}");
    assert!(took < ms(3_000), "four graces are four seconds and a half at the least: {took:?}");
}

#[actix_rt::test]
async fn what_is_in_flight_is_answered_before_the_end() {
    let (supervisor, actor) = with_child(spec("child")).await;
    let ask = actor.ask(AnswerAfter(ms(100)), soon());
    let (answer, ()) = join(ask, supervisor.shutdown()).await;
    assert_eq!(answer, Ok(()));
    assert_eq!(actor.ask(Increment, soon()).await, Err(AskError::Unavailable));
}

#[actix_rt::test]
async fn work_worth_finishing_is_finished_before_the_end() {
    let book = Arc::default();
    let supervisor = supervisor();
    let mut spec = mortal("child", &book);
    spec.shutdown_grace = ms(10_000);
    let actor = supervisor.child(spec);
    actor.ready(soon()).await.expect("it comes up");
    actor.ask(WriteLater, soon()).await.expect("it was told");
    supervisor.shutdown().await;
    assert_eq!(*book.lock().expect("not poisoned"), ["written", "child"]);
}

#[actix_rt::test]
async fn those_who_wait_for_a_child_learn_at_once_that_it_will_not_come_back() {
    let backoff = juscache::resilience::Backoff { base: ms(60_000), cap: ms(60_000), stable_for: ms(60_000) };
    let (supervisor, actor) = with_child(ChildSpec { backoff, ..spec("child") }).await;
    supervisor.sabotage("child", Probe::Panic);
    let begin = now();
    let waiting = async {
        while actor.is_up() {
            sleep(ms(1)).await;
        }
        join(actor.ask_again(Increment, soon()), supervisor.shutdown()).await
    };
    let (answer, ()) = waiting.await;
    assert_eq!(answer, Err(AskError::Unavailable));
    assert!(now() - begin < ms(5_000));
}

#[actix_rt::test]
async fn nothing_is_started_after_the_shutdown() {
    let supervisor = supervisor();
    supervisor.shutdown().await;
    let actor = supervisor.child(spec("late"));
    assert_eq!(actor.ready(soon()).await, Err(AskError::Unavailable));
    assert!(supervisor.report().is_empty());
    supervisor.shutdown().await;
}
