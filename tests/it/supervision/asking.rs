//! `ActorRef`: deadlines, permits, and what a caller learns of a crash.

use futures_util::future::join_all;
use juscache::supervision::{AskError, ChildSpec, Failures, Probe};

use super::fixture::{
    AnswerAfter, Counter, Increment, PanicInTask, PanicWhileLeft, increment, is_up_again, ms, now, report_of,
    report_when, soon, spec, supervisor, with_child, within,
};

#[actix_rt::test]
async fn an_ask_ends_at_its_deadline() {
    let (_supervisor, actor) = with_child(spec("child")).await;
    let begin = now();
    assert_eq!(actor.ask(AnswerAfter(ms(5_000)), within(ms(50))).await, Err(AskError::TimedOut));
    assert!((ms(50)..ms(2_000)).contains(&(now() - begin)));
    assert_eq!(actor.in_flight(), 0, "its permit is back");
}

#[actix_rt::test]
async fn more_asks_than_permits_are_shed_at_once() {
    let (_supervisor, actor) = with_child(ChildSpec { permits: 3, ..spec("child") }).await;
    let answers = join_all((0..5).map(|_| actor.ask(AnswerAfter(ms(50)), soon()))).await;
    let shed = answers.iter().filter(|answer| **answer == Err(AskError::Overloaded)).count();
    assert_eq!((shed, answers.len() - shed), (2, 3));
    assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(AskError::Overloaded))));
    assert_eq!(actor.failures(), Failures { overloaded: 2, ..Failures::default() });
    assert_eq!(increment(&actor).await, Ok(1), "there is room again");
}

#[actix_rt::test]
async fn in_flight_is_counted() {
    let (_supervisor, actor) = with_child(spec("child")).await;
    let asks = join_all((0..4).map(|_| actor.ask(AnswerAfter(ms(100)), soon())));
    let look = async {
        actix_rt::task::yield_now().await;
        actor.in_flight()
    };
    let (_, in_flight) = futures_util::future::join(asks, look).await;
    assert_eq!(in_flight, 4);
}

#[actix_rt::test]
async fn an_ask_whose_actor_crashes_says_so_and_is_not_repeated() {
    let (_supervisor, actor) = with_child(spec("child")).await;
    assert_eq!(actor.ask(PanicWhileLeft::times(1), soon()).await, Err(AskError::Crashed));
    assert_eq!(actor.failures().crashed, 1);
}

#[actix_rt::test]
async fn ask_again_survives_one_crash() {
    let (supervisor, actor) = with_child(spec("child")).await;
    for _ in 0..50 {
        assert_eq!(actor.ask_again(PanicWhileLeft::times(1), soon()).await, Ok(()));
    }
    assert_eq!(report_when(&supervisor, "child", is_up_again).await.restarts, 50);
}

#[actix_rt::test]
async fn ask_again_gives_up_after_the_second_crash() {
    let (_supervisor, actor) = with_child(spec("child")).await;
    assert_eq!(actor.ask_again(PanicWhileLeft::times(2), soon()).await, Err(AskError::Crashed));
}

#[actix_rt::test]
async fn ask_again_asks_the_same_actor_when_only_the_task_of_the_answer_died() {
    let (supervisor, actor) = with_child(spec("child")).await;
    assert_eq!(increment(&actor).await, Ok(1));
    assert_eq!(actor.ask_again(PanicInTask(PanicWhileLeft::times(1)), soon()).await, Ok(()));
    assert_eq!(increment(&actor).await, Ok(2), "the same actor: {:?}", report_of(&supervisor, "child"));
    assert_eq!(report_of(&supervisor, "child").restarts, 0);
}

#[actix_rt::test]
async fn ask_again_waits_for_the_first_generation() {
    let supervisor = supervisor();
    let actor = supervisor.child(spec("child"));
    assert_eq!(actor.ask_again(Increment, soon()).await, Ok(1));
}

#[actix_rt::test]
async fn ask_again_waits_no_longer_than_its_deadline() {
    let supervisor = supervisor();
    let actor = supervisor.child(ChildSpec::new("child", || -> Counter { panic!("this factory never works") }));
    assert_eq!(actor.ask_again(Increment, within(ms(50))).await, Err(AskError::Unavailable));
    assert_eq!(actor.ask(Increment, soon()).await, Err(AskError::Unavailable), "ask does not wait at all");
    assert!(!supervisor.sabotage("child", Probe::Panic), "there is nobody to break");
}
