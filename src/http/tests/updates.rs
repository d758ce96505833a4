//! Asking the court, over an invented desk.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::fixture::{CNJ, House, Reply, fetched_at, served};
use super::wire::Running;
use crate::domain::cnj::Cnj;
use crate::domain::update::{Stage, UpdateRecord};
use crate::fetcher::messages::{Failure, FetchError};
use crate::http::state::{CourtDesk, HttpSettings};
use crate::resilience::Deadline;
use crate::updates::messages::{Standing, UpdateError};

const REQUEST: &str = "/api/v1/process-updates/0000001-39.2024.8.26.0100/request";
const STATUS: &str = "/api/v1/process-updates/0000001-39.2024.8.26.0100/status";

/// Answers the same to everybody, or never; and remembers what it was asked.
struct Desk {
    answer: Option<Result<Standing, UpdateError>>,
    asked: Mutex<Vec<(&'static str, String)>>,
}

impl Desk {
    fn says(&self, what: &'static str, cnj: Cnj) -> BoxFuture<'_, Result<Standing, UpdateError>> {
        self.asked.lock().unwrap().push((what, cnj.masked()));
        match &self.answer {
            Some(answer) => std::future::ready(answer.clone()).boxed(),
            None => std::future::pending().boxed(),
        }
    }
}

impl CourtDesk for Desk {
    fn ask(&self, cnj: Cnj, _: Deadline) -> BoxFuture<'_, Result<Standing, UpdateError>> {
        self.says("ask", cnj)
    }

    fn status(&self, cnj: Cnj, _: Deadline) -> BoxFuture<'_, Result<Standing, UpdateError>> {
        self.says("status", cnj)
    }
}

/// A house with such a desk.
struct Court {
    house: House,
    desk: Arc<Desk>,
}

impl Court {
    fn that(answer: Option<Result<Standing, UpdateError>>) -> Self {
        let mut house = House::serving(served());
        if answer.is_none() {
            house.state.settings.lookup_deadline = Duration::from_millis(10);
        }
        let desk = Arc::new(Desk { answer, asked: Mutex::default() });
        house.state.services.court = desk.clone();
        Self { house, desk }
    }

    fn saying(standing: Standing) -> Self {
        Self::that(Some(Ok(standing)))
    }

    async fn post(&self, uri: &str, body: &str) -> Reply {
        self.house.call(TestRequest::post().uri(uri).set_payload(body.to_owned())).await
    }

    fn asked(&self) -> Vec<(&'static str, String)> {
        self.desk.asked.lock().unwrap().clone()
    }
}

fn later(seconds: i64) -> DateTime<Utc> {
    fetched_at() + chrono::TimeDelta::seconds(seconds)
}

fn record(stage: Stage) -> UpdateRecord {
    UpdateRecord {
        cnj: Cnj::parse(CNJ).unwrap(),
        stage,
        vendor_id: Some(7),
        previous_id: Some(6),
        adopted: false,
        requested_at: later(0),
        learned_at: None,
        concluded_at: stage.is_over().then(|| later(60)),
        next_check_at: (!stage.is_over()).then(|| later(15)),
        checks: 1,
        refreshes: 0,
        cost_centavos: 327,
        client: "anonymous".into(),
    }
}

fn standing(record: Option<UpdateRecord>) -> Standing {
    Standing { cnj: Cnj::parse(CNJ).unwrap(), record, adopted: false, spent_centavos: 300 }
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[actix_web::test]
async fn a_request_is_accepted_and_says_where_its_status_is() {
    let court = Court::saying(standing(Some(record(Stage::Open))));
    // The body means nothing, and the number may come without its mask.
    for (uri, body) in [(REQUEST, ""), ("/api/v1/process-updates/00000013920248260100/request", "{\"x\": 1")] {
        let reply = court.post(uri, body).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED);
        assert_eq!((reply.header("location"), reply.header("x-juscache-cost")), (STATUS, "300"));
        assert_eq!((reply.header("content-type"), reply.header("cache-control")), ("application/json", "no-store"));
        let json = reply.json();
        let detail = json["detail"].as_str().unwrap();
        assert!(detail.contains("tribunal"), "{detail}");
        let expected = json!({
            "cnj": CNJ, "state": "open", "vendor_id": 7, "requested_at": text(later(0)), "concluded_at": null,
            "next_check_at": text(later(15)), "adopted": false, "cost_centavos": 327, "detail": detail,
        });
        assert_eq!(json, expected);
    }
    assert_eq!(court.asked(), [("ask", CNJ.to_owned()), ("ask", CNJ.to_owned())]);
}

