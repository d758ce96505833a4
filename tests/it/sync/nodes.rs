//! Real nodes on one PostgreSQL: one leads, and another takes over.

use std::time::Duration;

use chrono::NaiveDate;
use futures_util::future::join_all;
use juscache::ambient::{Clock, SystemClock};
use juscache::sandbox::Endpoint;
use juscache::supervision::Probe;
use reqwest::Method;
use serde_json::Value;

use crate::support::house::{Answer, House, Plan, answer, close_all, numbers};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

const TOKEN: &str = "the-token-of-the-synchronisation";
const SOON: Duration = Duration::from_secs(60);
const SYNC: &str = "/api/v1/admin/sync";

/// So long an interval that only who asks gets a cycle, and leases of a second all the same.
fn plan(database: &TestDatabase<'_>) -> Plan {
    Plan::new(&database.url).without_near().with(|settings| {
        settings.admin_token = Some(TOKEN.into());
        settings.sync.interval = Duration::from_secs(4);
        settings.sync.daily_limit = 0;
    })
}

async fn ask(house: &House, method: Method, path: &str) -> Answer {
    answer(house.client.request(method, house.url(path)).bearer_auth(TOKEN)).await
}

async fn status(house: &House) -> Value {
    let answer = ask(house, Method::GET, SYNC).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn leads(house: &House) -> bool {
    status(house).await["leader"]["is_this_node"] == true
}

async fn leader_of(houses: &[House]) -> usize {
    let mut found = None;
    eventually(SOON, "one leader", async || {
        let leading = join_all(houses.iter().map(leads)).await;
        found = leading.iter().position(|leads| *leads);
        leading.iter().filter(|leads| **leads).count() == 1
    })
    .await;
    found.unwrap()
}

#[actix_web::test]
async fn one_leads_and_another_takes_over_from_one_that_dies() {
    let database = Postgres::shared().database("sync_takeover");
    let houses = Plan::build_fleet(|| plan(&database), 3).await;
    let first = leader_of(&houses).await;
    let epoch = status(&houses[0]).await["leader"]["epoch"].as_u64().unwrap();
    assert!(houses[first].app.supervisor().sabotage("scheduler", Probe::Hang(Duration::from_secs(30))));
    eventually(SOON, "a new leader", async || {
        let now = status(&houses[(first + 1) % 3]).await;
        now["leader"]["epoch"].as_u64() > Some(epoch) && !now["leader"]["node"].is_null()
    })
    .await;
    // A stop hands over at once, and cycles go on.
    let mut houses = houses;
    let next = leader_of(&houses).await;
    if next > 0 {
        houses.remove(next).close().await;
    }
    leader_of(&houses).await;
    let before = status(&houses[0]).await["last"]["id"].as_u64();
    eventually(SOON, "another cycle", async || status(&houses[0]).await["last"]["id"].as_u64() > before).await;
    close_all(houses).await;
}

#[actix_web::test]
async fn whoever_asks_any_node_gets_what_is_due_refreshed_once_and_within_the_limit() {
    let database = Postgres::shared().database("sync_now");
    let fleet = || {
        plan(&database).with(|settings| {
            settings.sync.interval = Duration::from_secs(3600);
            settings.sync.daily_limit = 200;
        })
    };
    let houses = Plan::build_fleet(fleet, 3).await;
    let known = numbers(4);
    for cnj in &known {
        assert_eq!(houses[1].lookup(cnj).await.status, 200);
    }
    let fetched = houses[0].fetches();
    let expire = "UPDATE process_status_cache SET cache_valid_until = now() - interval '1 hour'";
    Postgres::shared().execute(database.name(), expire);
    leader_of(&houses).await;
    let asked = join_all(houses.iter().map(|house| ask(house, Method::POST, SYNC))).await;
    assert!(asked.iter().all(|answer| answer.status == 202), "{asked:?}");
    assert!(asked.iter().any(|answer| answer.body["joined"] == false), "{asked:?}");
    let run = asked[0].body["run"].clone();
    let mut last = Value::Null;
    eventually(SOON, "the run's end", async || {
        last = status(&houses[2]).await["last"].clone();
        last["id"] == run
    })
    .await;
    assert_eq!(
        (&last["trigger"], &last["ending"], &last["chosen"]),
        (&"request".into(), &"completed".into(), &4.into())
    );
    let statuses = houses[0].vendor().call_count(Endpoint::Status);
    assert_eq!((statuses, houses[0].fetches() - fetched), (4, 0), "each once, however many asked; nothing is newer");
    let today = status(&houses[0]).await["today"].clone();
    assert!(today["calls"].as_u64().unwrap() <= 200 && today["limit"] == 200, "{today}");
    let runs = ask(&houses[1], Method::GET, "/api/v1/admin/sync/runs?limit=1").await;
    assert_eq!(runs.body["runs"][0]["id"], run);
    let wrong = ask(&houses[1], Method::GET, "/api/v1/admin/sync/runs?limit=0").await;
    assert_eq!((wrong.status, wrong.problem()), (400, "invalid-parameter"));
    let metrics = join_all(houses.iter().map(House::metrics)).await.join("\n");
    assert!(
        metrics.contains("juscache_sync_leader 1") && metrics.contains("juscache_sync_processes_total{"),
        "{metrics}"
    );

    let old = "UPDATE process_status_cache SET last_api_sync = now() - interval '8 days'";
    Postgres::shared().execute(database.name(), old);
    let cleaned = ask(&houses[0], Method::POST, "/api/v1/admin/cleanup").await;
    assert_eq!((cleaned.status, &cleaned.body["complete"]), (200, &true.into()));
    assert!(cleaned.body["removed"].as_u64().unwrap() > 4, "{cleaned:?}");
    close_all(houses).await;
}

/// What counts is the database's clock: one node is five hours behind it, another eleven ahead.
#[actix_web::test]
async fn clocks_that_are_hours_apart_lose_no_cycle_and_buy_nothing_twice() {
    const LIMIT: u32 = 150;
    let database = Postgres::shared().database("sync_clocks");
    let fleet = || {
        plan(&database).with(|settings| {
            settings.sync.interval = Duration::from_secs(6);
            settings.sync.batch = 3;
            settings.sync.daily_limit = LIMIT;
        })
    };
    let houses = Plan::build_fleet(fleet, 3).await;
    houses[1].clock.set_back(Duration::from_secs(5 * 3600));
    houses[2].clock.advance(Duration::from_secs(11 * 3600));
    let number =
        |sql: &str| -> i64 { Postgres::shared().rows(database.name(), sql)[0][0].as_deref().unwrap().parse().unwrap() };
    let known = numbers(30);
    let vendor = houses[0].vendor().clone();
    // From the beginning: a vendor that becomes slow is asked one thing at a time.
    vendor.set_latency(Duration::from_millis(300));
    let lookups = known.iter().enumerate().map(|(index, cnj)| houses[index % 3].lookup(cnj));
    assert!(join_all(lookups).await.iter().all(|answer| answer.status == 200));
    let count = |endpoint| vendor.call_count(endpoint);
    // What has just been learned is fresh by every clock.
    eventually(SOON, "a cycle with nothing to do", async || {
        number("SELECT count(*) FROM sync_runs WHERE ending = 'completed'") > 0
    })
    .await;
    assert_eq!((count(Endpoint::Status), count(Endpoint::Cover)), (0, 30));
    vendor.reset_calls();
    for cnj in &known {
        vendor.add_movement(cnj, NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(), "Juntada de petição");
        vendor.verify(cnj, SystemClock.now());
    }
    let expire = "UPDATE process_status_cache SET cache_valid_until = now() - interval '1 hour'";
    Postgres::shared().execute(database.name(), expire);
    eventually(SOON, "the middle of a cycle", async || count(Endpoint::Cover) >= 6 && vendor.in_flight() > 0).await;
    let leader = leader_of(&houses).await;
    let run = number("SELECT id FROM sync_runs WHERE ended_at IS NULL");
    assert!(houses[leader].app.supervisor().sabotage("scheduler", Probe::Hang(Duration::from_secs(5))));
    let stale = "SELECT count(*) FROM process_status_cache WHERE cache_valid_until <= now()";
    let over = format!("SELECT count(*) FROM sync_runs WHERE id = {run} AND ending = 'completed' AND adopted > 0");
    eventually(SOON, "another leader ends it", async || number(&over) == 1 && number(stale) == 0).await;
    // Nor does any clock find that something is due again.
    eventually(SOON, "another cycle", async || {
        number(&format!("SELECT count(*) FROM sync_runs WHERE id > {run} AND ending = 'completed'")) > 0
    })
    .await;
    assert_eq!((count(Endpoint::Status), count(Endpoint::Cover)), (30, 30), "each once");
    let calls = number("SELECT sum(calls) FROM sync_days");
    assert!(calls <= i64::from(LIMIT), "{calls}");
    let hours = "SELECT (extract(epoch FROM min(cache_valid_until) - now()) / 3600)::integer FROM process_status_cache";
    println!("node {leader} was frozen; {calls} calls; copies are fresh for {} hours at least", number(hours));
    close_all(houses).await;
}

#[actix_web::test]
async fn without_postgres_it_says_so_and_goes_on_afterwards() {
    let postgres = Postgres::own();
    let database = postgres.database("sync_away");
    let house = plan(&database).build().await;
    eventually(SOON, "a leader", async || leads(&house).await).await;
    postgres.kill9();
    eventually(SOON, "503", async || {
        let refused = ask(&house, Method::POST, SYNC).await;
        refused.status == 503 && refused.problem() == "overloaded" && !refused.header("retry-after").is_empty()
    })
    .await;
    assert_eq!(ask(&house, Method::POST, "/api/v1/admin/cleanup").await.status, 503);
    postgres.start();
    eventually(SOON, "a leader again", async || {
        ask(&house, Method::GET, SYNC).await.body["leader"]["is_this_node"] == true
    })
    .await;
    house.close().await;
}
