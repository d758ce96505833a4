//! Asking the court through the whole service, over the simulated vendor.

use std::time::Duration;

use juscache::sandbox::{Endpoint, Fault, UpdateOutcome, UpdatePlan};
use juscache::supervision::Probe;
use reqwest::Method;

use crate::support::house::{Answer, House, Plan, answer, number};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(20);

/// A service that looks often, over a vendor that needs `delay` for the court.
fn plan(database: &TestDatabase<'_>, delay: Duration) -> Plan {
    let mut plan = Plan::new(&database.url).with(|settings| {
        settings.updates.look_every = Duration::from_millis(20);
        settings.updates.first_poll = Duration::from_millis(50);
        settings.updates.longest_poll = Duration::from_millis(200);
        settings.fetcher.request_timeout = Duration::from_secs(1);
    });
    plan.vendor.update_delay = delay;
    plan
}

fn path(cnj: &str, page: &str) -> String {
    format!("/api/v1/process-updates/{cnj}/{page}")
}

async fn ask(house: &House, cnj: &str) -> Answer {
    answer(house.client.request(Method::POST, house.url(&path(cnj, "request")))).await
}

async fn status(house: &House, cnj: &str) -> Answer {
    house.get(&path(cnj, "status")).await
}

async fn becomes(house: &House, cnj: &str, state: &str) {
    eventually(SOON, state, async || status(house, cnj).await.body["state"] == state).await;
}

fn asked(house: &House) -> u64 {
    house.vendor().call_count(Endpoint::Update)
}

fn total(answer: &Answer) -> u64 {
    answer.body["total_movements"].as_u64().expect("a count")
}

#[actix_web::test]
async fn the_court_is_asked_once_and_its_news_is_served() {
    let database = Postgres::shared().database("court_once");
    let house = plan(&database, Duration::from_millis(500)).build().await;
    let cnj = number();
    let before = house.lookup(&cnj).await;
    assert_eq!(status(&house, &cnj).await.body["state"], "none");

    let first = ask(&house, &cnj).await;
    assert_eq!((first.status, &first.body["state"], &first.body["adopted"]), (202, &"open".into(), &false.into()));
    assert_eq!(first.header("location"), path(&cnj, "status"));
    let cost: i64 = first.header("x-juscache-cost").parse().expect("centavos");
    let again = ask(&house, &cnj).await;
    assert_eq!((again.status, again.header("x-juscache-cost")), (202, "0"));
    assert_eq!((&again.body["vendor_id"], &again.body["adopted"]), (&first.body["vendor_id"], &true.into()));

    becomes(&house, &cnj, "succeeded").await;
    let after = house.lookup(&cnj).await;
    assert_eq!((total(&after), after.stale()), (total(&before) + 1, Some(false)), "{after:?}");
    assert_eq!((asked(&house), house.fetches()), (1, 2));
    let spent = status(&house, &cnj).await.body["cost_centavos"].as_i64().expect("centavos");
    assert!(spent > cost, "the renewal is part of it: {spent}");

    let rows = Postgres::shared().rows(database.name(), "SELECT cnj, state, next_check_at FROM process_updates");
    assert_eq!(rows, [[Some(cnj.clone()), Some("succeeded".to_owned()), None]]);
    assert_eq!(ask(&house, &cnj).await.body["state"], "open", "what is over may be asked for again");
    house.close().await;
}

#[actix_web::test]
async fn what_the_court_does_not_show_costs_no_renewal() {
    for (outcome, state) in [(UpdateOutcome::NotFound, "not-found"), (UpdateOutcome::Failed, "failed")] {
        let database = Postgres::shared().database("court_not_found");
        let house = plan(&database, Duration::from_millis(100)).build().await;
        let cnj = number();
        house.vendor().plan_update(&cnj, UpdatePlan { outcome, movements: Vec::new() });
        assert_eq!(ask(&house, &cnj).await.status, 202);
        becomes(&house, &cnj, state).await;
        assert_eq!((asked(&house), house.fetches()), (1, 0));
        house.close().await;
    }
}

