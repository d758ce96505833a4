//! The admin door, and the ledger behind it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use chrono::NaiveDate;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::fixture::{ADMIN_TOKEN, House, Reply, served};
use crate::http::state::{Books, BooksAway};
use crate::ledger::report::{Avoided, BudgetLine, BudgetReport, DaySum, Days, LedgerReport, Sum};

const LEDGER: &str = "/api/v1/admin/ledger";

pub(super) fn report() -> LedgerReport {
    let day = NaiveDate::from_ymd_opt(2026, 8, 1).unwrap();
    let sum = |name: &str, centavos| Sum { name: name.into(), requests: 1, centavos };
    LedgerReport {
        from: day,
        to: day,
        requests: 2,
        spent_centavos: 27,
        presumed_centavos: 0,
        avoided_centavos: 123_456,
        without_cache_centavos: 123_483,
        days: vec![DaySum { day, requests: 2, spent_centavos: 27, avoided_centavos: 123_456 }],
        by_endpoint: vec![sum("escavador/cover", 15), sum("escavador/movements", 12)],
        by_lane: vec![sum("interactive", 27)],
        by_client: vec![sum("anonymous", 27)],
        by_outcome: vec![sum("ok", 27)],
        by_process: vec![sum("0000001-39.2024.8.26.0100", 27)],
        avoided: vec![Avoided { tier: "memory".into(), lookups: 4, centavos: 123_456 }],
        budget: BudgetReport { day: BudgetLine::default(), month: BudgetLine::default() },
    }
}

/// Books that note what they are asked and always answer the same.
#[derive(Default)]
pub(super) struct Open {
    asked: Mutex<Vec<Days>>,
}

impl Books for Open {
    fn report(&self, days: Days) -> BoxFuture<'_, Result<LedgerReport, BooksAway>> {
        self.asked.lock().unwrap().push(days);
        std::future::ready(Ok(report())).boxed()
    }
}

struct Hanging;

impl Books for Hanging {
    fn report(&self, _: Days) -> BoxFuture<'_, Result<LedgerReport, BooksAway>> {
        std::future::pending().boxed()
    }
}

fn house() -> (House, Arc<Open>) {
    let (mut house, books) = (House::serving(served()), Arc::new(Open::default()));
    house.state.services.books = Arc::<Open>::clone(&books);
    (house, books)
}

async fn call(house: &House, method: Method, uri: &str, token: Option<&str>) -> Reply {
    let mut request = TestRequest::default().method(method).uri(uri).peer_addr("192.0.2.1:9".parse().unwrap());
    if let Some(token) = token {
        request = request.insert_header(("authorization", format!("Bearer {token}")));
    }
    house.call(request).await
}

async fn get(house: &House, uri: &str) -> Reply {
    call(house, Method::GET, uri, Some(ADMIN_TOKEN)).await
}

#[actix_web::test]
async fn the_ledger_is_the_report_with_a_sentence_in_front() {
    let (house, books) = house();
    let reply = get(&house, LEDGER).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "application/json"));
    assert_eq!(reply.header("cache-control"), "no-store");
    let mut json = reply.json();
    let extra = ["summary", "timezone", "currency"].map(|name| json.as_object_mut().unwrap().remove(name).unwrap());
    let summary = "Em 01/08/2026 gastamos R$ 0,27 em 2 requisições: capas R$ 0,15 e movimentações R$ 0,12; \
                   sem o cache teria custado R$ 1.234,83 (R$ 1.234,56 a mais).";
    assert_eq!(extra, [summary, "America/Sao_Paulo", "BRL"]);
    assert_eq!(json, serde_json::to_value(report()).unwrap());
    assert_eq!(*books.asked.lock().unwrap(), [Days::Recent]);
}

#[actix_web::test]
async fn the_days_are_those_asked_for() {
    let (house, books) = house();
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    for query in ["day=yesterday", "day=today", "period=month", "from=2025-12-31&to=2026-01-02"] {
        assert_eq!(get(&house, &format!("{LEDGER}?{query}")).await.status, StatusCode::OK, "{query}");
    }
    let expected = [Days::Yesterday, Days::Today, Days::Month, Days::Range(day("2025-12-31"), day("2026-01-02"))];
    assert_eq!(*books.asked.lock().unwrap(), expected);
}

