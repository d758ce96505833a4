//! Row: PostgreSQL is broken. Near copy, Redis, then the vendor; what was paid for is journaled and stored afterwards.

use std::time::Duration;

use crate::support::house::{Plan, numbers};
use crate::support::load::{Load, LoadPlan};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);

async fn broken(break_it: impl Fn(&Postgres), mend: impl Fn(&Postgres)) {
    let (redis, postgres) = (Redis::start(), Postgres::own());
    let database = postgres.database("broken");
    let house = Plan::new(&database.url).redis(&redis).without_near().build().await;
    let mut all = numbers(12);
    let bought_during = all.split_off(10);
    let mut urls = Vec::new();
    for cnj in &all {
        assert_eq!(house.lookup(cnj).await.status, 200);
        urls.push(house.detailed(cnj));
    }
    let load = Load::start(LoadPlan {
        urls,
        clients: 4,
        pause: Duration::from_millis(10),
        timeout: 10 * SECOND,
        at_most: 60 * SECOND,
    });
    break_it(&postgres);
    for cnj in &bought_during {
        let bought = house.lookup(cnj).await;
        assert_eq!((bought.status, bought.source(), bought.stale()), (200, "api", Some(false)), "{bought:?}");
        assert_eq!(house.lookup(cnj).await.source(), "redis");
    }
    let ready = house.get("/health/ready").await;
    assert_eq!(ready.status, 200, "degraded is still ready");
    assert_eq!(ready.body["journal_pending"], 2, "{}", ready.body);
    let report = load.stop().await;
    assert!(report.failures(Duration::ZERO..Duration::MAX).is_empty());
    let sources = report.sources(Duration::ZERO..Duration::MAX);
    assert_eq!(sources.keys().copied().collect::<Vec<_>>(), ["redis"], "{sources:?}");

    mend(&postgres);
    eventually(20 * SECOND, "the journal is stored", async || {
        house.get("/health/ready").await.body["journal_pending"] == 0
    })
    .await;
    redis.flush();
    for cnj in &bought_during {
        assert_eq!(house.lookup(cnj).await.source(), "database", "what was paid for is in the database");
    }
    assert_eq!(house.fetches(), 12);
    house.close().await;
}

#[actix_web::test]
async fn killed() {
    broken(Postgres::kill9, Postgres::start).await;
}

#[actix_web::test]
async fn paused() {
    broken(Postgres::pause, Postgres::resume).await;
}

/// With nothing but the journal left, what was paid for is still not paid for twice.
#[actix_web::test]
async fn away_without_redis_the_journal_answers() {
    let postgres = Postgres::own();
    let database = postgres.database("journal_answers");
    let house = Plan::new(&database.url).without_near().build().await;
    postgres.kill9();
    let cnj = numbers(1).remove(0);
    assert_eq!(house.lookup(&cnj).await.source(), "api");
    let again = house.lookup(&cnj).await;
    assert_eq!((again.status, again.source(), house.fetches()), (200, "database", 1), "{again:?}");
    house.close().await;
}

/// A service that starts while its database is away answers, journals, and migrates when the database comes.
#[actix_web::test]
async fn away_at_the_start() {
    let postgres = Postgres::own();
    let database = postgres.database("away");
    postgres.stop();
    let house = Plan::new(&database.url).build().await;
    let cnj = numbers(1).remove(0);
    let bought = house.lookup(&cnj).await;
    assert_eq!((bought.status, bought.source()), (200, "api"));
    postgres.start();
    eventually(30 * SECOND, "the journal is stored", async || {
        house.get("/health/ready").await.body["journal_pending"] == 0
    })
    .await;
    let rows = postgres.rows(database.name(), "SELECT cnj FROM process_status_cache");
    assert_eq!(rows, [[Some(cnj)]]);
    house.close().await;
}
