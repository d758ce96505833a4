//! How a request is made, and made once.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::world::{MINUTE, Reception, World, ask, cnj, failed, until, word};
use crate::ambient::Clock;
use crate::domain::caller::Caller;
use crate::domain::update::Stage;
use crate::fetcher::messages::Failure;
use crate::fetcher::messages::FetchError;
use crate::fetcher::update_messages::UpdateRequested;
use crate::fetcher::update_messages::UpdateState;
use crate::fetcher::update_messages::VendorUpdate;
use crate::updates::court::CourtError;
use crate::updates::messages::UpdateError;

#[actix_rt::test]
async fn a_request_is_made_once_followed_and_our_copy_renewed() {
    let world = World::new();
    let node = world.node();
    assert_eq!(word(&node).await, "none");
    assert_eq!(world.looked(), 0, "a status costs no request to the vendor");

    let standing = ask(&node).await;
    assert_eq!((standing.word(), standing.adopted, standing.spent_centavos), ("open", false, 300));
    let again = ask(&node).await;
    assert_eq!((again.word(), again.adopted, again.spent_centavos), ("open", true, 0));
    assert_eq!((world.asked(), world.looked()), (1, 1));

    world.later(&node, Duration::from_secs(14)).await;
    assert_eq!(world.looked(), 1, "not before its time");
    world.later(&node, Duration::from_secs(1)).await;
    assert_eq!((word(&node).await, world.looked()), ("open", 2));

    world.concludes(UpdateState::Succeeded);
    world.later(&node, Duration::from_secs(30)).await;
    assert_eq!((word(&node).await, world.renewed()), ("succeeded", 1));
    let learned = world.time.now();
    assert_eq!(*world.refresher.renewed.lock().unwrap(), [learned]);
    assert_eq!((world.stored().cost_centavos, world.stored().vendor_id), (327, Some(100)));
    world.later(&node, 24 * 60 * MINUTE).await;
    assert_eq!((world.looked(), world.renewed()), (3, 1), "what is over is over");

    assert_eq!(ask(&node).await.word(), "open", "and may be asked for again");
    assert_eq!(world.asked(), 2);
}

#[actix_rt::test]
async fn what_is_open_at_the_vendor_is_adopted_and_not_asked_for() {
    let world = World::new();
    let node = world.node();
    world.shows(7, UpdateState::Open);
    let standing = ask(&node).await;
    assert_eq!((standing.word(), standing.adopted, standing.spent_centavos), ("open", true, 0));
    assert_eq!((world.asked(), world.stored().vendor_id, world.stored().adopted), (0, Some(7), true));
    world.concludes(UpdateState::Succeeded);
    world.later(&node, MINUTE).await;
    assert_eq!((word(&node).await, world.renewed()), ("succeeded", 1));
}

#[actix_rt::test]
async fn a_busy_answer_is_adopted_with_or_without_its_id() {
    for id in [None, Some(7)] {
        let world = World::new();
        let node = world.node();
        let open = |id| VendorUpdate { id, state: UpdateState::Open, created_at: None, concluded_at: None };
        world.receives(Reception::Says(Ok(UpdateRequested { update: id.map(open), busy: true, cost_centavos: 0 })));
        let standing = ask(&node).await;
        assert_eq!((standing.word(), standing.adopted, standing.spent_centavos), ("open", true, 0));
        world.shows(7, UpdateState::Succeeded);
        world.later(&node, MINUTE).await;
        assert_eq!((word(&node).await, world.stored().vendor_id, world.asked()), ("succeeded", Some(7), 1));
    }
}

#[actix_rt::test]
async fn an_unanswered_request_that_the_status_shows_is_adopted_and_not_repeated() {
    let world = World::new();
    let node = world.node();
    world.shows(6, UpdateState::Succeeded);
    world.receives(Reception::AcceptsUnheard);
    assert_eq!(ask(&node).await.word(), "uncertain");
    assert_eq!(ask(&node).await.word(), "uncertain");
    world.later(&node, MINUTE).await;
    assert_eq!((word(&node).await, world.stored().vendor_id), ("open", Some(100)));
    assert_eq!(ask(&node).await.word(), "open");
    world.concludes(UpdateState::Succeeded);
    world.later(&node, MINUTE).await;
    assert_eq!((word(&node).await, world.asked(), world.renewed()), ("succeeded", 1, 1));
}