#[actix_web::test]
async fn a_wrong_parameter_is_refused_and_the_books_stay_shut() {
    let (house, books) = house();
    for query in ["day=ontem", "from=2026-01-01", "from=2026-01-02&to=2026-01-01", "day=today&period=month", "x=1"] {
        let detail = get(&house, &format!("{LEDGER}?{query}")).await.problem("invalid-parameter", 400);
        assert!(detail.starts_with("O parâmetro \""), "{detail}");
    }
    assert!(books.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn head_answers_and_other_methods_are_named() {
    let (house, _) = house();
    assert_eq!(call(&house, Method::HEAD, LEDGER, Some(ADMIN_TOKEN)).await.status, StatusCode::OK);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let reply = call(&house, method, LEDGER, Some(ADMIN_TOKEN)).await;
        reply.problem("method-not-allowed", 405);
        assert_eq!(reply.header("allow"), "GET, HEAD");
    }
}

#[actix_web::test]
async fn without_the_token_nothing_is_told_not_even_which_pages_there_are() {
    let pages = ["", "/", "/ledger", "/ledger?day=ontem", "/nothing", "/ledger/x", "/%00"];
    for page in pages.map(|page| format!("/api/v1/admin{page}")) {
        // A new door for each, because wrong tokens add up.
        let (house, books) = house();
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            for token in [None, Some("wrong"), Some("")] {
                let reply = call(&house, method.clone(), &page, token).await;
                assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {page} {token:?}");
                assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"juscache-admin\"");
                reply.problem("unauthorized", 401);
            }
        }
        assert_eq!(call(&house, Method::HEAD, &page, None).await.status, StatusCode::UNAUTHORIZED);
        assert!(books.asked.lock().unwrap().is_empty());
    }
    let (house, _) = house();
    for page in ["/api/v1/admin", "/api/v1/admin/", "/api/v1/admin/nothing", "/api/v1/admin/ledger/x"] {
        get(&house, page).await.problem("not-found", 404);
    }
    house.get("/api/v1/administrator").await.problem("not-found", 404);
}

#[actix_web::test]
async fn whoever_guesses_is_slowed() {
    let (house, _) = house();
    for _ in 0..30 {
        call(&house, Method::GET, LEDGER, Some("a guess")).await.problem("unauthorized", 401);
    }
    let reply = call(&house, Method::GET, LEDGER, Some("a guess")).await;
    reply.problem("rate-limited", 429);
    let seconds: u64 = reply.header("retry-after").parse().unwrap();
    assert!((50..=60).contains(&seconds), "{seconds}");
    get(&house, LEDGER).await.problem("rate-limited", 429);
    let elsewhere = TestRequest::get().uri(LEDGER).peer_addr("192.0.2.2:9".parse().unwrap());
    let elsewhere = elsewhere.insert_header(("authorization", format!("Bearer {ADMIN_TOKEN}")));
    assert_eq!(house.call(elsewhere).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn books_that_cannot_be_read_are_not_lost() {
    let house = House::serving(served());
    let reply = get(&house, LEDGER).await;
    let detail = reply.problem("overloaded", 503);
    assert!(detail.contains("não pode ser lido agora") && detail.contains("nada se perde"), "{detail}");
    assert_eq!(reply.header("retry-after"), "5");
    // A mistake is the caller's all the same.
    get(&house, &format!("{LEDGER}?day=ontem")).await.problem("invalid-parameter", 400);
}

#[actix_web::test]
async fn whoever_waits_for_the_books_is_told_when_the_service_ends() {
    let mut house = House::serving(served());
    house.state.services.books = Arc::new(Hanging);
    house.state.close();
    let told = tokio::time::timeout(Duration::from_secs(5), get(&house, LEDGER)).await;
    told.expect("an answer").problem("overloaded", 503);
}
