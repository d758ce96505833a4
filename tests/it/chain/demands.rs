//! What a reader may ask of a cache, and what it gets.

use std::time::Duration;

use crate::support::house::{Plan, answer, number};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[actix_web::test]
async fn only_if_cached_never_spends() {
    let database = Postgres::shared().database("held");
    let house = Plan::new(&database.url).build().await;
    let cnj = number();
    let only_if_cached = || house.request(&house.detailed(&cnj)).header("cache-control", "only-if-cached");
    let none = answer(only_if_cached()).await;
    assert_eq!((none.status, none.problem(), house.fetches()), (504, "not-cached", 0));
    house.lookup(&cnj).await;
    assert_eq!(answer(only_if_cached()).await.status, 200);
    house.clock.advance(2 * DAY);
    let expired = answer(only_if_cached()).await;
    assert_eq!((expired.status, expired.stale(), expired.reason()), (200, Some(true), None));
    assert_eq!(house.fetches(), 1);
    house.close().await;
}

#[actix_web::test]
async fn no_cache_and_force_refresh_pass_every_copy() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("no_cache"));
    let house = Plan::new(&database.url).redis(&redis).build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    let no_cache = answer(house.request(&house.detailed(&cnj)).header("cache-control", "no-cache")).await;
    assert_eq!((no_cache.source(), house.fetches()), ("api", 2));
    assert_eq!((house.refresh(&cnj).await.source(), house.fetches()), ("api", 3));
    assert_eq!(house.lookup(&cnj).await.source(), "memory");
    house.close().await;
}

#[actix_web::test]
async fn max_age_refuses_older_copies() {
    let database = Postgres::shared().database("max_age");
    let house = Plan::new(&database.url).build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    house.clock.advance(HOUR);
    let within = answer(house.request(&house.detailed(&cnj)).header("cache-control", "max-age=7200")).await;
    assert_eq!((within.status, house.fetches()), (200, 1));
    let beyond = answer(house.request(&house.detailed(&cnj)).header("cache-control", "max-age=60")).await;
    assert_eq!((beyond.source(), house.fetches()), ("api", 1), "the vendor has nothing newer, so nothing is bought");
    house.vendor().verify(&cnj, house.now());
    let newer = answer(house.request(&house.detailed(&cnj)).header("cache-control", "max-age=0")).await;
    assert_eq!((newer.source(), house.fetches()), ("api", 2));
    house.close().await;
}

#[actix_web::test]
async fn max_stale_takes_the_expired_copy_at_once_and_refreshes_behind_it() {
    let database = Postgres::shared().database("max_stale");
    let house = Plan::new(&database.url).build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    house.clock.advance(DAY + HOUR);
    house.vendor().verify(&cnj, house.now());
    house.vendor().set_latency(Duration::from_millis(200));
    let stale = answer(house.request(&house.detailed(&cnj)).header("cache-control", "max-stale=7200")).await;
    assert_eq!((stale.stale(), stale.reason()), (Some(true), Some("revalidating")), "{stale:?}");
    eventually(Duration::from_secs(10), "the refresh lands", async || house.lookup(&cnj).await.stale() == Some(false))
        .await;
    assert_eq!(house.fetches(), 2);
    house.close().await;
}

/// A slow vendor costs a reader with a stale copy the soft timeout; the refresh goes on behind it and is not paid twice.
#[actix_web::test]
async fn a_slow_vendor_costs_the_soft_timeout_once() {
    let database = Postgres::shared().database("soft");
    let plan = Plan::new(&database.url).with(|settings| {
        settings.coordinator.patience.soft = Duration::from_millis(200);
    });
    let house = plan.build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    house.clock.advance(DAY + HOUR);
    house.vendor().verify(&cnj, house.now());
    house.vendor().set_latency(Duration::from_millis(1500));
    let stale = house.lookup(&cnj).await;
    assert_eq!((stale.source(), stale.reason()), ("database_fallback", Some("upstream-timeout")), "{stale:?}");
    house.vendor().set_latency(Duration::ZERO);
    eventually(Duration::from_secs(10), "the refresh lands", async || house.lookup(&cnj).await.stale() == Some(false))
        .await;
    assert_eq!(house.fetches(), 2);
    house.close().await;
}

#[actix_web::test]
async fn without_any_copy_the_hard_timeout_ends_the_wait_and_the_purchase_is_kept() {
    let database = Postgres::shared().database("hard");
    let plan = Plan::new(&database.url).with(|settings| {
        settings.coordinator.patience.hard = Duration::from_millis(300);
    });
    let house = plan.build().await;
    house.vendor().set_latency(Duration::from_millis(800));
    let cnj = number();
    let late = house.lookup(&cnj).await;
    assert_eq!((late.status, late.problem()), (503, "upstream-unavailable"));
    assert_ne!(late.header("retry-after"), "");
    eventually(Duration::from_secs(10), "the purchase lands", async || house.lookup(&cnj).await.status == 200).await;
    assert_eq!(house.fetches(), 1);
    house.close().await;
}

#[actix_web::test]
async fn a_client_that_holds_the_content_gets_304_from_whichever_tier() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("conditional"));
    let house = Plan::new(&database.url).redis(&redis).without_near().build().await;
    let cnj = number();
    let etag = house.lookup(&cnj).await.header("etag").to_owned();
    let conditional = || house.request(&house.detailed(&cnj)).header("if-none-match", &etag);
    assert_eq!(answer(conditional()).await.status, 304);
    redis.flush();
    let not_modified = answer(conditional()).await;
    assert_eq!((not_modified.status, not_modified.header("etag")), (304, etag.as_str()));
    assert!(not_modified.header("cache-status").contains("juscache-postgres; hit"));
    house.close().await;
}
