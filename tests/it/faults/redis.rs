//! Row: Redis is broken. Near copy, then PostgreSQL; no added error, added latency bounded.

use std::time::Duration;

use crate::support::house::{House, Plan, numbers};
use crate::support::load::{Load, LoadPlan};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);

async fn under_load(redis: &Redis, database: &TestDatabase<'_>) -> (House, Load) {
    let house = Plan::new(&database.url).redis(redis).without_near().build().await;
    let mut urls = Vec::new();
    for cnj in numbers(20) {
        assert_eq!(house.lookup(&cnj).await.status, 200);
        urls.push(house.detailed(&cnj));
    }
    let load = Load::start(LoadPlan {
        urls,
        clients: 8,
        pause: Duration::from_millis(5),
        timeout: 5 * SECOND,
        at_most: 60 * SECOND,
    });
    eventually(10 * SECOND, "hits in redis", async || load.done() > 100).await;
    (house, load)
}

async fn tier_up(house: &House) -> bool {
    house.metrics().await.contains("juscache_tier_up{tier=\"redis\"} 1")
}

#[actix_web::test]
async fn killed_under_load_no_request_fails_and_latency_is_back_within_a_second() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("redis_killed"));
    let (house, load) = under_load(&redis, &database).await;
    let killed = load.mark();
    redis.kill();
    eventually(10 * SECOND, "four seconds without redis", async || load.mark() > killed + 4 * SECOND).await;
    assert!(!tier_up(&house).await);
    let restarted = load.mark();
    redis.restart();
    eventually(10 * SECOND, "redis is used again", async || tier_up(&house).await).await;
    let back = load.mark();
    eventually(10 * SECOND, "a second with redis", async || load.mark() > back + SECOND).await;
    let report = load.stop().await;

    assert!(report.failures(Duration::ZERO..Duration::MAX).is_empty());
    let settled = report.percentile(killed + 3 * SECOND..restarted, 99);
    let after_a_second = report.percentile(killed + SECOND..killed + 2 * SECOND, 99);
    // The level of PostgreSQL, with room for a noisy machine; far below what waiting for Redis would cost.
    assert!(after_a_second <= settled * 2 + Duration::from_millis(50), "{after_a_second:?} against {settled:?}");
    let usual = report.percentile(killed + SECOND..restarted, 50);
    assert!(usual < Duration::from_millis(50), "nobody pays the timeout of redis any more: {usual:?}");
    let sources = report.sources(killed + SECOND..restarted);
    assert_eq!(sources.keys().copied().collect::<Vec<_>>(), ["database"], "{sources:?}");
    assert!(report.sources(back..Duration::MAX).contains_key("redis"), "redis is refilled and used");
    assert_eq!(house.fetches(), 20, "nothing was bought again");
    house.close().await;
}

/// A paused Redis accepts and never answers: it costs one short timeout, then nothing.
#[actix_web::test]
async fn paused_it_costs_one_timeout_and_then_nothing() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("redis_paused"));
    let (house, load) = under_load(&redis, &database).await;
    let paused = load.mark();
    redis.pause();
    eventually(10 * SECOND, "three seconds of silence", async || load.mark() > paused + 3 * SECOND).await;
    redis.resume();
    eventually(10 * SECOND, "redis is used again", async || tier_up(&house).await).await;
    let report = load.stop().await;
    assert!(report.failures(Duration::ZERO..Duration::MAX).is_empty());
    assert!(report.percentile(paused..paused + SECOND, 100) < SECOND, "one timeout of 100 ms");
    // Half of them: a busy machine is late now and then, but whoever waits for redis waits 100 ms every time.
    let usual = report.percentile(paused + SECOND..paused + 3 * SECOND, 50);
    assert!(usual < Duration::from_millis(90), "nobody waits for it any more: {usual:?}");
    house.close().await;
}
