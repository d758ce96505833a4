//! Row: an actor panics or hangs. It is replaced, and its callers get an answer or a clear error within their deadline.

use std::time::Duration;

use juscache::supervision::{ChildReport, ChildState, Probe};

use crate::support::house::{House, Plan, numbers};
use crate::support::load::{Load, LoadPlan};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const TIMES: u64 = 100;
const DEADLINE: Duration = Duration::from_secs(10);

fn child(house: &House, name: &str) -> ChildReport {
    let children = house.app.supervisor().report();
    children.into_iter().find(|child| &*child.name == name).expect("the actor is known")
}

async fn is_up(house: &House, name: &str) {
    eventually(Duration::from_secs(30), "the actor is up", async || child(house, name).state == ChildState::Up).await;
}

/// Breaks one actor a hundred times under load.
async fn broken(name: &str, probe: fn() -> Probe) {
    let (redis, database) = (Redis::start(), Postgres::shared().database("actors"));
    let plan = Plan::new(&database.url).redis(&redis).without_near().with(|settings| {
        // Mostly hits, now and then a purchase.
        settings.coordinator.db_ttl = Duration::from_secs(2);
        settings.coordinator.patience.hard = Duration::from_secs(3);
        settings.supervision.heartbeat.every = Duration::from_millis(20);
        settings.supervision.heartbeat.patience = Duration::from_millis(100);
        settings.supervision.backoff.cap = Duration::from_millis(20);
        settings.supervision.intensity.max_restarts = usize::MAX;
    });
    let house = plan.build().await;
    let urls: Vec<_> = numbers(6).iter().map(|cnj| house.detailed(cnj)).collect();
    for cnj in numbers(6) {
        assert_eq!(house.lookup(&cnj).await.status, 200);
    }
    let load = Load::start(LoadPlan {
        urls,
        clients: 6,
        pause: Duration::from_millis(10),
        timeout: DEADLINE,
        at_most: Duration::from_secs(120),
    });
    for round in 1..=TIMES {
        is_up(&house, name).await;
        assert!(house.app.supervisor().sabotage(name, probe()), "somebody is there to be broken");
        eventually(Duration::from_secs(30), "the failure is noticed", async || child(&house, name).restarts >= round)
            .await;
    }
    is_up(&house, name).await;
    let back = load.mark();
    eventually(DEADLINE, "half a second of peace", async || load.mark() > back + Duration::from_millis(500)).await;
    let report = load.stop().await;

    for sample in report.within(Duration::ZERO..Duration::MAX) {
        assert!(sample.latency < DEADLINE, "no request hangs past its deadline: {sample:?}");
        // Only the coordinator is without a stand-in, and a lookup is repeated once.
        let clear = sample.status == Some(200) || (name.starts_with("coordinator") && sample.status == Some(503));
        assert!(clear, "an answer or a clear error: {sample:?}");
    }
    assert!(report.within(Duration::ZERO..Duration::MAX).count() > 100, "there was a load");
    let peace = back + Duration::from_millis(200)..Duration::MAX;
    assert!(report.failures(peace).is_empty(), "the actor is back");

    let ready = house.get("/health/ready").await;
    let actors = ready.body["actors"].as_array().expect("actors").clone();
    let line = actors.iter().find(|actor| actor["name"] == name).expect("its line");
    assert!(line["restarts"].as_u64() >= Some(TIMES), "{line}");
    let metrics = house.metrics().await;
    assert!(metrics.contains(&format!("juscache_actor_restarts_total{{actor=\"{name}\"}}")), "{metrics}");
    house.close().await;
}

fn panics() -> Probe {
    Probe::Panic
}

fn hangs() -> Probe {
    Probe::Hang(Duration::from_millis(400))
}

#[actix_web::test]
async fn the_coordinator_panics() {
    broken("coordinator-0", panics).await;
}

#[actix_web::test]
async fn the_coordinator_hangs() {
    broken("coordinator-0", hangs).await;
}

#[actix_web::test]
async fn the_redis_tier_panics() {
    broken("redis", panics).await;
}

#[actix_web::test]
async fn the_redis_tier_hangs() {
    broken("redis", hangs).await;
}

#[actix_web::test]
async fn the_postgresql_tier_panics() {
    broken("postgres", panics).await;
}

#[actix_web::test]
async fn the_postgresql_tier_hangs() {
    broken("postgres", hangs).await;
}

#[actix_web::test]
async fn the_fetcher_panics() {
    broken("fetcher", panics).await;
}

#[actix_web::test]
async fn the_fetcher_hangs() {
    broken("fetcher", hangs).await;
}
