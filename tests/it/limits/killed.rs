//! A node that is killed in the middle of buying: what it had set aside is free again once a node starts on its folder.

use std::time::Duration;

use juscache::ambient::SystemClock;
use juscache::sandbox::{Sandbox, SandboxSettings, demo_numbers};

use crate::support::house::answer;
use crate::support::http;
use crate::support::load::{Load, LoadPlan};
use crate::support::postgres::Postgres;
use crate::support::process::{Juscache, Running};
use crate::support::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(40);
const CAP: i64 = 9_000;

fn load(running: &Running, seed: u64) -> Load {
    let url = |cnj: &String| running.url(&format!("/api/v1/process-movements/{cnj}/detailed"));
    Load::start(LoadPlan {
        urls: demo_numbers(1_000, seed).iter().map(url).collect(),
        clients: 6,
        pause: Duration::from_millis(5),
        timeout: PATIENCE,
        at_most: PATIENCE,
    })
}

#[actix_web::test]
async fn what_a_killed_node_had_set_aside_is_released_and_the_cap_holds() {
    let settings = SandboxSettings {
        latency: Duration::from_millis(300),
        requests_per_minute: 1_000_000,
        ..SandboxSettings::default()
    };
    let vendor = Sandbox::start(settings, ([127, 0, 0, 1], 0).into(), SystemClock::shared()).await.expect("a vendor");
    let database = Postgres::shared().database("killed_node");
    let rows = |sql: &str| Postgres::shared().rows(database.name(), sql);
    let number = |sql: &str| rows(sql)[0][0].as_deref().unwrap_or("0").parse::<i64>().expect("a number");
    let node = Juscache::new()
        .env("DATABASE_URL", &database.url)
        .env("ESCAVADOR_API_KEY", "test")
        .env("ESCAVADOR_BASE_URL", &vendor.base_url())
        .env("ESCAVADOR_REQUESTS_PER_MINUTE", "1000000")
        .env("JUSCACHE_BUDGET_DAY", &CAP.to_string())
        .env("JUSCACHE_BUDGET_MONTH", &CAP.to_string());
    let running = node.start();
    let first = load(&running, 1);
    eventually(PATIENCE, "a third is spent, some is under way", async || {
        vendor.control().charged() >= CAP / 3 && vendor.control().in_flight() >= 4
    })
    .await;
    running.kill9();
    drop(first.stop().await);
    let held = number("SELECT count(*) FROM budget_reservations");
    assert!(held > 0, "something was set aside when it died");

    let running = node.start();
    eventually(PATIENCE, "its reservations are released", async || {
        number("SELECT count(*) FROM budget_reservations") == 0
    })
    .await;
    let (charged, spent) = (vendor.control().charged(), number("SELECT sum(cost_centavos) FROM api_calls"));
    assert!(spent >= charged, "{spent} booked, {charged} charged: what may have been charged counts as charged");

    let second = load(&running, 2);
    let client = http::client(PATIENCE);
    let mut unseen = demo_numbers(5_000, 3).into_iter();
    eventually(PATIENCE, "nothing is left", async || {
        let cnj = unseen.next().expect("enough numbers");
        let url = running.url(&format!("/api/v1/process-movements/{cnj}/detailed"));
        answer(client.get(url)).await.problem() == "budget-exhausted"
    })
    .await;
    drop(second.stop().await);
    let charged = vendor.control().charged();
    assert!(charged <= CAP, "{charged} of {CAP}");
    assert!(charged > CAP / 3, "{charged}: the second node bought too");
    running.terminate();
    running.wait_exit(PATIENCE);
    vendor.stop().await;
}