/// The vendor accepts and charges, and its answer never comes.
#[actix_web::test]
async fn a_request_that_timed_out_is_found_in_the_status_and_not_repeated() {
    let database = Postgres::shared().database("court_timeout");
    let house = plan(&database, Duration::from_secs(3)).build().await;
    let cnj = number();
    let before = house.lookup(&cnj).await;
    house.vendor().set_fault(Fault::ChargedTimeout, Some(Endpoint::Update), Some(1));
    let first = ask(&house, &cnj).await;
    assert_eq!((first.status, &first.body["state"]), (202, &"uncertain".into()), "{first:?}");
    assert_eq!(ask(&house, &cnj).await.status, 202);
    becomes(&house, &cnj, "open").await;
    assert_eq!(ask(&house, &cnj).await.body["adopted"], true);
    becomes(&house, &cnj, "succeeded").await;
    assert_eq!(asked(&house), 1);
    assert_eq!(total(&house.lookup(&cnj).await), total(&before) + 1);
    house.close().await;
}

#[actix_web::test]
async fn a_crowd_shares_one_request() {
    let database = Postgres::shared().database("court_crowd");
    let house = plan(&database, Duration::from_secs(3600)).build().await;
    house.vendor().set_latency(Duration::from_millis(200));
    let cnj = number();
    let answers = futures_util::future::join_all((0..30).map(|_| ask(&house, &cnj))).await;
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.body["state"] == "open"), "{answers:?}");
    let paid = answers.iter().filter(|answer| answer.header("x-juscache-cost") != "0").count();
    assert_eq!((asked(&house), paid), (1, 1));
    house.close().await;
}

#[actix_web::test]
async fn a_killed_actor_and_a_lost_database_lose_no_request() {
    let postgres = Postgres::own();
    let database = postgres.database("court_lost");
    let house = plan(&database, Duration::from_secs(4)).build().await;
    let cnj = number();
    assert_eq!(ask(&house, &cnj).await.status, 202);
    assert!(house.app.supervisor().sabotage("updates", Probe::Panic));
    postgres.kill9();
    // Whichever of the two is noticed first: it is joined or adopted, and never asked for again.
    eventually(SOON, "an answer", async || ask(&house, &cnj).await.status == 202).await;
    postgres.start();
    becomes(&house, &cnj, "succeeded").await;
    assert_eq!((asked(&house), house.fetches()), (1, 1));
    house.close().await;
}

#[actix_web::test]
async fn without_a_key_nothing_is_asked_and_nothing_is_left_behind() {
    let database = Postgres::shared().database("court_no_key");
    let house = plan(&database, Duration::ZERO).build_without_key().await;
    let cnj = number();
    let refused = ask(&house, &cnj).await;
    assert_eq!((refused.status, refused.problem()), (503, "upstream-unavailable"));
    assert_ne!(refused.header("retry-after"), "");
    let none = status(&house, &cnj).await;
    assert_eq!((none.status, &none.body["state"], none.header("x-juscache-cost")), (200, &"none".into(), "0"));
    assert_eq!(ask(&house, "0000001-38.2024.8.26.0100").await.problem(), "invalid-cnj");
    assert_eq!(asked(&house), 0);
    assert!(Postgres::shared().rows(database.name(), "SELECT 1 FROM process_updates").is_empty());
    house.close().await;
}

#[actix_web::test]
async fn a_broken_actor_is_replaced_and_answers_again() {
    let database = Postgres::shared().database("court_actor");
    let house = plan(&database, Duration::ZERO).build_without_key().await;
    let cnj = number();
    for probe in [Probe::Panic, Probe::Hang(Duration::from_secs(5))] {
        eventually(SOON, "somebody to break", async || house.app.supervisor().sabotage("updates", probe)).await;
        eventually(SOON, "an answer", async || status(&house, &cnj).await.status == 200).await;
    }
    house.close().await;
}
