//! What a reader gets when there is something to give.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;

use super::fixture::{DETAILED, House, SUMMARY, entry, served};
use crate::coordinator::messages::{Reach, Served};
use crate::coordinator::trail::{Finding, Tier, Trail};
use crate::domain::sample;
use crate::domain::served::{Freshness, ServedFrom, StaleReason};

#[actix_web::test]
async fn a_near_hit_has_the_contracts_body_and_headers() {
    let reply = House::serving(served()).get(DETAILED).await;
    assert_eq!(reply.status, StatusCode::OK);
    let json = reply.json();
    assert_eq!(json["cnj"], "0000001-39.2024.8.26.0100");
    assert_eq!((&json["total_movements"], &json["shown_movements"]), (&60.into(), &50.into()));
    assert_eq!(json["cache_source"], "memory");
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-status", "juscache-near; hit; ttl=86300"),
        ("age", "100"),
        ("cache-control", "private, max-age=86400, stale-while-revalidate=60, stale-if-error=604800"),
        ("server-timing", "near;dur=0.02"),
        ("x-juscache-cost", "0"),
        ("etag", served().entry.etag()),
        ("vary", "accept-encoding"),
        ("content-encoding", ""),
    ] {
        assert_eq!(reply.header(name), value, "{name}");
    }
    assert_eq!(reply.header("x-request-id").len(), 32);
}

#[actix_web::test]
async fn the_shared_body_is_not_copied() {
    let hit = served();
    let reply = House::serving(hit.clone()).get(DETAILED).await;
    assert_eq!(reply.body.as_ptr(), hit.entry.body(ServedFrom::Memory, Freshness::Fresh).as_ptr());
}

#[actix_web::test]
async fn a_stale_copy_says_so_everywhere() {
    let mut trail = Trail::default();
    for (tier, finding) in
        [(Tier::Near, Finding::Miss), (Tier::Postgres, Finding::Stale), (Tier::Upstream, Finding::Failed("x"))]
    {
        trail.record(tier, finding, Duration::from_millis(2));
    }
    let freshness = Freshness::Stale(Some(StaleReason::UpstreamUnavailable));
    let house = House::serving(Served { from: ServedFrom::DatabaseFallback, freshness, trail, ..served() });
    let reply = house.get(DETAILED).await;
    let json = reply.json();
    assert_eq!(json["cache_source"], "database_fallback");
    assert_eq!(json["freshness"]["reason"], "upstream-unavailable");
    assert!(reply.header("cache-control").starts_with("private, max-age=0,"));
    assert!(reply.header("cache-status").contains("detail=fail-safe"));
    assert_eq!(reply.header("etag"), served().entry.etag());
    let metrics = house.get("/metrics").await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    let line = "juscache_lookups_total{source=\"database_fallback\",outcome=\"upstream-unavailable\"} 1";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("juscache_upstream_calls_avoided_total 0"), "{text}");
    assert!(text.contains("juscache_served_age_seconds_count 1"), "{text}");
}

#[actix_web::test]
async fn what_cost_nothing_is_counted_as_avoided() {
    let house = House::serving(served());
    house.get(DETAILED).await;
    house.get(SUMMARY).await;
    assert_eq!(house.state.metrics.calls_avoided.get(), 2);
}

#[actix_web::test]
async fn a_cut_has_its_own_validator_and_the_next_page_follows() {
    let house = House::serving(served());
    let first = house.get(&format!("{DETAILED}?limit=35&order=asc")).await;
    let json = first.json();
    assert_eq!((&json["total_movements"], &json["shown_movements"]), (&60.into(), &35.into()));
    assert_ne!(first.header("etag"), served().entry.etag());
    let cursor = json["next_cursor"].as_str().unwrap();
    let second = house.get(&format!("{DETAILED}?limit=35&order=asc&cursor={cursor}")).await.json();
    assert_eq!((&second["shown_movements"], &second["next_cursor"]), (&25.into(), &serde_json::Value::Null));
    let other = house.get(&format!("{DETAILED}?order=desc&cursor={cursor}")).await;
    assert!(other.problem("invalid-parameter", 400).contains("\"cursor\""));
}

