//! What the vendor tells us without being asked reaches every tier, once, and costs nothing.

use std::time::Duration;

use chrono::NaiveDate;
use futures_util::future::join_all;
use juscache::ambient::{Clock, SystemClock};
use juscache::coordinator::amending::AmendError;
use juscache::coordinator::amendment::{Amended, Amendment};
use juscache::domain::cnj::Cnj;
use juscache::domain::movement::{Movement, MovementId, Source};
use juscache::resilience::Deadline;

use crate::support::fault_proxy::FaultProxy;
use crate::support::house::{Answer, House, Plan, number};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn movement(id: i64) -> Amendment {
    Amendment::Movement(Box::new(Movement {
        id: MovementId::vendor(id),
        date: NaiveDate::from_ymd_opt(2026, 11, 20),
        kind: Some("ANDAMENTO".into()),
        text: format!("Juntada de petição, contada pelo fornecedor sob {id}"),
        publication: None,
        category: None,
        classification: None,
        source: Source { id: Some(3), tribunal: Some("TJSP".into()), ..Source::default() },
    }))
}

async fn amend(house: &House, cnj: &str, amendment: Amendment) -> Result<Amended, AmendError> {
    let deadline = Deadline::after(SystemClock.monotonic(), Duration::from_secs(30));
    house.app.coordinators().amend(Cnj::parse(cnj).expect("a number"), amendment, deadline).await
}

fn has(answer: &Answer, id: i64) -> bool {
    let movements = answer.body["movements"].as_array().map(Vec::as_slice).unwrap_or_default();
    movements.iter().any(|movement| movement["id"] == id.to_string().as_str())
}

fn stored(database: &TestDatabase<'_>, cnj: &str, id: i64) -> Vec<Vec<Option<String>>> {
    let query = format!(
        "SELECT count(*), count(removed_at) FROM process_movements WHERE cnj = '{cnj}' AND movement_id = '{id}'"
    );
    Postgres::shared().rows(database.name(), &query)
}

fn once() -> Vec<Vec<Option<String>>> {
    vec![vec![Some("1".into()), Some("0".into())]]
}

#[actix_web::test]
async fn a_movement_is_near_in_redis_and_in_postgresql_and_twice_is_once() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("amend"));
    let house = Plan::new(&database.url).redis(&redis).build().await;
    let cnj = number();
    let before = house.lookup(&cnj).await;
    let total = before.body["total_movements"].as_u64().expect("a total");
    let calls = house.vendor().calls().len();

    assert_eq!(amend(&house, &cnj, movement(77)).await, Ok(Amended::Done));
    assert_eq!(amend(&house, &cnj, movement(77)).await, Ok(Amended::Already));
    let near = house.lookup(&cnj).await;
    assert_eq!((near.source(), has(&near, 77)), ("memory", true));
    assert_eq!(near.body["total_movements"].as_u64(), Some(total + 1));
    assert_eq!(near.body["last_update"], "2026-11-20");
    assert_eq!(near.body["freshness"]["fresh_until"], before.body["freshness"]["fresh_until"]);
    assert_eq!(stored(&database, &cnj, 77), once());
    house.close().await;

    // A second life on the same stores, with nothing near.
    let house = Plan::new(&database.url).redis(&redis).without_near().build().await;
    let from_redis = house.lookup(&cnj).await;
    assert_eq!((from_redis.source(), has(&from_redis, 77)), ("redis", true));
    redis.flush();
    let from_database = house.lookup(&cnj).await;
    assert_eq!((from_database.source(), has(&from_database, 77)), ("database", true));
    assert_eq!(amend(&house, &cnj, movement(77)).await, Ok(Amended::Already));
    assert_eq!(calls, 2, "a cover and its movements, and nothing since");
    assert_eq!(house.vendor().calls().len(), 0);
    house.close().await;
}

