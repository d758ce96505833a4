//! Watched processes through the whole service: kept, bought once, followed by one monitor, and what that would cost.

use std::time::Duration;

use juscache::domain::watch::Frequency;
use juscache::sandbox::{Endpoint, Fault};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::house::{Answer, House, Plan, answer, number, numbers};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(20);
const TOKEN: &str = "the-token-of-these-tests";
const UNKNOWN: &str = "9999001-28.2024.8.26.0100";

fn plan(database: &TestDatabase<'_>, monitors: Option<Frequency>) -> Plan {
    let mut plan = Plan::new(&database.url).with(|settings| {
        settings.admin_token = Some(TOKEN.into());
        settings.watch.monitors = monitors;
        settings.watch.look_every = Duration::from_millis(20);
        settings.watch.first_wait = Duration::from_millis(50);
        settings.watch.longest_wait = Duration::from_millis(200);
        settings.fetcher.request_timeout = Duration::from_secs(1);
    });
    plan.vendor.monitor_delay = Duration::from_millis(200);
    plan
}

async fn ask(house: &House, method: Method, tail: &str, body: Option<Value>) -> Answer {
    let mut request = house.client.request(method, house.url(&format!("/api/v1/admin/watch{tail}")));
    if let Some(body) = body {
        request = request.json(&body);
    }
    answer(request.bearer_auth(TOKEN)).await
}

async fn put(house: &House, cnj: &str) -> Answer {
    ask(house, Method::PUT, &format!("/{cnj}"), None).await
}

async fn read(house: &House, cnj: &str) -> Answer {
    ask(house, Method::GET, &format!("/{cnj}"), None).await
}

async fn remove(house: &House, cnj: &str) -> Answer {
    ask(house, Method::DELETE, &format!("/{cnj}"), None).await
}

async fn monitor_becomes(house: &House, cnj: &str, state: &str) {
    eventually(SOON, state, async || read(house, cnj).await.body["monitor"]["state"] == state).await;
}

fn rows(database: &TestDatabase<'_>, sql: &str) -> String {
    let rows = Postgres::shared().rows(database.name(), sql);
    rows.into_iter().flatten().flatten().collect::<Vec<_>>().join(" ")
}

