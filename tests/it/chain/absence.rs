//! What the vendor does not know is remembered for a while, and forgotten on discovery.

use std::time::Duration;

use crate::support::house::{Plan, number};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;

#[actix_web::test]
async fn an_unknown_process_is_asked_for_once_an_hour() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("absent"));
    let house = Plan::new(&database.url).redis(&redis).without_near().build().await;
    let cnj = number();
    house.vendor().forget_process(&cnj);
    for _ in 0..3 {
        let unknown = house.lookup(&cnj).await;
        assert_eq!((unknown.status, unknown.problem()), (404, "unknown-process"));
    }
    redis.flush();
    assert_eq!(house.lookup(&cnj).await.status, 404);
    assert_eq!(house.fetches(), 1, "redis and postgresql both remember it");

    house.clock.advance(Duration::from_secs(3700));
    assert_eq!((house.lookup(&cnj).await.status, house.fetches()), (404, 2));
    house.close().await;
}

#[actix_web::test]
async fn a_process_that_appears_is_found_by_a_refresh_and_known_from_then_on() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("appears"));
    let house = Plan::new(&database.url).redis(&redis).build().await;
    let cnj = number();
    house.vendor().forget_process(&cnj);
    assert_eq!(house.lookup(&cnj).await.status, 404);
    house.vendor().set_process(&cnj, &juscache::sandbox::ProcessShape::default());
    assert_eq!(house.refresh(&cnj).await.status, 200);
    assert_eq!(house.lookup(&cnj).await.source(), "memory");
    house.close().await;
}

/// The earlier implementation could not cache a process without movements, so it paid for it on every read.
#[actix_web::test]
async fn a_process_without_movements_is_bought_once() {
    let database = Postgres::shared().database("empty");
    let house = Plan::new(&database.url).without_near().build().await;
    let cnj = number();
    let shape = juscache::sandbox::ProcessShape { movements: Some(0), ..Default::default() };
    house.vendor().set_process(&cnj, &shape);
    let first = house.lookup(&cnj).await;
    assert_eq!((first.status, first.body["total_movements"].as_u64()), (200, Some(0)));
    assert_eq!((house.lookup(&cnj).await.source(), house.fetches()), ("database", 1));
    house.close().await;
}

/// One wrong 404 of the vendor must not cost the copy that was paid for.
#[actix_web::test]
async fn a_copy_is_a_fallback_again_when_an_absence_is_no_longer_believed() {
    let database = Postgres::shared().database("absent_copy");
    let house = Plan::new(&database.url).without_near().build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    house.vendor().forget_process(&cnj);
    assert_eq!(house.refresh(&cnj).await.status, 404);
    assert_eq!(house.lookup(&cnj).await.status, 404, "believed for an hour");
    house.clock.advance(Duration::from_secs(3700));
    house.vendor().set_fault(juscache::sandbox::Fault::Html500, None, None);
    let fallback = house.lookup(&cnj).await;
    assert_eq!((fallback.status, fallback.source()), (200, "database_fallback"), "{fallback:?}");
    house.close().await;
}
