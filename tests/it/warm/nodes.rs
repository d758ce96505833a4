//! Several nodes share a list, and one of them goes.

use std::time::Duration;

use juscache::ambient::SystemClock;
use juscache::sandbox::{Sandbox, SandboxSettings};
use juscache::supervision::Probe;
use serde_json::json;

use super::fixture::{SOON, TOKEN, WARM, bought_once, counts, look, over, plan, send, sold};
use crate::support::house::{Plan, answer, close_all, numbers};
use crate::support::http;
use crate::support::postgres::Postgres;
use crate::support::process::{Juscache, Running};
use crate::support::wait::eventually;

#[actix_web::test]
async fn two_nodes_share_a_list() {
    let database = Postgres::shared().database("warm_share");
    let nodes = Plan::build_fleet(|| plan(&database), 2).await;
    nodes[0].vendor().set_latency(Duration::from_millis(100));
    let all = numbers(60);
    let id = send(&nodes[0], &all).await;
    let list = over(&nodes[1], &id).await;
    assert_eq!(counts(&list), [60, 0, 0, 0, 0], "{list}");
    bought_once(nodes[0].vendor(), &all);
    for node in &nodes {
        let metrics = node.metrics().await;
        let mut lines = metrics.lines().filter(|line| line.starts_with("juscache_upstream_requests_total{"));
        let is_share = |line: &str| line.contains("cover") && line.rsplit(' ').next().is_some_and(|count| count != "0");
        assert!(lines.any(is_share), "each has its share: {metrics}");
    }
    close_all(nodes).await;
}

/// Stopped in order: what is nearly done is finished, the rest is the other's.
#[actix_web::test]
async fn a_node_that_is_stopped_leaves_the_rest_to_the_other() {
    let database = Postgres::shared().database("warm_stopped");
    let mut nodes = Plan::build_fleet(|| plan(&database), 2).await;
    nodes[0].vendor().set_latency(Duration::from_millis(100));
    let all = numbers(60);
    let id = send(&nodes[1], &all).await;
    sold(nodes[0].vendor(), 15).await;
    nodes.remove(1).close().await;
    let list = over(&nodes[0], &id).await;
    assert_eq!(counts(&list), [60, 0, 0, 0, 0], "{list}");
    bought_once(nodes[0].vendor(), &all);
    close_all(nodes).await;
}

/// The actor dies with what it had in hand; the lookups behind it go on, and their copies are found when the lease has ended.
#[actix_web::test]
async fn a_warmer_that_breaks_is_replaced_and_buys_nothing_twice() {
    let database = Postgres::shared().database("warm_broken");
    let house = plan(&database).build().await;
    house.vendor().set_latency(Duration::from_millis(100));
    let all = numbers(40);
    let id = send(&house, &all).await;
    for (probe, sales) in [(Probe::Panic, 8), (Probe::Hang(Duration::from_secs(5)), 20)] {
        sold(house.vendor(), sales).await;
        eventually(SOON, "somebody to break", async || house.app.supervisor().sabotage("warmer", probe)).await;
    }
    let list = over(&house, &id).await;
    let [done, known, ..] = counts(&list);
    assert_eq!(done + known, 40, "{list}");
    bought_once(house.vendor(), &all);
    house.close().await;
}

fn service(database: &str, vendor: &str) -> Juscache {
    Juscache::new()
        .env("DATABASE_URL", database)
        .env("JUSCACHE_ADMIN_TOKEN", TOKEN)
        .env("ESCAVADOR_API_KEY", "test")
        .env("ESCAVADOR_BASE_URL", vendor)
        .env("ESCAVADOR_REQUESTS_PER_MINUTE", "1000000")
        .env("ESCAVADOR_BALANCE_AFTER", "0s")
}

async fn list_at(running: &Running, id: &str) -> serde_json::Value {
    let request = http::client(SOON).get(running.url(&format!("{WARM}/{id}"))).bearer_auth(TOKEN);
    answer(request).await.body
}

/// Killed in the middle and started again: the list is there, and goes on where it was.
#[actix_web::test]
async fn a_list_survives_the_death_of_its_only_node() {
    let database = Postgres::shared().database("warm_killed");
    let settings = SandboxSettings {
        requests_per_minute: 1_000_000,
        latency: Duration::from_millis(100),
        ..SandboxSettings::default()
    };
    let vendor = Sandbox::start(settings, ([127, 0, 0, 1], 0).into(), SystemClock::shared()).await;
    let vendor = vendor.expect("the sandbox starts");
    let service = service(&database.url, &vendor.base_url());
    let spec = service.clone();
    let running = tokio::task::spawn_blocking(move || spec.start()).await.expect("it starts");
    let all = numbers(60);
    let body = json!({ "cnjs": all }).to_string();
    let request = http::client(SOON).post(running.url(WARM)).bearer_auth(TOKEN).body(body);
    let id = answer(request).await.body["id"].as_str().expect("an id").to_owned();
    sold(vendor.control(), 15).await;
    running.kill9();
    let sold_before = super::fixture::covers(vendor.control());
    let spec = service.clone();
    let running = tokio::task::spawn_blocking(move || spec.start()).await.expect("it starts again");
    // The dead node's lease ends.
    let time_passes = "UPDATE warm_items SET next_attempt_at = now(), taken_until = NULL WHERE state = 'waiting'";
    Postgres::shared().execute(database.name(), time_passes);
    eventually(SOON, "the list is over", async || list_at(&running, &id).await["state"] == "done").await;
    let [done, known, unknown, failed, waiting] = counts(&list_at(&running, &id).await);
    assert_eq!((done + known, unknown + failed + waiting), (60, 0));
    let covers = super::fixture::covers(vendor.control());
    assert_eq!(covers.len(), 60);
    // Only what the dead had asked for and never got may have been asked for again.
    let twice = covers.values().filter(|times| **times > 1).count();
    assert!(twice <= 10 && covers.values().all(|times| *times <= 2), "{twice} of {}", sold_before.len());
    running.terminate();
    assert!(running.wait_exit(SOON).success());
    vendor.stop().await;
}

#[actix_web::test]
async fn a_crowd_of_lists_is_turned_away() {
    let database = Postgres::shared().database("warm_crowd");
    let plan = plan(&database).with(|settings| settings.warm.most_running = 2);
    let house = plan.build_without_key().await;
    let all = numbers(3);
    let ids = [send(&house, &all).await, send(&house, &all).await];
    let body = Some(json!({ "cnjs": all }));
    let refused = super::fixture::call(&house, reqwest::Method::POST, WARM, body).await;
    assert_eq!((refused.status, refused.problem(), refused.header("retry-after")), (503, "overloaded", "60"));
    eventually(SOON, "it says why", async || look(&house, &ids[0]).await["paused_reason"] == "no-provider").await;
    assert_eq!(counts(&look(&house, &ids[0]).await), [0, 0, 0, 0, 3]);
    house.close().await;
}
