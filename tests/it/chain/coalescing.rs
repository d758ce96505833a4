//! One process, many readers, one paid call.

use std::time::Duration;

use futures_util::future::join_all;
use juscache::ambient::{Clock, SystemClock};
use juscache::coordinator::messages::{Demand, Lookup, LookupError, Reach};
use juscache::domain::caller::Caller;
use juscache::domain::cnj::Cnj;
use juscache::domain::served::ServedFrom;
use juscache::fetcher::messages::Failure;
use juscache::resilience::Deadline;
use juscache::sandbox::Fault;

use crate::support::house::{House, Plan, number};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

const CROWD: usize = 10_000;

fn lookup(cnj: &str, reach: Reach) -> Lookup {
    Lookup {
        cnj: Cnj::parse(cnj).expect("a valid number"),
        demand: Demand { reach, ..Demand::default() },
        allowance: None,
        caller: Caller::Anonymous,
        deadline: Deadline::after(SystemClock.monotonic(), Duration::from_secs(60)),
    }
}

/// A house on a database that goes when the test does.
async fn house(hint: &str) -> (House, TestDatabase<'static>) {
    let database = Postgres::shared().database(hint);
    (Plan::new(&database.url).build().await, database)
}

#[actix_web::test]
async fn ten_thousand_first_lookups_make_one_fetch() {
    let (house, _database) = house("crowd").await;
    house.vendor().set_latency(Duration::from_millis(300));
    let cnj = number();
    let answers = join_all((0..CROWD).map(|_| house.app.coordinators().lookup(lookup(&cnj, Reach::Vendor)))).await;
    let served: Vec<_> = answers.into_iter().map(|answer| answer.expect("every reader is answered")).collect();
    assert_eq!(house.fetches(), 1);
    let paid: Vec<_> = served.iter().filter(|served| served.cost_centavos > 0).collect();
    assert_eq!(paid.len(), 1, "one reader answers for the cost");
    assert!(served.iter().all(|served| matches!(served.from, ServedFrom::Api | ServedFrom::Memory)));
    assert!(served.iter().filter(|served| served.collapsed).count() > CROWD / 2);
    house.close().await;
}

#[actix_web::test]
async fn if_that_fetch_fails_every_reader_gets_the_same_real_error() {
    let (house, _database) = house("crowd_fails").await;
    house.vendor().set_latency(Duration::from_millis(300));
    house.vendor().set_fault(Fault::NoCredit, None, None);
    let cnj = number();
    let answers = join_all((0..CROWD).map(|_| house.app.coordinators().lookup(lookup(&cnj, Reach::Vendor)))).await;
    for answer in answers {
        let error = answer.expect_err("nothing can be bought");
        assert!(matches!(error, LookupError::Upstream { failure: Failure::NoCredit, .. }), "{error:?}");
    }
    assert_eq!(house.fetches(), 1);
    house.close().await;
}

/// A reader who hangs up while the vendor takes its time. A fixed time would be over, on a busy machine, before anybody was asked.
async fn asks_and_leaves(house: &House, cnj: &str) {
    tokio::select! {
        answer = house.lookup(cnj) => assert_eq!(answer.status, 0, "it was to wait"),
        () = eventually(Duration::from_secs(10), "the vendor is asked", async || house.fetches() == 1) => {}
    }
}

#[actix_web::test]
async fn if_the_first_reader_leaves_nobody_else_notices() {
    let (house, _database) = house("leaver").await;
    house.vendor().set_latency(Duration::from_secs(2));
    let cnj = number();
    asks_and_leaves(&house, &cnj).await;
    let stayer = house.lookup(&cnj).await;
    assert_eq!((stayer.status, house.fetches()), (200, 1));
    assert!(stayer.header("cache-status").contains("collapsed"), "{}", stayer.header("cache-status"));
    house.close().await;
}

/// A paid answer is never thrown away because the reader went home.
#[actix_web::test]
async fn if_every_reader_leaves_the_answer_is_stored_all_the_same() {
    let (house, _database) = house("all_leave").await;
    house.vendor().set_latency(Duration::from_secs(1));
    let cnj = number();
    asks_and_leaves(&house, &cnj).await;
    house.vendor().set_latency(Duration::ZERO);
    eventually(Duration::from_secs(10), "the bought copy is near", async || {
        let held = house.app.coordinators().lookup(lookup(&cnj, Reach::Held)).await;
        held.is_ok()
    })
    .await;
    assert_eq!(house.fetches(), 1);
    house.close().await;
}

#[actix_web::test]
async fn forced_refreshes_are_coalesced_too() {
    let (house, _database) = house("refreshes").await;
    let cnj = number();
    house.lookup(&cnj).await;
    house.vendor().set_latency(Duration::from_millis(300));
    let answers = join_all((0..50).map(|_| house.refresh(&cnj))).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.source() == "api"));
    assert_eq!(house.fetches(), 2);
    house.close().await;
}

/// The waiting list is bounded: beyond it a reader is told when to come back.
#[actix_web::test]
async fn a_crowd_beyond_the_bound_is_turned_away() {
    let database = Postgres::shared().database("bound");
    let plan = Plan::new(&database.url).with(|settings| settings.coordinator.max_readers = 10);
    let house = plan.build().await;
    house.vendor().set_latency(Duration::from_millis(500));
    let cnj = number();
    let answers = join_all((0..50).map(|_| house.lookup(&cnj))).await;
    let (served, turned_away): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(served.len(), 10);
    for answer in turned_away {
        assert_eq!((answer.status, answer.problem()), (503, "overloaded"));
        assert_ne!(answer.header("retry-after"), "");
    }
    house.close().await;
}

/// Readers who hang up leave room for others, however long the flight goes on.
#[actix_web::test]
async fn those_who_hang_up_free_their_places() {
    let database = Postgres::shared().database("hang_up");
    let plan = Plan::new(&database.url).with(|settings| settings.coordinator.max_readers = 5);
    let house = plan.build().await;
    house.vendor().set_latency(Duration::from_secs(2));
    let cnj = number();
    let hang_up = (0..5).map(|_| house.client.get(house.detailed(&cnj)).timeout(Duration::from_millis(300)).send());
    assert!(join_all(hang_up).await.iter().all(Result::is_err));
    eventually(Duration::from_secs(2), "a place is free", async || {
        let patient = house.client.get(house.detailed(&cnj)).timeout(Duration::from_millis(200)).send().await;
        // Either it waits until it gives up, or it is turned away at once.
        patient.is_err()
    })
    .await;
    assert_eq!(house.lookup(&cnj).await.status, 200);
    assert_eq!(house.fetches(), 1);
    house.close().await;
}
