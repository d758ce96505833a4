//! What stops a list, and that it goes on afterwards.

use std::time::Duration;

use juscache::postgres_tier::ledger::messages::Caps;
use juscache::sandbox::Outage;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{PRICE, SOON, WARM, bought_once, call, counts, covers, look, over, plan, send, sold};
use crate::support::house::{House, close_all, numbers};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

async fn pauses(house: &House, id: &str, reason: &str) -> Value {
    eventually(SOON, reason, async || look(house, id).await["paused_reason"] == reason).await;
    look(house, id).await
}

#[actix_web::test]
async fn without_credit_it_pauses_and_goes_on_when_credit_is_back() {
    let database = Postgres::shared().database("warm_credit");
    let house = plan(&database).build().await;
    let all = numbers(20);
    house.vendor().set_credits(i64::try_from(5 * PRICE).expect("centavos"));
    let id = send(&house, &all).await;
    let list = pauses(&house, &id, "credits-exhausted").await;
    assert!(
        !list["paused_until"].is_null() && list["detail"].as_str().expect("words").contains("sem créditos"),
        "{list}"
    );
    eventually(SOON, "nothing is under way", async || house.vendor().in_flight() == 0).await;
    let paused = look(&house, &id).await;
    assert_eq!((&paused["failed"], &paused["state"]), (&json!(0), &json!("running")));
    let refused = covers(house.vendor()).values().sum::<usize>();
    assert!(refused <= 5 + 10, "no process is tried out to find out: {refused}");
    house.vendor().set_credits(1_000_000);
    let list = over(&house, &id).await;
    let [done, known, unknown, failed, waiting] = counts(&list);
    assert_eq!((done + known, unknown + failed + waiting), (20, 0), "{list}");
    assert_eq!((&list["paused_reason"], &list["paused_until"]), (&Value::Null, &Value::Null));
    assert_eq!(house.get(&format!("/api/v1/process-movements/{}/detailed", all[19])).await.status, 200);
    house.close().await;
}

#[actix_web::test]
async fn the_cap_holds_and_nothing_is_given_up_for_it() {
    let database = Postgres::shared().database("warm_cap");
    let cap = 5 * PRICE;
    let plan = || {
        let caps = Caps { day: Some(cap), month: Some(cap) };
        plan(&database).with(|settings| settings.caps = caps)
    };
    let nodes = crate::support::house::Plan::build_fleet(plan, 2).await;
    let id = send(&nodes[0], &numbers(30)).await;
    pauses(&nodes[0], &id, "budget-exhausted").await;
    // Some pauses and trials later it is as it was.
    let strikes = || {
        let rows = Postgres::shared().rows(database.name(), "SELECT strikes FROM warm_lists");
        rows[0][0].as_deref().expect("a count").parse::<u32>().expect("a count")
    };
    let before = strikes();
    eventually(SOON, "it was tried again", async || strikes() >= before + 3).await;
    let list = look(&nodes[0], &id).await;
    assert_eq!(
        (&list["failed"], &list["unknown"], &list["state"]),
        (&json!(0), &json!(0), &json!("running")),
        "{list}"
    );
    let charged = u64::try_from(nodes[0].vendor().charged()).expect("centavos");
    assert!(charged <= cap, "{charged}");
    assert!(list["cost_centavos"].as_u64().expect("centavos") <= cap, "{list}");
    assert_eq!(call(&nodes[0], Method::DELETE, &format!("{WARM}/{id}"), None).await.body["state"], "cancelled");
    close_all(nodes).await;
}

#[actix_web::test]
async fn an_outage_of_the_vendor_fails_no_process() {
    let database = Postgres::shared().database("warm_outage");
    let house = plan(&database).build().await;
    let all = numbers(40);
    house.vendor().set_latency(Duration::from_millis(50));
    let id = send(&house, &all).await;
    sold(house.vendor(), 5).await;
    house.vendor().set_outage(Outage::Reset);
    pauses(&house, &id, "upstream-unavailable").await;
    let asked = covers(house.vendor()).values().sum::<usize>();
    let mark = || {
        let rows = Postgres::shared().rows(database.name(), "SELECT strikes FROM warm_lists");
        rows[0][0].as_deref().expect("a count").parse::<u32>().expect("a count")
    };
    eventually(SOON, "it was tried again", async || mark() >= 4).await;
    let tried = covers(house.vendor()).values().sum::<usize>() - asked;
    assert!(tried <= 20, "one at a time: {tried}");
    house.vendor().set_outage(Outage::None);
    let list = over(&house, &id).await;
    let [done, known, unknown, failed, waiting] = counts(&list);
    assert_eq!((done + known, unknown + failed + waiting), (40, 0), "{list}");
    house.close().await;
}

#[actix_web::test]
async fn postgresql_goes_in_the_middle_and_nothing_is_bought_twice() {
    let postgres = Postgres::own();
    let database = postgres.database("warm_away");
    let nodes = crate::support::house::Plan::build_fleet(|| plan(&database), 2).await;
    let house = &nodes[0];
    house.vendor().set_latency(Duration::from_millis(100));
    let all = numbers(60);
    let id = send(house, &all).await;
    sold(house.vendor(), 20).await;
    postgres.kill9();
    let path = format!("{WARM}/{id}");
    let away = call(house, Method::GET, &path, None).await;
    assert_eq!((away.status, away.problem(), away.header("retry-after")), (503, "overloaded", "5"), "{away:?}");
    let refused = call(house, Method::POST, WARM, Some(json!({ "cnjs": all }))).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    // What was under way is bought all the same, and nothing is begun.
    eventually(SOON, "nothing is under way", async || house.vendor().in_flight() == 0).await;
    let while_away = covers(house.vendor()).len();
    assert!(while_away < 60, "it was over before");
    postgres.start();
    eventually(SOON, "postgresql is back", async || call(house, Method::GET, &path, None).await.status == 200).await;
    let list = over(house, &id).await;
    let [done, known, unknown, failed, waiting] = counts(&list);
    assert_eq!((done + known, unknown + failed + waiting), (60, 0), "{list}");
    bought_once(house.vendor(), &all);
    close_all(nodes).await;
}
