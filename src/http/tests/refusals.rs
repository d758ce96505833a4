//! How a reader is told no.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;

use super::fixture::{DETAILED, House, SUMMARY, entry, served};
use crate::coordinator::messages::{LookupError, Served};
use crate::domain::sample;
use crate::fetcher::messages::Failure;
use crate::http::problem::Kind;

fn nobody() -> House {
    House::answering(|lookup| panic!("nobody may be asked: {lookup:?}"))
}

#[actix_web::test]
async fn every_failed_lookup_is_one_problem() {
    let wait = Duration::from_millis(1_500);
    let upstream = |failure| LookupError::Upstream { failure, retry_after: wait, cost_centavos: 0 };
    for (error, slug, status) in [
        (LookupError::Unknown, "unknown-process", 404),
        (LookupError::NotHeld, "not-cached", 504),
        (LookupError::Overloaded { retry_after: wait }, "overloaded", 503),
        (LookupError::Recovering { retry_after: wait }, "overloaded", 503),
        (upstream(Failure::NoCredit), "credits-exhausted", 503),
        (upstream(Failure::NoProvider), "upstream-unavailable", 503),
        (upstream(Failure::Unauthorized), "upstream-unavailable", 503),
        (upstream(Failure::Refused), "upstream-unavailable", 503),
        (upstream(Failure::RateLimited), "upstream-unavailable", 503),
        (upstream(Failure::ServerError), "upstream-unavailable", 503),
        (upstream(Failure::Unreachable), "upstream-unavailable", 503),
        (upstream(Failure::TimedOut), "upstream-unavailable", 503),
        (upstream(Failure::Unreadable), "upstream-unavailable", 503),
        (upstream(Failure::EndlessPages), "upstream-unavailable", 503),
    ] {
        let house = House::answering(move |_| Err(error.clone()));
        for path in [DETAILED, SUMMARY] {
            let reply = house.get(path).await;
            assert!(!reply.problem(slug, status).is_empty());
            assert_eq!(reply.header("retry-after"), if status == 503 { "2" } else { "" });
        }
        let metrics = house.state.metrics.render();
        assert!(metrics.contains(&format!("{{source=\"none\",outcome=\"{slug}\"}} 2")), "{metrics}");
    }
}

#[actix_web::test]
async fn a_wrong_number_is_refused_and_nobody_is_asked() {
    let house = nobody();
    let long = "9".repeat(10_000);
    for cnj in [
        "0000001-38.2024.8.26.0100",
        "0000001392024826010",
        "abc",
        "%27%20OR%201=1;--",
        "';DROP%20TABLE%20x;--",
        "1/**/UNION/**/SELECT",
        "..%2F..%2Fetc",
        "%00",
        "%ff%fe",
        "%",
        "",
        "/",
        "a%2Fb",
        &long,
    ] {
        for read in ["detailed", "summary"] {
            let reply = house.get(&format!("/api/v1/process-movements/{cnj}/{read}")).await;
            assert!(!reply.problem("invalid-cnj", 422).is_empty(), "{cnj}");
        }
    }
    assert!(house.asked().is_empty());
}

#[actix_web::test]
async fn a_wrong_parameter_is_refused_and_nobody_is_asked() {
    let house = nobody();
    for query in [
        "limit=0",
        "limit=501",
        "limit=abc",
        "limit=%ff",
        "cursor=x",
        "order=up",
        "since=x",
        "type=x",
        "limit=1&limit=2",
    ] {
        let detail = house.get(&format!("{DETAILED}?{query}")).await.problem("invalid-parameter", 400);
        assert!(detail.contains(query.split('=').next().unwrap()), "{detail}");
    }
    house.get(&format!("{SUMMARY}?force_refresh=maybe")).await.problem("invalid-parameter", 400);
}

#[actix_web::test]
async fn nothing_of_a_sealed_process_is_shown() {
    let mut snapshot = sample::process(3, 0);
    snapshot.cover.sealed = true;
    let sealed = Served { entry: entry(snapshot), cost_centavos: 27, ..served() };
    let etag = sealed.entry.etag().to_owned();
    let house = House::serving(sealed);
    for path in [DETAILED.to_owned(), SUMMARY.to_owned(), format!("{DETAILED}?limit=1")] {
        for held in ["*", etag.as_str()] {
            let reply = house.call(TestRequest::get().uri(&path).insert_header(("if-none-match", held))).await;
            reply.problem("sealed-process", 403);
            let text = String::from_utf8(reply.body.to_vec()).unwrap();
            assert!(!text.contains("Juntada") && !text.contains("TJSP"), "{text}");
        }
    }
}

#[actix_web::test]
async fn a_chain_that_never_answers_does_not_hold_the_reader() {
    House::hanging().get(DETAILED).await.problem("overloaded", 503);
}

#[actix_web::test]
async fn a_panic_is_our_fault_and_says_nothing() {
    let house = House::answering(|_| panic!("a secret detail"));
    let reply = house.get(DETAILED).await;
    assert!(!reply.problem("internal", 500).contains("secret"));
    assert!(house.state.metrics.render().contains("outcome=\"internal\"} 1"));
}

#[actix_web::test]
async fn other_addresses_and_methods_are_named() {
    let house = nobody();
    for path in ["/", "/api/v1", "/api/v1/process-movements/x", "/favicon.ico", "/problems/", "/%00", "/health/ready/"]
    {
        house.get(path).await.problem("not-found", 404);
    }
    for path in [DETAILED, SUMMARY, "/health/live", "/health/ready", "/metrics", "/problems", "/problems/internal"] {
        for method in [Method::POST, Method::DELETE, Method::OPTIONS, Method::from_bytes(b"BREW").unwrap()] {
            let reply = house.call(TestRequest::default().method(method).uri(path)).await;
            reply.problem("method-not-allowed", 405);
            assert_eq!(reply.header("allow"), "GET, HEAD");
        }
    }
}

#[actix_web::test]
async fn a_body_over_the_limit_is_refused_unread() {
    let house = House::serving(served());
    for (length, status) in [("65536", 200), ("65537", 413), ("99999999999999999999999", 413)] {
        let reply = house.call(TestRequest::get().uri(DETAILED).insert_header(("content-length", length))).await;
        assert_eq!(reply.status.as_u16(), status, "{length}");
        if status == 413 {
            reply.problem("payload-too-large", 413);
        }
    }
}

#[actix_web::test]
async fn every_problem_is_explained_by_the_service() {
    let house = nobody();
    let list = house.get("/problems").await.json();
    assert_eq!(list["problems"].as_array().unwrap().len(), Kind::ALL.len());
    for kind in Kind::ALL {
        let row = kind.row();
        let path = format!("/problems/{}", row.slug);
        let reply = house.get(&path).await;
        assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "application/json"));
        let json = reply.json();
        assert_eq!((&json["type"], &json["title"]), (&path.as_str().into(), &row.title.into()));
        let page = house.call(TestRequest::get().uri(&path).insert_header(("accept", "text/html,*/*;q=0.8"))).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(String::from_utf8(page.body.to_vec()).unwrap().contains(row.explanation));
    }
    house.get("/problems/nope").await.problem("not-found", 404);
}