#[actix_rt::test]
async fn an_unanswered_request_that_the_status_never_shows_may_be_made_again() {
    let world = World::new();
    let node = world.node();
    world.shows(6, UpdateState::Succeeded);
    world.receives(Reception::Says(Err(failed(Failure::TimedOut))));
    assert_eq!(ask(&node).await.word(), "uncertain");
    for _ in 0..9 {
        world.later(&node, MINUTE).await;
        assert_eq!((ask(&node).await.word(), world.renewed()), ("uncertain", 0), "the one from before is not ours");
    }
    assert_eq!(world.asked(), 1);
    world.later(&node, 10 * MINUTE).await;
    assert_eq!((word(&node).await, world.stored().vendor_id), ("failed", None));
    world.receives(Reception::Accepts);
    assert_eq!(ask(&node).await.word(), "open");
    assert_eq!(world.asked(), 2);
}

/// Nobody looked at it while the service was down: whoever asks next does, before anything is asked.
#[actix_rt::test]
async fn a_forgotten_request_is_reviewed_before_another_is_made() {
    for (shown, asked, expected) in [(None, 2, "open"), (Some(UpdateState::Open), 1, "uncertain")] {
        let world = World::new();
        let node = world.node();
        world.receives(Reception::Says(Err(CourtError::Unanswered)));
        assert_eq!(ask(&node).await.word(), "uncertain");
        world.passes(Duration::from_secs(3_600));
        if let Some(state) = shown {
            world.shows(100, state);
        }
        world.receives(Reception::Accepts);
        assert_eq!((ask(&node).await.word(), world.asked()), (expected, asked), "{shown:?}");
        world.later(&node, MINUTE).await;
        assert_eq!((word(&node).await, world.asked()), ("open", asked));
    }
}

#[actix_rt::test]
async fn what_was_certainly_not_accepted_is_an_error_and_may_be_tried_again() {
    for failure in [Failure::NoCredit, Failure::BudgetExhausted, Failure::Refused, Failure::RateLimited] {
        let world = World::new();
        let node = world.node();
        world.receives(Reception::Says(Err(failed(failure))));
        let error = node.ask(cnj(), Caller::Anonymous).await.unwrap_err();
        assert!(matches!(error, UpdateError::Vendor(FetchError { failure: told, .. }) if told == failure), "{error:?}");
        assert_eq!(word(&node).await, "failed");
        world.receives(Reception::Accepts);
        assert_eq!(ask(&node).await.word(), "open");
    }
}

#[actix_rt::test]
async fn an_unknown_process_is_said_to_be_unknown() {
    let world = World::new();
    let node = world.node();
    world.receives(Reception::Says(Ok(UpdateRequested { update: None, busy: false, cost_centavos: 0 })));
    let error = node.ask(cnj(), Caller::Anonymous).await.unwrap_err();
    assert_eq!(error, UpdateError::Unknown { cost_centavos: 0 });
    assert_eq!(word(&node).await, "not-found");
}

#[actix_rt::test]
async fn without_the_vendors_status_nothing_is_asked() {
    let world = World::new();
    let node = world.node();
    world.vendor_fails(Some(Failure::Unreachable));
    assert!(node.ask(cnj(), Caller::Anonymous).await.is_err());
    assert_eq!((world.asked(), word(&node).await), (0, "none"));
}

#[actix_rt::test]
async fn those_who_ask_at_once_share_one_request_and_only_one_pays() {
    let world = World::new();
    let node = world.node();
    let standings = join_all((0..20).map(|_| ask(&node))).await;
    assert_eq!((world.asked(), world.looked()), (1, 1));
    assert!(
        standings.iter().all(|standing| standing.record == standings[0].record && !standing.adopted),
        "{standings:?}"
    );
    assert_eq!(standings.iter().map(|standing| standing.spent_centavos).sum::<u64>(), 300);
}

/// A caller who leaves takes nothing with it: what is paid for is written down.
#[actix_rt::test]
async fn a_request_goes_on_without_its_caller() {
    let world = World::new();
    let node = world.node();
    let mut asking = node.ask(cnj(), Caller::Anonymous);
    assert!((&mut asking).now_or_never().is_none());
    drop(asking);
    until(|| world.book.rows.lock().unwrap().get(&cnj()).is_some_and(|row| row.stage == Stage::Open)).await;
    assert_eq!(world.asked(), 1);
}