#[actix_web::test]
async fn what_is_told_at_one_moment_is_all_there() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("amend_many"));
    let plan = || Plan::new(&database.url).redis(&redis);
    let houses = Plan::build_fleet(plan, 2).await;
    let cnj = number();
    houses[0].lookup(&cnj).await;
    let ids: Vec<i64> = (70..76).collect();
    // Each of them on both nodes, all at once.
    let told = ids.iter().flat_map(|id| houses.iter().map(|house| (house, *id)));
    let amended = join_all(told.map(async |(house, id)| {
        // One node may be overtaken by the other again and again; whoever tells tries again then.
        loop {
            match amend(house, &cnj, movement(id)).await {
                Err(AmendError::Recovering) => {}
                said => break said,
            }
        }
    }))
    .await;
    assert!(amended.iter().all(Result::is_ok), "{amended:?}");
    for id in ids {
        assert_eq!(stored(&database, &cnj, id), once(), "{id}");
    }
    crate::support::house::close_all(houses).await;
}

#[actix_web::test]
async fn a_verification_makes_an_expired_copy_fresh_and_costs_nothing() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("amend_verified"));
    let house = Plan::new(&database.url).redis(&redis).build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    house.clock.advance(DAY + Duration::from_secs(60));
    let calls = house.vendor().calls().len();
    let at = house.now() - Duration::from_secs(5);
    assert_eq!(amend(&house, &cnj, Amendment::Verified(at)).await, Ok(Amended::Done));
    assert_eq!(amend(&house, &cnj, Amendment::Verified(at)).await, Ok(Amended::Already));
    let fresh = house.lookup(&cnj).await;
    assert_eq!((fresh.status, fresh.stale()), (200, Some(false)), "{fresh:?}");
    assert_eq!(house.vendor().calls().len(), calls);
    house.close().await;
}

#[actix_web::test]
async fn what_nobody_holds_is_not_bought_for_it() {
    let database = Postgres::shared().database("amend_unheld");
    let house = Plan::new(&database.url).build().await;
    let cnj = number();
    assert_eq!(amend(&house, &cnj, movement(77)).await, Ok(Amended::NotHeld));
    assert_eq!(house.vendor().calls().len(), 0);
    house.close().await;
}

/// The vendor's list was read before the movement was told, and arrives after it.
#[actix_web::test]
async fn a_purchase_at_the_same_moment_loses_nothing() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("amend_flight"));
    let house = Plan::new(&database.url).redis(&redis).build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    house.vendor().set_latency(Duration::from_millis(700));
    let purchase = house.refresh(&cnj);
    let told = async {
        eventually(Duration::from_secs(10), "the vendor is asked", async || house.fetches() == 2).await;
        amend(&house, &cnj, movement(77)).await
    };
    let (bought, told) = futures_util::future::join(purchase, told).await;
    assert_eq!((bought.source(), told), ("api", Ok(Amended::Done)));
    assert!(!has(&bought, 77), "the vendor does not list it, so it is only there because it was told");
    let near = house.lookup(&cnj).await;
    assert_eq!((near.source(), has(&near, 77)), ("memory", true));
    assert_eq!(stored(&database, &cnj, 77), once());
    house.close().await;
}

#[actix_web::test]
async fn while_postgresql_is_away_it_is_to_be_told_again() {
    let database = Postgres::shared().database("amend_away");
    let proxy = FaultProxy::start(Postgres::shared().port());
    let url = format!("postgres://postgres@{}/{}", proxy.addr(), database.name());
    let house = Plan::new(&url).build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    proxy.cut();
    assert_eq!(amend(&house, &cnj, movement(77)).await, Err(AmendError::PostgresAway));
    proxy.restore();
    eventually(Duration::from_secs(20), "it is taken", async || {
        amend(&house, &cnj, movement(77)).await == Ok(Amended::Done)
    })
    .await;
    assert_eq!(stored(&database, &cnj, 77), once());
    house.close().await;
}
