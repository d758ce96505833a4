//! Several nodes, crashes, and a database that is away.

use std::time::Duration;

use futures_util::future::join_all;

use super::world::{MINUTE, World, ask, cnj, settled, word};
use crate::domain::caller::Caller;
use crate::domain::update::Stage;
use crate::domain::update::UpdateRecord;
use crate::fetcher::messages::Failure;
use crate::fetcher::update_messages::UpdateState;
use crate::updates::book::Book;

#[actix_rt::test]
async fn of_nodes_that_are_asked_at_once_one_asks() {
    let world = World::new();
    let nodes: Vec<_> = (0..5).map(|_| world.node()).collect();
    let standings = join_all(nodes.iter().map(ask)).await;
    assert_eq!(world.asked(), 1, "{standings:?}");
    assert_eq!(standings.iter().filter(|standing| !standing.adopted).count(), 1);
    assert!(standings.iter().all(|standing| ["asked", "open"].contains(&standing.word())), "{standings:?}");
}

#[actix_rt::test]
async fn of_several_nodes_one_takes_each_step() {
    let world = World::new();
    let nodes: Vec<_> = (0..4).map(|_| world.node()).collect();
    ask(&nodes[0]).await;
    world.concludes(UpdateState::Succeeded);
    world.passes(Duration::from_secs(60));
    join_all(nodes.iter().map(|node| async {
        node.look().await;
        // A callback reaches every node, too.
        node.look_at(cnj()).await;
        settled(node).await;
    }))
    .await;
    assert_eq!((word(&nodes[3]).await, world.renewed()), ("succeeded", 1));
}

#[actix_rt::test]
async fn another_node_takes_over_from_one_that_died() {
    let world = World::new();
    ask(&world.node()).await;
    world.concludes(UpdateState::Succeeded);
    world.passes(Duration::from_secs(60));
    let lease = world.settings.lease();
    assert_eq!(world.book.claim(9, lease).await.unwrap().len(), 1, "taken, and then its node dies");
    let survivor = world.node();
    world.later(&survivor, lease - Duration::from_secs(1)).await;
    assert_eq!((word(&survivor).await, world.renewed()), ("open", 0));
    world.later(&survivor, Duration::from_secs(1)).await;
    assert_eq!((word(&survivor).await, world.renewed()), ("succeeded", 1));
}

/// The record was written, the request perhaps sent, the answer never seen.
#[actix_rt::test]
async fn a_crash_in_the_middle_of_asking_is_found_out_by_the_status() {
    for (shown, expected) in [(true, "open"), (false, "uncertain")] {
        let world = World::new();
        let node = world.node();
        ask(&node).await;
        let asked = UpdateRecord { stage: Stage::Asked, vendor_id: None, checks: 0, ..world.stored() };
        world.book.rows.lock().unwrap().insert(cnj(), asked);
        if !shown {
            world.court.vendor.lock().unwrap().shows = None;
        }
        let survivor = world.node();
        assert_eq!(ask(&survivor).await.word(), "asked");
        world.later(&survivor, MINUTE).await;
        assert_eq!((word(&survivor).await, world.asked()), (expected, 1));
    }
}

#[actix_rt::test]
async fn without_postgres_everything_goes_on_and_is_stored_when_it_is_back() {
    let world = World::new();
    let node = world.node();
    world.postgres_is_away(true);
    assert_eq!(ask(&node).await.spent_centavos, 300);
    assert_eq!((ask(&node).await.word(), word(&node).await, world.asked()), ("open", "open", 1));
    world.later(&node, MINUTE).await;
    assert_eq!(world.looked(), 2, "it is followed from memory");
    world.concludes(UpdateState::Succeeded);
    world.later(&node, MINUTE).await;
    assert_eq!((word(&node).await, world.renewed()), ("succeeded", 1));
    assert!(world.book.rows.lock().unwrap().is_empty());
    world.postgres_is_away(false);
    world.later(&node, Duration::ZERO).await;
    assert_eq!((world.stored().stage, world.stored().cost_centavos), (Stage::Succeeded, 327));
    assert_eq!((word(&world.node()).await, world.renewed()), ("succeeded", 1));
}

#[actix_rt::test]
async fn what_memory_holds_never_goes_back_behind_what_is_stored() {
    let world = World::new();
    let (node, other) = (world.node(), world.node());
    ask(&node).await;
    world.postgres_is_away(true);
    world.later(&node, MINUTE).await;
    let claimed = world.stored();
    assert_eq!(claimed.checks, 1, "nobody could take it, so nothing was looked at");
    world.postgres_is_away(false);
    world.later(&node, MINUTE).await;
    assert_eq!(world.stored().checks, 2);
    // It was taken, and the database went away before the look was written down.
    world.passes(Duration::from_secs(600));
    node.look().await;
    world.postgres_is_away(true);
    settled(&node).await;
    world.postgres_is_away(false);
    world.concludes(UpdateState::Succeeded);
    world.later(&other, world.settings.lease()).await;
    assert_eq!((world.stored().stage, world.renewed()), (Stage::Succeeded, 1));
    world.later(&node, MINUTE).await;
    assert_eq!((world.stored().stage, world.renewed()), (Stage::Succeeded, 1));
}

/// With nothing stored and nothing remembered, the vendor's own status is the truth.
#[actix_rt::test]
async fn without_postgres_and_memory_the_vendor_tells() {
    let world = World::new();
    let node = world.node();
    world.postgres_is_away(true);
    assert_eq!(word(&node).await, "none");
    world.shows(7, UpdateState::NotFound);
    let standing = node.status(cnj(), Caller::Anonymous).await.unwrap();
    assert_eq!((standing.word(), standing.record.unwrap().vendor_id), ("not-found", Some(7)));
    world.vendor_fails(Some(Failure::Unreachable));
    assert!(node.status(cnj(), Caller::Anonymous).await.is_err());
}

#[actix_rt::test]
async fn memory_has_an_end_and_the_vendor_still_keeps_us_from_asking_twice() {
    let mut world = World::new();
    world.settings.most_unsaved = 0;
    let node = world.node();
    world.postgres_is_away(true);
    assert_eq!(ask(&node).await.word(), "open");
    let again = ask(&node).await;
    assert_eq!((again.word(), again.adopted, world.asked()), ("open", true, 1));
}
