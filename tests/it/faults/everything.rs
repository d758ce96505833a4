//! Rows: Redis and PostgreSQL are broken; everything is.

use std::time::Duration;

use crate::support::house::{Plan, numbers};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::wait::eventually;

#[actix_web::test]
async fn near_copies_then_the_vendor_then_a_clear_503_and_it_recovers_by_itself() {
    let (redis, postgres) = (Redis::start(), Postgres::own());
    let database = postgres.database("everything");
    let mut house = Plan::new(&database.url).redis(&redis).build().await;
    let all = numbers(3);
    let [near, bought, never] = all.as_slice() else { panic!("three numbers") };
    assert_eq!(house.lookup(near).await.status, 200);

    let load = house.steady_requests(near);
    redis.kill();
    postgres.kill9();
    assert_eq!(house.lookup(near).await.source(), "memory");
    let answer = house.lookup(bought).await;
    assert_eq!((answer.status, answer.source()), (200, "api"), "{answer:?}");

    house.vendor_gone().await;
    assert_eq!(house.lookup(near).await.source(), "memory");
    let clear = house.lookup(never).await;
    assert_eq!((clear.status, clear.problem()), (503, "upstream-unavailable"), "{clear:?}");
    assert_ne!(clear.header("retry-after"), "");
    assert_eq!(house.get("/health/live").await.status, 200);
    assert_eq!(house.get("/health/ready").await.status, 200, "near copies are still answered");

    let report = load.stop().await;
    assert!(report.failures(Duration::ZERO..Duration::MAX).is_empty());
    let sources = report.sources(Duration::ZERO..Duration::MAX);
    assert_eq!(sources.keys().copied().collect::<Vec<_>>(), ["memory"], "{sources:?}");

    // Past every freshness, a near copy is still better than nothing, and says what it is.
    house.clock.advance(Duration::from_secs(2 * 24 * 3600));
    let last_resort = house.lookup(near).await;
    assert_eq!((last_resort.status, last_resort.source()), (200, "memory"));
    assert_eq!((last_resort.stale(), last_resort.reason()), (Some(true), Some("upstream-unavailable")));

    redis.restart();
    postgres.start();
    house.vendor_back().await;
    eventually(Duration::from_secs(20), "a fresh answer", async || house.lookup(never).await.status == 200).await;
    eventually(Duration::from_secs(20), "the journal is stored", async || {
        house.get("/health/ready").await.body["journal_pending"] == 0
    })
    .await;
    house.close().await;
}
