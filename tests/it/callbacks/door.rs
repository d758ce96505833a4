//! The door, through the whole service.

use std::time::Duration;

use juscache::sandbox::Endpoint;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{concluded, count, monitor_found, new_movement, rows, verified};
use crate::support::house::{Answer, House, Plan, answer, number};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(20);
const TOKEN: &str = "the-vendors-token";

fn plan(url: &str) -> Plan {
    Plan::new(url).with(|settings| {
        settings.callbacks.token = Some(TOKEN.into());
        settings.admin_token = Some("an-admin-token-of-the-test".into());
    })
}

async fn post(house: &House, token: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = house.client.request(Method::POST, house.url("/webhooks/escavador"));
    let request = request.header("authorization", token).header("content-type", "application/json");
    answer(request.body(body)).await
}

async fn deliver(house: &House, callback: &Value) -> Answer {
    post(house, TOKEN, callback.to_string()).await
}

async fn admin(house: &House, query: &str) -> Answer {
    let page = house.url(&format!("/api/v1/admin/callbacks{query}"));
    answer(house.client.get(page).bearer_auth("an-admin-token-of-the-test")).await
}

#[actix_web::test]
async fn a_wrong_token_leaves_a_counter_and_nothing_else() {
    let postgres = Postgres::shared();
    let database = postgres.database("door_wrong");
    let house = plan(&database.url).build().await;
    let callback = monitor_found(&number(), "a").to_string();
    for token in ["wrong", "Bearer wrong", "Bearer", "Basic dGhlLXZlbmRvcnMtdG9rZW4="] {
        let refused = post(&house, token, callback.clone()).await;
        assert_eq!((refused.status, refused.problem()), (401, "unauthorized"), "{token}");
    }
    let unsigned = house.client.request(Method::POST, house.url("/webhooks/escavador")).body(callback.clone());
    assert_eq!(answer(unsigned).await.status, 401);
    assert!(rows(postgres, database.name()).is_empty());
    assert!(house.metrics().await.contains("juscache_callbacks_total{event=\"none\",outcome=\"unauthorized\"} 5\n"));

    for token in [TOKEN.to_owned(), format!("Bearer {TOKEN}")] {
        let taken = post(&house, &token, callback.clone()).await;
        assert_eq!((taken.status, &taken.body), (200, &json!({"received": true})));
    }
    assert_eq!((house.fetches(), house.vendor().charged()), (0, 0), "nothing of this buys anything");
    house.close().await;

    let closed = Plan::new(&database.url).build().await;
    assert_eq!(post(&closed, TOKEN, callback).await.status, 401, "no token configured");
    closed.close().await;
}

#[actix_web::test]
async fn eleven_deliveries_are_confirmed_and_worked_off_once() {
    let postgres = Postgres::shared();
    let database = postgres.database("door_eleven");
    let house = plan(&database.url).build().await;
    let cnj = number();
    for n in 0..11 {
        assert_eq!(deliver(&house, &monitor_found(&cnj, &format!("{n:032x}"))).await.status, 200);
    }
    eventually(SOON, "it is done", async || rows(postgres, database.name()) == ["ignored monitor-known 11 1"]).await;

    let seen = admin(&house, "?state=ignored").await;
    let line = &seen.body["callbacks"][0];
    assert_eq!((&line["event"], &line["cnj"]), (&json!("processo_encontrado"), &json!(cnj)), "{}", seen.body);
    assert_eq!((&line["deliveries"], &line["outcome"]), (&json!(11), &json!("monitor-known")));
    assert!(line.get("body").is_none());
    house.close().await;
}

#[actix_web::test]
async fn what_is_malformed_is_refused_kept_and_breaks_nothing() {
    let postgres = Postgres::shared();
    let database = postgres.database("door_malformed");
    let house = plan(&database.url).build().await;
    let mut without = new_movement(&number(), 1, "a");
    without.as_object_mut().unwrap().remove("movimentacao");
    for body in ["", "{", "[1]", "{}", "{\"event\":\"\\u0000\"}", &without.to_string()] {
        let refused = post(&house, TOKEN, body.to_owned()).await;
        assert_eq!((refused.status, refused.problem()), (400, "invalid-parameter"), "{body}");
    }
    assert_eq!(count(postgres, database.name(), "malformed"), 6);
    let seen = admin(&house, "?state=malformed&limit=1").await;
    assert_eq!(seen.body["callbacks"][0]["body"], without.to_string());
    assert_eq!((&seen.body["malformed"], &seen.body["callbacks"][0]["outcome"]), (&json!(6), &json!("no-movement")));

    let large = post(&house, TOKEN, vec![b' '; 1024 * 1024 + 1]).await;
    assert_eq!((large.status, large.problem()), (413, "payload-too-large"));
    assert_eq!(rows(postgres, database.name()).len(), 6);
    let padded = format!("{}{}", " ".repeat(1_000_000), json!({"event": "novo_processo", "uuid": "x"}));
    assert_eq!(post(&house, TOKEN, padded).await.status, 200, "larger than what other pages take");
    assert_eq!(deliver(&house, &monitor_found(&number(), "a")).await.status, 200);
    eventually(SOON, "it is worked off", async || count(postgres, database.name(), "received") == 0).await;
    assert_eq!(house.get("/health/ready").await.status, 200);
    house.close().await;
}

#[actix_web::test]
async fn without_a_database_nothing_is_confirmed() {
    let postgres = Postgres::own();
    let database = postgres.database("door_away");
    let house = plan(&database.url).build().await;
    postgres.kill9();
    let callback = monitor_found(&number(), "a");
    let refused = deliver(&house, &callback).await;
    assert_eq!((refused.status, refused.problem()), (503, "overloaded"));
    assert_ne!(refused.header("retry-after"), "");
    postgres.start();
    eventually(SOON, "the vendor's next attempt", async || deliver(&house, &callback).await.status == 200).await;
    eventually(SOON, "it is worked off", async || count(&postgres, database.name(), "ignored") == 1).await;
    house.close().await;
}

