//! Lists of processes to load, over an invented desk.

use std::sync::{Arc, Mutex};

use actix_web::http::Method;
use actix_web::test::TestRequest;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::fixture::{ADMIN_TOKEN, CNJ, House, Reply, fetched_at, served};
use crate::domain::cnj::Cnj;
use crate::domain::warm::{FailedItem, ListState, PauseReason, WarmDetail, WarmList};
use crate::http::state::{ListsAway, Warmth};

const WARM: &str = "/api/v1/admin/warm";
const ID: &str = "0123456789abcdef";

fn list() -> WarmList {
    WarmList {
        id: ID.into(),
        state: ListState::Running,
        requested_at: fetched_at(),
        ended_at: None,
        total: 10,
        duplicates: 1,
        waiting: 4,
        done: 3,
        known: 1,
        unknown: 1,
        failed: 1,
        cost_centavos: 27,
        paused_until: Some(fetched_at()),
        paused_reason: Some(PauseReason::CreditsExhausted),
    }
}

/// Knows one list, takes one in, and remembers what it was given.
#[derive(Default)]
struct Desk {
    is_full: bool,
    given: Mutex<Vec<(Vec<String>, usize)>>,
}

impl Warmth for Desk {
    fn accept(&self, cnjs: Vec<Cnj>, duplicates: usize) -> BoxFuture<'_, Result<Option<WarmList>, ListsAway>> {
        self.given.lock().unwrap().push((cnjs.iter().map(Cnj::masked).collect(), duplicates));
        std::future::ready(Ok((!self.is_full).then(list))).boxed()
    }

    fn latest(&self, most: usize) -> BoxFuture<'_, Result<Vec<WarmList>, ListsAway>> {
        assert_eq!(most, 50);
        std::future::ready(Ok(vec![list()])).boxed()
    }

    fn read(&self, id: String, _: usize) -> BoxFuture<'_, Result<Option<WarmDetail>, ListsAway>> {
        let failed = FailedItem { cnj: CNJ.into(), position: 3, outcome: "server-error".into(), attempts: 5 };
        std::future::ready(Ok((id == ID).then(|| WarmDetail { list: list(), failures: vec![failed] }))).boxed()
    }

    fn cancel(&self, id: String) -> BoxFuture<'_, Result<Option<WarmList>, ListsAway>> {
        let cancelled = WarmList { state: ListState::Cancelled, paused_reason: None, ..list() };
        std::future::ready(Ok((id == ID).then_some(cancelled))).boxed()
    }
}

fn house(desk: Desk) -> (House, Arc<Desk>) {
    let (mut house, desk) = (House::serving(served()), Arc::new(desk));
    house.state.services.warm = desk.clone();
    (house, desk)
}

async fn call(house: &House, method: Method, path: &str, body: impl Into<String>) -> Reply {
    let bearer = ("authorization", format!("Bearer {ADMIN_TOKEN}"));
    let body = body.into();
    let length = ("content-length", body.len());
    house
        .call(
            TestRequest::default()
                .method(method)
                .uri(path)
                .insert_header(bearer)
                .insert_header(length)
                .set_payload(body),
        )
        .await
}

#[actix_web::test]
async fn a_list_is_taken_in_once_for_each_process_and_says_where_it_stands() {
    let (house, desk) = house(Desk::default());
    let bare: String = CNJ.chars().filter(char::is_ascii_digit).collect();
    let reply = call(&house, Method::POST, WARM, json!({"cnjs": [CNJ, bare, CNJ]}).to_string()).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (202, &*format!("{WARM}/{ID}")));
    assert_eq!(
        (&reply.json()["id"], &reply.json()["total"], &reply.json()["duplicates"]),
        (&json!(ID), &json!(10), &json!(1))
    );
    assert_eq!(*desk.given.lock().unwrap(), [(vec![CNJ.to_owned()], 2)]);
}