#[actix_web::test]
async fn a_large_process_is_rendered_beside_the_worker() {
    let large = Served { entry: entry(sample::process(3_000, 0)), ..served() };
    let house = House::serving(large);
    assert_eq!(house.get(&format!("{DETAILED}?limit=500")).await.json()["shown_movements"], 500);
    assert_eq!(house.state.renders.available_permits(), house.state.settings.max_renders);
    let held = house.state.renders.try_acquire_many(32).unwrap();
    house.get(SUMMARY).await.problem("overloaded", 503);
    drop(held);
    assert_eq!(house.get(SUMMARY).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn the_summary_has_its_shape_and_its_own_validator() {
    let reply = House::serving(served()).get(SUMMARY).await;
    let json = reply.json();
    for name in ["current_phase", "description", "progress_percentage", "phases", "tribunal", "outcome", "freshness"] {
        assert!(!json[name].is_null(), "{name}: {json}");
    }
    assert_ne!(reply.header("etag"), served().entry.etag());
    assert_eq!(reply.header("age"), "100");
}

#[actix_web::test]
async fn a_reader_who_holds_it_gets_304_with_the_same_headers() {
    let house = House::serving(served());
    for path in [DETAILED.to_owned(), SUMMARY.to_owned(), format!("{DETAILED}?limit=3")] {
        let whole = house.get(&path).await;
        let etag = whole.header("etag").to_owned();
        for held in [etag.clone(), format!("\"x\", {}", etag.trim_start_matches("W/")), "*".to_owned()] {
            let reply = house.call(TestRequest::get().uri(&path).insert_header(("if-none-match", held))).await;
            assert_eq!((reply.status, reply.body.len()), (StatusCode::NOT_MODIFIED, 0));
            for name in ["etag", "age", "cache-control", "cache-status", "x-juscache-cost", "vary"] {
                assert_eq!(reply.header(name), whole.header(name), "{name}");
            }
        }
        let changed = house.call(TestRequest::get().uri(&path).insert_header(("if-none-match", "W/\"other\""))).await;
        assert_eq!(changed.status, StatusCode::OK);
    }
}

#[actix_web::test]
async fn head_answers_like_get() {
    let house = House::serving(served());
    for path in [DETAILED, SUMMARY, "/health/live", "/metrics", "/problems"] {
        let head = house.call(TestRequest::default().method(Method::HEAD).uri(path)).await;
        assert_eq!(head.status, StatusCode::OK, "{path}");
        assert_eq!(head.header("etag"), house.get(path).await.header("etag"));
    }
}

#[actix_web::test]
async fn demands_reach_the_chain() {
    let house = House::serving(served());
    let with = |value: &'static str| TestRequest::get().uri(DETAILED).insert_header(("cache-control", value));
    house.call(with("only-if-cached, max-stale=5")).await;
    house.call(with("no-cache")).await;
    house.get(&format!("{DETAILED}?force_refresh=true")).await;
    house.get(&format!("{SUMMARY}?force_refresh=1")).await;
    house.call(TestRequest::get().uri(DETAILED).insert_header(("pragma", "no-cache"))).await;
    house.get(DETAILED).await;
    let reaches: Vec<_> = house.asked().iter().map(|lookup| lookup.demand.reach).collect();
    assert_eq!(reaches, [Reach::Held, Reach::Refresh, Reach::Refresh, Reach::Refresh, Reach::Refresh, Reach::Vendor]);
    assert_eq!(house.asked()[0].demand.max_stale, Some(Duration::from_secs(5)));
}

#[actix_web::test]
async fn a_number_may_be_written_both_ways_and_escaped() {
    let house = House::serving(served());
    for cnj in ["00000013920248260100", "0000001-39.2024.8.26.0100", "%30000001%2D39%2E2024.8.26.0100"] {
        let reply = house.get(&format!("/api/v1/process-movements/{cnj}/detailed")).await;
        assert_eq!(reply.status, StatusCode::OK, "{cnj}");
    }
    assert!(house.asked().iter().all(|lookup| lookup.cnj.masked() == super::fixture::CNJ));
}

#[actix_web::test]
async fn a_request_id_is_kept_when_sane() {
    let house = House::serving(served());
    let with = |id: &'static str| TestRequest::get().uri(DETAILED).insert_header(("x-request-id", id));
    assert_eq!(house.call(with("abc-123")).await.header("x-request-id"), "abc-123");
    assert_eq!(house.call(with("a b")).await.header("x-request-id").len(), 32);
    let twice = with("a").append_header(("x-request-id", "b"));
    assert_eq!(house.call(twice).await.header("x-request-id").len(), 32);
}

#[actix_web::test]
async fn health_is_told_apart() {
    let ready = House::serving(served()).get("/health/ready").await;
    assert_eq!((ready.status, &ready.json()["status"]), (StatusCode::OK, &"degraded".into()));
    let house = House::new(Box::new(|_| unreachable_answer()), false, crate::http::state::HttpSettings::default());
    let unready = house.get("/health/ready").await;
    assert_eq!((unready.status, unready.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    assert_eq!(house.get("/health/live").await.status, StatusCode::OK);
}

fn unreachable_answer()
-> futures_util::future::BoxFuture<'static, Result<Served, crate::coordinator::messages::LookupError>> {
    panic!("health asks nobody")
}