/// The refresh that was waiting comes with the callback and not with the next look at the vendor's status, an hour later.
#[actix_web::test]
async fn an_update_that_ended_is_followed_at_once() {
    let postgres = Postgres::shared();
    let database = postgres.database("door_update");
    let mut plan = plan(&database.url).with(|settings| settings.updates.first_poll = Duration::from_secs(3600));
    plan.vendor.update_delay = Duration::ZERO;
    let house = plan.build().await;
    let cnj = number();
    let before = house.lookup(&cnj).await.body["total_movements"].as_u64().unwrap();
    let asked = house.client.request(Method::POST, house.url(&format!("/api/v1/process-updates/{cnj}/request")));
    assert_eq!(answer(asked).await.status, 202);
    let status = house.vendor_url(&format!("/api/v2/processos/numero_cnj/{cnj}/status-atualizacao"));
    let at_the_vendor = answer(house.client.get(status).bearer_auth("test")).await;
    assert_eq!(at_the_vendor.body["ultima_verificacao"]["enviar_callback"], "SIM", "{:?}", at_the_vendor.body);

    assert_eq!(deliver(&house, &concluded(&cnj, "a")).await.status, 200);
    eventually(SOON, "the news", async || house.lookup(&cnj).await.body["total_movements"] == before + 1).await;
    eventually(SOON, "its end", async || rows(postgres, database.name()) == ["done followed 1 1"]).await;
    assert_eq!(deliver(&house, &concluded(&cnj, "b")).await.status, 200);
    assert_eq!((house.vendor().call_count(Endpoint::Update), house.fetches()), (1, 2));
    house.close().await;
}

/// The whole way: what is called back is in every tier and in every answer, and nothing was asked or paid for it.
#[actix_web::test]
async fn a_movement_that_is_called_back_is_served_at_no_cost() {
    let postgres = Postgres::shared();
    let database = postgres.database("door_movement");
    let house = plan(&database.url).build().await;
    let cnj = number();
    let before = house.lookup(&cnj).await.body["total_movements"].as_u64().unwrap();
    let (fetches, charged) = (house.fetches(), house.vendor().charged());
    let at = house.now().format("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    for n in 0..11 {
        let uuid = format!("{n:032x}");
        assert_eq!(deliver(&house, &verified(&cnj, &at, &uuid)).await.status, 200);
        assert_eq!(deliver(&house, &new_movement(&cnj, 23_895_909_833, &uuid)).await.status, 200);
    }
    eventually(SOON, "the movement is served", async || house.lookup(&cnj).await.body["total_movements"] == before + 1)
        .await;
    eventually(SOON, "both are done", async || count(postgres, database.name(), "done") == 2).await;
    assert!(
        rows(postgres, database.name()).iter().all(|row| row.ends_with(" 11 1")),
        "{:?}",
        rows(postgres, database.name())
    );
    let stored = "SELECT count(*) FROM process_movements WHERE movement_id = '23895909833' AND removed_at IS NULL";
    assert_eq!(postgres.rows(database.name(), stored), [[Some("1".to_owned())]]);
    let events = "SELECT kind, count(*) FROM process_events GROUP BY kind";
    assert_eq!(postgres.rows(database.name(), events), [[Some("new".to_owned()), Some("1".to_owned())]]);
    let after = house.lookup(&cnj).await;
    assert_eq!((after.body["total_movements"].as_u64(), after.stale()), (Some(before + 1), Some(false)));
    assert_eq!((house.fetches(), house.vendor().charged()), (fetches, charged));
    house.close().await;
}

/// Nobody delivers here: the vendor's log is all there is.
#[actix_web::test]
async fn what_the_vendor_could_not_deliver_is_read_from_its_list() {
    let postgres = Postgres::shared();
    let database = postgres.database("door_list");
    let mut plan = plan(&database.url).with(|settings| {
        settings.callbacks.list_look_every = Duration::from_millis(50);
        settings.callbacks.list_soon = Duration::from_millis(50);
    });
    plan.vendor.monitor_delay = Duration::ZERO;
    let house = plan.build().await;
    let cnj = number();
    let before = house.lookup(&cnj).await.body["total_movements"].as_u64().unwrap();
    let monitor = house.client.post(house.vendor_url("/api/v2/monitoramentos/processos")).bearer_auth("test");
    assert_eq!(answer(monitor.json(&json!({"numero": cnj}))).await.status / 100, 2);
    let id = house.vendor().add_movement(&cnj, house.now().date_naive(), "Juntada de petição").unwrap();
    let charged = house.vendor().charged();
    postgres.execute(database.name(), "UPDATE vendor_callback_reading SET next_at = now()");
    eventually(SOON, "the movement is served", async || house.lookup(&cnj).await.body["total_movements"] == before + 1)
        .await;
    assert_eq!((house.fetches(), house.vendor().charged()), (1, charged), "free");
    let stored = format!("SELECT 1 FROM process_movements WHERE movement_id = '{id}'");
    assert_eq!(postgres.rows(database.name(), &stored).len(), 1);
    // Bought again, the movement is the same one: a callback and a purchase tell it alike.
    assert_eq!(house.refresh(&cnj).await.body["total_movements"], before + 1);
    let events = "SELECT kind, count(*) FROM process_events GROUP BY kind";
    assert_eq!(postgres.rows(database.name(), events), [[Some("new".to_owned()), Some("1".to_owned())]]);
    house.close().await;
}