#[actix_web::test]
async fn every_wrong_number_is_named_and_then_nothing_is_accepted() {
    let (house, desk) = house(Desk::default());
    let long = "x".repeat(100);
    let body = json!({"cnjs": ["0000001-38.2024.8.26.0100", CNJ, "", long]}).to_string();
    let reply = call(&house, Method::POST, WARM, body).await;
    assert!(reply.problem("invalid-cnj", 422).contains("3 dos 4"));
    let wrong = reply.json()["wrong"].clone();
    let positions: Vec<_> = wrong.as_array().unwrap().iter().map(|entry| entry["position"].clone()).collect();
    assert_eq!(positions, [json!(1), json!(3), json!(4)]);
    assert_eq!(wrong[0]["given"], "0000001-38.2024.8.26.0100");
    assert!(wrong[0]["detail"].as_str().unwrap().contains("39"), "the right digits: {wrong}");
    assert!(wrong[2]["given"].as_str().unwrap().chars().count() < 60, "cut: {wrong}");
    assert!(desk.given.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn bodies_that_are_no_list_are_refused() {
    let (house, desk) = house(Desk::default());
    let too_many = json!({"cnjs": vec![CNJ; 10_001]}).to_string();
    for body in ["", "[]", "{}", r#"{"cnjs":"x"}"#, r#"{"cnjs":[1]}"#, r#"{"cnjs":[]}"#, &too_many] {
        let reply = call(&house, Method::POST, WARM, body).await;
        reply.problem("invalid-parameter", 400);
    }
    let most = json!({"cnjs": vec![CNJ; 10_000]}).to_string();
    assert_eq!(call(&house, Method::POST, WARM, most).await.status.as_u16(), 202);
    call(&house, Method::POST, WARM, " ".repeat(512 * 1024 + 1)).await.problem("payload-too-large", 413);
    // The other pages keep their own limit.
    call(&house, Method::POST, &format!("{WARM}/{ID}"), " ".repeat(64 * 1024 + 1))
        .await
        .problem("payload-too-large", 413);
    assert_eq!(desk.given.lock().unwrap().len(), 1);
}

#[actix_web::test]
async fn lists_are_shown_and_stopped() {
    let (house, _) = house(Desk::default());
    let lists = call(&house, Method::GET, WARM, "").await.json();
    assert_eq!(
        (&lists["lists"][0]["id"], &lists["lists"][0]["paused_reason"]),
        (&json!(ID), &json!("credits-exhausted"))
    );
    let one = call(&house, Method::GET, &format!("{WARM}/{ID}"), "").await.json();
    let expected = json!({
        "id": ID, "state": "running", "total": 10, "duplicates": 1, "waiting": 4, "done": 3, "known": 1, "unknown": 1,
        "failed": 1, "cost_centavos": 27, "ended_at": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&one[name], value, "{name}");
    }
    assert!(one["detail"].as_str().unwrap().contains("sem créditos"));
    assert_eq!(one["failures"], json!([{"cnj": CNJ, "position": 3, "outcome": "server-error", "attempts": 5}]));
    let stopped = call(&house, Method::DELETE, &format!("{WARM}/{ID}"), "").await.json();
    assert_eq!((&stopped["state"], &stopped["paused_reason"]), (&json!("cancelled"), &Value::Null));
}

#[actix_web::test]
async fn what_is_not_there_is_404_and_other_methods_are_405() {
    let (house, _) = house(Desk::default());
    for id in ["fedcba9876543210", "x", "0123456789ABCDEF", "%00", "0123456789abcdef0"] {
        for method in [Method::GET, Method::DELETE] {
            call(&house, method, &format!("{WARM}/{id}"), "").await.problem("not-found", 404);
        }
    }
    let lists = call(&house, Method::PUT, WARM, "").await;
    lists.problem("method-not-allowed", 405);
    assert_eq!(lists.header("allow"), "GET, HEAD, POST");
    let one = call(&house, Method::POST, &format!("{WARM}/{ID}"), "").await;
    assert_eq!((one.status.as_u16(), one.header("allow")), (405, "GET, HEAD, DELETE"));
}

#[actix_web::test]
async fn a_full_desk_and_a_lost_database_are_503_and_nobody_enters_without_the_token() {
    let (house, _) = house(Desk { is_full: true, ..Desk::default() });
    let body = json!({"cnjs": [CNJ]}).to_string();
    let full = call(&house, Method::POST, WARM, body.clone()).await;
    assert!(full.problem("overloaded", 503).contains("listas demais"));
    assert_eq!(full.header("retry-after"), "60");
    let lost = House::serving(served());
    for (method, path) in [
        (Method::POST, WARM.to_owned()),
        (Method::GET, WARM.to_owned()),
        (Method::GET, format!("{WARM}/{ID}")),
        (Method::DELETE, format!("{WARM}/{ID}")),
    ] {
        let away = call(&lost, method, &path, body.clone()).await;
        assert!(away.problem("overloaded", 503).contains("banco de dados"), "{path}");
        assert_eq!(away.header("retry-after"), "5");
    }
    let stranger = house.call(TestRequest::post().uri(WARM).set_payload(body)).await;
    stranger.problem("unauthorized", 401);
}
