//! How a request is followed to its end.

use std::time::Duration;

use actix::Actor;

use super::world::{MINUTE, World, a_moment, ask, cnj, settled, word};
use crate::ambient::Clock;
use crate::ambient::SystemClock;
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::update::Stage;
use crate::fetcher::messages::Failure;
use crate::fetcher::update_messages::UpdateState;
use crate::resilience::Deadline;
use crate::supervision::ActorRef;
use crate::updates::CourtUpdates;
use crate::updates::Updates;
use crate::updates::messages::UpdateError;
use crate::updates::refresher::RefreshError;

#[actix_rt::test]
async fn what_the_court_does_not_give_renews_nothing() {
    for (state, expected) in [(UpdateState::NotFound, "not-found"), (UpdateState::Failed, "failed")] {
        let world = World::new();
        let node = world.node();
        ask(&node).await;
        world.concludes(state);
        world.later(&node, MINUTE).await;
        assert_eq!((word(&node).await, world.renewed(), world.stored().vendor_id), (expected, 0, Some(100)));
    }
}

#[actix_rt::test]
async fn a_vendor_that_is_away_for_hours_delays_the_end_and_asks_nothing_again() {
    let world = World::new();
    let node = world.node();
    ask(&node).await;
    world.vendor_fails(Some(Failure::ServerError));
    for _ in 0..20 {
        world.later(&node, 10 * MINUTE).await;
    }
    assert_eq!(word(&node).await, "open");
    world.vendor_fails(None);
    world.concludes(UpdateState::Succeeded);
    world.later(&node, 10 * MINUTE).await;
    assert_eq!((word(&node).await, world.asked(), world.renewed()), ("succeeded", 1, 1));
}

#[actix_rt::test]
async fn a_request_that_does_not_end_is_given_up() {
    let world = World::new();
    let node = world.node();
    ask(&node).await;
    for _ in 0..24 * 6 {
        assert_eq!(word(&node).await, "open");
        world.later(&node, 10 * MINUTE).await;
    }
    assert_eq!((word(&node).await, world.renewed()), ("expired", 0));
}

#[actix_rt::test]
async fn a_copy_that_cannot_be_renewed_is_tried_for_free_and_rarely_for_money() {
    for (paid, cost, tries) in [(true, 50, 5), (false, 0, 20)] {
        let world = World::new();
        let node = world.node();
        let not_yet = RefreshError::NotYet { retry_after: None, cost_centavos: cost, paid };
        *world.refresher.fails.lock().unwrap() = Some(not_yet);
        ask(&node).await;
        world.concludes(UpdateState::Succeeded);
        for _ in 0..20 {
            world.later(&node, 10 * MINUTE).await;
        }
        assert_eq!(world.renewed(), tries);
        let stage = if paid { Stage::Expired } else { Stage::Refreshing };
        assert_eq!((world.stored().stage, world.stored().cost_centavos), (stage, if paid { 550 } else { 300 }));
        *world.refresher.fails.lock().unwrap() = None;
        world.later(&node, 10 * MINUTE).await;
        assert_eq!(word(&node).await, if paid { "expired" } else { "succeeded" });
    }
}

#[actix_rt::test]
async fn a_callback_makes_it_looked_at_now_and_its_word_is_not_taken() {
    let world = World::new();
    let node = world.node();
    assert!(!node.look_at(cnj()).await, "nobody asked");
    ask(&node).await;
    assert!(node.look_at(cnj()).await);
    settled(&node).await;
    assert_eq!((word(&node).await, world.renewed()), ("open", 0));
    world.concludes(UpdateState::Succeeded);
    assert!(node.look_at(cnj()).await);
    settled(&node).await;
    assert_eq!((word(&node).await, world.renewed()), ("succeeded", 1));
    assert!(!node.look_at(cnj()).await);
}

#[actix_rt::test]
async fn a_node_follows_no_more_than_a_batch_at_once() {
    let mut world = World::new();
    world.settings.batch = 3;
    let node = world.node();
    for number in crate::sandbox::demo_numbers(10, 3) {
        let cnj = Cnj::parse(&number).unwrap();
        node.ask(cnj, Caller::Anonymous).await.unwrap();
    }
    let before = world.looked();
    for round in 1..=3 {
        world.later(&node, Duration::from_secs(if round == 1 { 15 } else { 0 })).await;
        assert_eq!(world.looked() - before, 3 * round);
    }
}

#[actix_rt::test]
async fn the_actor_follows_by_itself_and_begins_nothing_for_those_who_left() {
    let mut world = World::new();
    world.settings.look_every = Duration::from_millis(1);
    let actor = CourtUpdates::new(world.settings, world.around()).start();
    let updates = Updates::new(ActorRef::unsupervised("updates", 8, actor));
    let now = SystemClock.monotonic();
    let late = updates.ask(cnj(), Caller::Anonymous, Deadline::at(now)).await;
    assert!(matches!(late, Err(UpdateError::Recovering { .. })), "{late:?}");
    assert_eq!(world.asked(), 0);

    let deadline = Deadline::after(now, Duration::from_secs(20));
    let standing = updates.ask(cnj(), Caller::Anonymous, deadline).await.unwrap();
    assert_eq!(standing.word(), "open");
    world.concludes(UpdateState::Succeeded);
    world.passes(Duration::from_secs(60));
    let ends = async {
        while updates.status(cnj(), Caller::Anonymous, deadline).await.unwrap().word() != "succeeded" {
            a_moment().await;
        }
    };
    tokio::time::timeout_at(deadline.instant().into(), ends).await.unwrap();
    assert_eq!((world.asked(), world.renewed()), (1, 1));
    assert_eq!(updates.concluded(cnj(), deadline).await, Ok(false));
}