#[actix_web::test]
async fn a_status_says_its_word_and_a_sentence_of_its_own() {
    let mut sentences = Vec::new();
    let renewed = UpdateRecord { learned_at: Some(later(9)), ..record(Stage::Expired) };
    let unconfirmed = |stage| UpdateRecord { vendor_id: None, ..record(stage) };
    let others = [renewed, unconfirmed(Stage::NotFound), unconfirmed(Stage::Failed)];
    let records = Stage::ALL.map(record).into_iter().chain(others).map(Some).chain([None]);
    for record in records {
        let word = record.as_ref().map_or("none", |record| record.stage.as_str());
        let court = Court::saying(Standing { spent_centavos: 0, ..standing(record.clone()) });
        let reply = court.house.get(STATUS).await;
        assert_eq!((reply.status, reply.header("x-juscache-cost")), (StatusCode::OK, "0"));
        assert_eq!(reply.header("location"), "");
        let json = reply.json();
        assert_eq!(json["state"], word);
        assert_eq!(json["concluded_at"], json!(record.as_ref().and_then(|r| r.concluded_at).map(text)));
        assert_eq!(json["requested_at"].is_null(), word == "none");
        sentences.push(json["detail"].as_str().unwrap().to_owned());
        assert_eq!(court.asked(), [("status", CNJ.to_owned())]);
    }
    sentences.sort();
    let all = sentences.len();
    sentences.dedup();
    assert_eq!(sentences.len(), all, "each its own: {sentences:#?}");
}

#[actix_web::test]
async fn head_of_a_status_is_a_status() {
    let court = Court::saying(standing(None));
    let reply = court.house.call(TestRequest::default().method(Method::HEAD).uri(STATUS)).await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_wrong_number_is_refused_and_nobody_is_asked() {
    let court = Court::that(None);
    let long = "9".repeat(10_000);
    for cnj in
        ["0000001-38.2024.8.26.0100", "abc", "%27%20OR%201=1;--", "..%2F..%2Fetc", "%00", "", "/", "a%2Fb", &long]
    {
        court.post(&format!("/api/v1/process-updates/{cnj}/request"), "x").await.problem("invalid-cnj", 422);
        court.house.get(&format!("/api/v1/process-updates/{cnj}/status")).await.problem("invalid-cnj", 422);
    }
    assert!(court.asked().is_empty());
}

#[actix_web::test]
async fn a_body_has_an_end_whether_it_says_its_length_or_not() {
    let court = Court::saying(standing(None));
    assert_eq!(court.post(REQUEST, &"x".repeat(65_536)).await.status, StatusCode::ACCEPTED);
    court.post(REQUEST, &"x".repeat(65_537)).await.problem("payload-too-large", 413);
    assert_eq!(court.asked().len(), 1);

    let running = Running::start(&court.house);
    for (chunks, status) in [(0, 202), (64, 202), (65, 413), (1_000, 413)] {
        let body = format!("400\r\n{}\r\n", "x".repeat(1_024)).repeat(chunks);
        let head = format!("POST {REQUEST} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        let heard = running.shout(format!("{head}{body}0\r\n\r\n").as_bytes());
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{chunks}: {heard}");
    }
}

#[actix_web::test]
async fn each_address_names_its_methods() {
    let court = Court::that(None);
    for (uri, methods, allowed) in
        [(REQUEST, ["GET", "HEAD", "PUT", "DELETE"], "POST"), (STATUS, ["POST", "PUT", "DELETE", "PATCH"], "GET, HEAD")]
    {
        for method in methods {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let reply = court.house.call(TestRequest::default().method(method).uri(uri)).await;
            reply.problem("method-not-allowed", 405);
            assert_eq!(reply.header("allow"), allowed);
        }
    }
    assert!(court.asked().is_empty());
}

#[actix_web::test]
async fn every_failure_is_one_problem() {
    let wait = Some(Duration::from_millis(8_500));
    let vendor = |failure| UpdateError::Vendor(FetchError { failure, retry_after: wait, cost_centavos: 0 });
    let retry_after = Duration::from_millis(8_500);
    for (error, slug, status) in [
        (UpdateError::Unknown { cost_centavos: 0 }, "unknown-process", 404),
        (UpdateError::Overloaded { retry_after }, "overloaded", 503),
        (UpdateError::Recovering { retry_after }, "overloaded", 503),
        (vendor(Failure::NoCredit), "credits-exhausted", 503),
        (vendor(Failure::BudgetExhausted), "budget-exhausted", 503),
        (vendor(Failure::NoProvider), "upstream-unavailable", 503),
        (vendor(Failure::Unauthorized), "upstream-unavailable", 503),
        (vendor(Failure::Refused), "upstream-unavailable", 503),
        (vendor(Failure::RateLimited), "upstream-unavailable", 503),
        (vendor(Failure::Unreachable), "upstream-unavailable", 503),
    ] {
        let court = Court::that(Some(Err(error)));
        for reply in [court.post(REQUEST, "").await, court.house.get(STATUS).await] {
            // Nobody who wants the court asked is told about copies.
            assert!(!reply.problem(slug, status).contains("cópia"));
            assert_eq!(reply.header("retry-after"), if status == 503 { "9" } else { "" });
        }
    }
}

#[actix_web::test]
async fn a_failure_that_cost_something_says_so_and_names_a_time() {
    let charged = FetchError { failure: Failure::Refused, retry_after: None, cost_centavos: 300 };
    let reply = Court::that(Some(Err(UpdateError::Vendor(charged)))).post(REQUEST, "").await;
    assert_eq!((reply.status.as_u16(), reply.header("x-juscache-cost")), (503, "300"));
    assert_eq!(reply.header("retry-after"), "2");
}

#[actix_web::test]
async fn a_desk_that_never_answers_does_not_hold_the_caller() {
    let court = Court::that(None);
    court.post(REQUEST, "").await.problem("overloaded", 503);
    court.house.get(STATUS).await.problem("overloaded", 503);
    assert_eq!(HttpSettings::default().max_body, 65_536);
}