#[actix_web::test]
async fn watching_twice_is_watching_once() {
    let database = Postgres::shared().database("watch_twice");
    let house = plan(&database, None).build().await;
    let known = numbers(3);
    assert_eq!((read(&house, &known[0]).await.status, read(&house, &known[0]).await.problem()), (404, "not-found"));
    let first = ask(&house, Method::PUT, &format!("/{}", known[0]), Some(json!({"note": "cliente A"}))).await;
    assert_eq!((first.status, &first.body["note"], &first.body["monitor"]), (201, &json!("cliente A"), &Value::Null));
    let again = put(&house, &known[0].replace(['-', '.'], "")).await;
    assert_eq!((again.status, &again.body["cnj"], &again.body["note"]), (200, &json!(known[0]), &json!("cliente A")));
    let cleared = ask(&house, Method::PUT, &format!("/{}", known[0]), Some(json!({"note": null}))).await;
    assert_eq!((cleared.status, &cleared.body["note"]), (200, &Value::Null));
    assert_eq!(cleared.body["watched_since"], first.body["watched_since"]);
    for cnj in &known[1..] {
        assert_eq!(put(&house, cnj).await.status, 201);
    }
    let mut listed: Vec<String> = Vec::new();
    let mut after = String::new();
    loop {
        let page = ask(&house, Method::GET, &format!("?limit=2{after}"), None).await;
        let shown = page.body["watches"].as_array().expect("a list");
        listed.extend(shown.iter().map(|watch| watch["cnj"].as_str().expect("a number").to_owned()));
        assert_eq!(page.body["report"]["processes"], shown.len());
        match page.body["next_after"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let mut sorted = known.clone();
    sorted.sort();
    assert_eq!(listed, sorted);
    assert_eq!((remove(&house, &known[0]).await.status, remove(&house, &known[0]).await.status), (204, 204));
    assert_eq!(read(&house, &known[0]).await.status, 404);
    assert_eq!(put(&house, "0000001-38.2024.8.26.0100").await.problem(), "invalid-cnj");
    assert_eq!(ask(&house, Method::POST, &format!("/{}", known[1]), None).await.problem(), "method-not-allowed");
    assert_eq!(ask(&house, Method::GET, "?limit=0", None).await.problem(), "invalid-parameter");
    let stranger = answer(house.client.put(house.url(&format!("/api/v1/admin/watch/{}", known[0])))).await;
    assert_eq!(stranger.status, 401);
    assert!(house.vendor().monitors().is_empty(), "none is created while they are off");
    house.close().await;
}

#[actix_web::test]
async fn what_is_not_stored_is_bought_once_and_kept_by_the_cleaning() {
    let database = Postgres::shared().database("watch_kept");
    let house = plan(&database, None).build().await;
    let (watched, other) = (numbers(2).remove(0), numbers(2).remove(1));
    house.lookup(&other).await;
    assert_eq!(put(&house, &watched).await.body["stored"], false);
    eventually(SOON, "a stored copy", async || read(&house, &watched).await.body["stored"] == true).await;
    assert_eq!((put(&house, &watched).await.status, put(&house, &other).await.status), (200, 201));
    assert_eq!(remove(&house, &other).await.status, 204);
    assert_eq!(house.fetches(), 2, "each was bought once");
    let clients = "SELECT DISTINCT client FROM api_calls WHERE cnj = '";
    eventually(SOON, "the ledger", async || rows(&database, &format!("{clients}{watched}'")) == "service").await;

    let stored = "SELECT string_agg(cnj, ' ') FROM process_status_cache";
    Postgres::shared()
        .execute(database.name(), "UPDATE process_status_cache SET last_api_sync = now() - interval '30 days'");
    rows(&database, "SELECT clean_expired_process_cache()");
    assert_eq!(rows(&database, stored), watched);
    remove(&house, &watched).await;
    rows(&database, "SELECT clean_expired_process_cache()");
    assert_eq!(rows(&database, stored), "");
    house.close().await;
}

#[actix_web::test]
async fn a_watched_process_has_one_monitor_until_it_is_watched_no_more() {
    let database = Postgres::shared().database("watch_monitor");
    let house = plan(&database, Some(Frequency::Weekly)).build().await;
    let cnj = number();
    let first = put(&house, &cnj).await;
    assert_eq!((first.status, &first.body["monitor"]["state"]), (201, &json!("wanted")));
    put(&house, UNKNOWN).await;
    monitor_becomes(&house, &cnj, "found").await;
    monitor_becomes(&house, UNKNOWN, "not-found").await;
    let found = read(&house, &cnj).await.body;
    assert_eq!(found["monitor"]["frequency"], "weekly");
    let seen = house.vendor().monitors();
    let own: Vec<_> = seen.iter().filter(|monitor| monitor.number == cnj).collect();
    assert_eq!((own.len(), own[0].frequency, found["monitor"]["id"].as_u64()), (1, "SEMANAL", Some(own[0].id)));
    assert!(found["report"]["summary"].as_str().expect("words").starts_with("o monitor semanal custa R$ 3,00"));
    let calls =
        "SELECT DISTINCT endpoint || ' ' || lane || ' ' || cost_centavos FROM api_calls WHERE endpoint = 'monitors'";
    eventually(SOON, "the ledger", async || rows(&database, calls) == "monitors background 0").await;

    assert_eq!((remove(&house, &cnj).await.status, remove(&house, UNKNOWN).await.status), (204, 204));
    assert_eq!(read(&house, &cnj).await.status, 404, "at once, whatever the vendor does");
    eventually(SOON, "no monitor", async || house.vendor().monitors().is_empty()).await;
    eventually(SOON, "nothing to do", async || rows(&database, "SELECT cnj FROM unwanted_monitors").is_empty()).await;
    house.close().await;
}

/// The vendor creates the monitor, and its answer never comes.
#[actix_web::test]
async fn a_lost_answer_makes_no_second_monitor() {
    let database = Postgres::shared().database("watch_lost");
    let house = plan(&database, Some(Frequency::Daily)).build().await;
    let (cnj, other) = (numbers(2).remove(0), numbers(2).remove(1));
    house.vendor().set_fault(Fault::ChargedTimeout, Some(Endpoint::MonitorCreate), Some(1));
    put(&house, &cnj).await;
    monitor_becomes(&house, &cnj, "found").await;
    assert_eq!((house.vendor().monitors().len(), house.vendor().call_count(Endpoint::MonitorCreate)), (1, 1));

    // The same, and nobody watches any more before it is found out.
    house.vendor().set_fault(Fault::ChargedTimeout, Some(Endpoint::MonitorCreate), Some(1));
    put(&house, &other).await;
    eventually(SOON, "a second one", async || house.vendor().monitors().len() == 2).await;
    remove(&house, &other).await;
    eventually(SOON, "only the first", async || house.vendor().monitors().len() == 1).await;
    assert_eq!(house.vendor().monitors()[0].number, cnj);
    assert_eq!(house.vendor().call_count(Endpoint::MonitorCreate), 2);
    house.close().await;
}

#[actix_web::test]
async fn an_outage_of_the_vendor_is_waited_out() {
    let database = Postgres::shared().database("watch_outage");
    let house = plan(&database, Some(Frequency::Daily)).build().await;
    let cnj = number();
    house.vendor().set_unavailable(true);
    assert_eq!(put(&house, &cnj).await.status, 201);
    tokio::time::timeout(SOON, async {
        while rows(&database, "SELECT cnj FROM watched_processes WHERE monitor_tries > 1").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it is tried again");
    assert_eq!(read(&house, &cnj).await.body["monitor"]["state"], "wanted");
    house.vendor().set_unavailable(false);
    monitor_becomes(&house, &cnj, "found").await;
    assert_eq!(house.vendor().monitors().len(), 1);
    house.close().await;
}

#[actix_web::test]
async fn the_report_lays_the_monitor_beside_what_was_spent() {
    let database = Postgres::shared().database("watch_report");
    let house = plan(&database, None).build().await;
    let (spent, quiet) = (numbers(2).remove(0), numbers(2).remove(1));
    for cnj in [&spent, &quiet] {
        house.lookup(cnj).await;
        put(&house, cnj).await;
    }
    let calls = format!("SELECT count(*) FROM api_calls WHERE cnj IN ('{spent}', '{quiet}')");
    eventually(SOON, "the ledger", async || rows(&database, &calls) == "4").await;
    Postgres::shared().execute(
        database.name(),
        &format!("UPDATE watched_processes SET watched_since = now() - interval '31 days' WHERE cnj = '{spent}'"),
    );
    Postgres::shared()
        .execute(database.name(), &format!("UPDATE process_status_cache SET change_rate = 0 WHERE cnj = '{quiet}'"));
    let paid = read(&house, &spent).await.body;
    assert_eq!((&paid["report"]["basis"], &paid["spent_30_days_centavos"]), (&json!("spent"), &json!(600)));
    let words = "um monitor diário custaria R$ 3,00 por mês; hoje gastam-se R$ 6,00: vale a pena";
    assert_eq!(paid["report"]["summary"], words);
    let rare = read(&house, &quiet).await.body;
    assert_eq!((&rare["report"]["basis"], &rare["report"]["worth_it"]), (&json!("expected"), &json!(false)));
    assert_eq!((&rare["report"]["expected_checks"], &rare["report"]["polling_centavos"]), (&json!(30), &json!(0)));
    let sum = ask(&house, Method::GET, "", None).await.body["report"].clone();
    let seen = (&sum["processes"], &sum["worth_it"], &sum["saving_centavos"], &sum["polling_centavos"]);
    assert_eq!(seen, (&json!(2), &json!(1), &json!(300), &json!(600)));
    house.close().await;
}
