//! The four flows of the mission.

use std::time::Duration;

use crate::support::house::{Plan, number};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[actix_web::test]
async fn the_first_lookup_asks_the_vendor_once_and_fills_every_tier() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("flows"));
    let house = Plan::new(&database.url).redis(&redis).build().await;
    let cnj = number();

    let first = house.lookup(&cnj).await;
    assert_eq!((first.status, first.source(), first.stale()), (200, "api", Some(false)), "{first:?}");
    assert_eq!(house.fetches(), 1);
    assert_eq!(redis.copies().len(), 1);
    let stored = Postgres::shared().rows(database.name(), "SELECT cnj, sync_status FROM process_status_cache");
    assert_eq!(stored, [[Some(cnj.clone()), Some("success".into())]]);

    let second = house.lookup(&cnj).await;
    assert_eq!((second.source(), house.fetches()), ("memory", 1));
    assert_eq!(second.header("etag"), first.header("etag"));
    assert_eq!(second.header("x-juscache-cost"), "0");
    assert_ne!(first.header("x-juscache-cost"), "0");
    house.close().await;
}

#[actix_web::test]
async fn with_redis_empty_it_is_a_postgresql_hit_that_refills_redis() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("refill"));
    let house = Plan::new(&database.url).redis(&redis).without_near().build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    assert_eq!(house.lookup(&cnj).await.source(), "redis");

    redis.flush();
    let from_database = house.lookup(&cnj).await;
    assert_eq!((from_database.source(), from_database.stale()), ("database", Some(false)));
    assert_eq!(redis.copies().len(), 1);
    assert_eq!(house.lookup(&cnj).await.source(), "redis");
    assert_eq!(house.fetches(), 1);
    house.close().await;
}

#[actix_web::test]
async fn with_the_vendor_gone_an_expired_copy_is_served_as_database_fallback_and_it_recovers() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("fallback"));
    let mut house = Plan::new(&database.url).redis(&redis).build().await;
    let cnj = number();
    let fresh = house.lookup(&cnj).await;

    house.clock.advance(DAY + Duration::from_secs(60));
    house.vendor_gone().await;
    let stale = house.lookup(&cnj).await;
    assert_eq!((stale.status, stale.source()), (200, "database_fallback"), "{stale:?}");
    assert_eq!((stale.stale(), stale.reason()), (Some(true), Some("upstream-unavailable")));
    assert_eq!(stale.body["movements"], fresh.body["movements"]);
    assert!(stale.header("age").parse::<u64>().expect("an age") >= 86_400);

    house.vendor_back().await;
    let recovered = house.lookup(&cnj).await;
    assert_eq!((recovered.source(), recovered.stale()), ("api", Some(false)));
    house.close().await;
}

/// Every tier answers in one shape; the earlier implementation lost half of the fields on the way through its tiers.
#[actix_web::test]
async fn every_tier_gives_the_same_content() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("shape"));
    let house = Plan::new(&database.url).redis(&redis).build().await;
    let cnj = number();
    let content = |mut body: serde_json::Value| {
        let object = body.as_object_mut().expect("an object");
        for varying in ["cached_at", "cache_source", "freshness"] {
            assert!(object.remove(varying).is_some(), "{varying}");
        }
        body
    };
    let api = house.lookup(&cnj).await;
    let memory = house.lookup(&cnj).await;
    assert_eq!(memory.source(), "memory");
    assert_eq!(content(memory.body), content(api.body));
    house.close().await;

    // A second life on the same stores: nothing near.
    let house = Plan::new(&database.url).redis(&redis).without_near().build().await;
    let from_redis = house.lookup(&cnj).await;
    redis.flush();
    let from_database = house.lookup(&cnj).await;
    assert_eq!((from_redis.source(), from_database.source()), ("redis", "database"));
    assert_eq!(from_redis.header("etag"), from_database.header("etag"));
    assert_eq!(content(from_redis.body), content(from_database.body));
    house.close().await;
}

#[actix_web::test]
async fn a_masked_and_a_bare_number_are_one_process() {
    let database = Postgres::shared().database("forms");
    let house = Plan::new(&database.url).build().await;
    let masked = number();
    let bare: String = masked.chars().filter(char::is_ascii_digit).collect();
    house.lookup(&bare).await;
    let answer = house.lookup(&masked).await;
    assert_eq!((answer.source(), house.fetches()), ("memory", 1));
    assert_eq!(answer.body["cnj"], masked.as_str());
    house.close().await;
}

/// A near copy answers for its near time; then a tier confirms it, and if none does, it is bought and not believed.
#[actix_web::test]
async fn a_near_copy_past_its_near_time_is_confirmed_by_a_tier() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("near_time"));
    let near_for = |settings: &mut juscache::config::Settings| {
        settings.coordinator.near_ttl = Duration::from_millis(300);
    };
    let house = Plan::new(&database.url).redis(&redis).with(near_for).build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    assert_eq!(house.lookup(&cnj).await.source(), "memory");
    let patience = Duration::from_secs(10);
    eventually(patience, "redis confirms it", async || house.lookup(&cnj).await.source() == "redis").await;

    redis.flush();
    Postgres::shared().execute(database.name(), "DELETE FROM process_status_cache");
    eventually(patience, "the vendor confirms it", async || house.lookup(&cnj).await.source() == "api").await;
    assert_eq!(house.fetches(), 1, "free of charge");
    house.close().await;
}

/// An operator who shortens the freshness means what is stored already, too.
#[actix_web::test]
async fn a_shorter_freshness_reaches_what_is_stored() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("shorter"));
    let plan = || Plan::new(&database.url).redis(&redis).without_near();
    let house = plan().build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    house.close().await;
    let house = plan().with(|settings| settings.coordinator.db_ttl = Duration::from_millis(1)).build().await;
    assert_eq!(house.lookup(&cnj).await.source(), "api", "whether it buys or confirms, the vendor is asked");
    house.close().await;
}
