//! Row: the vendor is broken.

use std::time::Duration;

use juscache::sandbox::Fault;

use crate::support::house::{House, Plan, number, numbers};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A house with one expired copy. The database goes when the test does.
async fn house_with_expired_copy(hint: &str) -> (House, String, TestDatabase<'static>) {
    let database = Postgres::shared().database(hint);
    let plan = Plan::new(&database.url).with(|settings| {
        settings.coordinator.patience.soft = Duration::from_millis(300);
        settings.coordinator.patience.hard = Duration::from_secs(2);
        settings.fetcher.request_timeout = Duration::from_secs(1);
        settings.fetcher.max_attempts = 2;
        settings.fetcher.retry_base = Duration::from_millis(20);
    });
    let house = plan.build().await;
    let cnj = number();
    assert_eq!(house.lookup(&cnj).await.status, 200);
    house.clock.advance(DAY + Duration::from_secs(60));
    (house, cnj, database)
}

/// Breaks the vendor in one way: the stored copy is served with this reason, without one it is this problem, and it recovers.
async fn row(fault: Fault, reason: &str, problem: &str) {
    let (house, cnj, _database) = house_with_expired_copy(fault.as_str()).await;
    let never_seen = numbers(2).remove(1);
    house.vendor().set_fault(fault, None, None);
    let load = house.steady_requests(&cnj);
    eventually(Duration::from_secs(10), "answers during the outage", async || load.done() >= 20).await;

    let unknown = house.lookup(&never_seen).await;
    assert_eq!((unknown.status, unknown.problem()), (503, problem), "{unknown:?}");
    let wait: u64 = unknown.header("retry-after").parse().expect("Retry-After is a number of seconds");
    assert!(wait >= 1);
    assert!(!unknown.body["detail"].as_str().expect("a sentence").is_empty());

    let report = load.stop().await;
    for sample in report.within(Duration::ZERO..Duration::MAX) {
        assert_eq!(sample.status, Some(200), "{sample:?}");
        assert_eq!(sample.source.as_deref(), Some("database_fallback"), "{sample:?}");
        assert_eq!((sample.stale, sample.reason.as_deref()), (Some(true), Some(reason)), "{sample:?}");
    }

    house.vendor().clear_faults();
    eventually(Duration::from_secs(10), "fresh answers after the outage", async || {
        house.lookup(&cnj).await.stale() == Some(false)
    })
    .await;
    // What was paid for in vain is not tried again at once.
    eventually(Duration::from_secs(10), "the other one too", async || house.lookup(&never_seen).await.status == 200)
        .await;
    house.close().await;
}

#[actix_web::test]
async fn html_500() {
    row(Fault::Html500, "upstream-unavailable", "upstream-unavailable").await;
}

#[actix_web::test]
async fn json_503() {
    row(Fault::Json503, "upstream-unavailable", "upstream-unavailable").await;
}

#[actix_web::test]
async fn connections_cut_without_an_answer() {
    row(Fault::Reset, "upstream-unavailable", "upstream-unavailable").await;
}

#[actix_web::test]
async fn slow() {
    row(Fault::Slow(Duration::from_secs(3)), "upstream-timeout", "upstream-unavailable").await;
}

#[actix_web::test]
async fn limited_with_advice() {
    // Honoured: until then nothing is asked, so it recovers only afterwards.
    let fault = Fault::RateLimited { retry_after: Some("3".into()), html: false };
    row(fault, "rate-limited", "upstream-unavailable").await;
}

#[actix_web::test]
async fn limited_without_a_word() {
    let (house, cnj, _database) = house_with_expired_copy("without_a_word").await;
    house.vendor().set_fault(Fault::RateLimited { retry_after: None, html: true }, None, None);
    let stale = house.lookup(&cnj).await;
    assert_eq!((stale.status, stale.reason()), (200, Some("rate-limited")), "{stale:?}");
    house.vendor().clear_faults();
    house.vendor().reset_calls();
    let unknown = house.lookup(&numbers(2)[1]).await;
    assert_eq!((unknown.status, unknown.problem()), (503, "upstream-unavailable"), "{unknown:?}");
    let wait: u64 = unknown.header("retry-after").parse().expect("seconds");
    assert!((1..=65).contains(&wait), "until the next minute has begun: {wait}");
    assert_eq!(house.vendor().calls(), [], "until then nothing is asked");
    house.close().await;
}

#[actix_web::test]
async fn out_of_credit() {
    row(Fault::NoCredit, "credits-exhausted", "credits-exhausted").await;
}

#[actix_web::test]
async fn balance_blocked() {
    row(Fault::Blocked403, "credits-exhausted", "credits-exhausted").await;
}

#[actix_web::test]
async fn key_refused() {
    row(Fault::Unauthorized, "upstream-unavailable", "upstream-unavailable").await;
}

#[actix_web::test]
async fn answers_that_cannot_be_read() {
    row(Fault::CutJson, "upstream-unavailable", "upstream-unavailable").await;
}

#[actix_web::test]
async fn the_port_is_closed() {
    let (mut house, cnj, _database) = house_with_expired_copy("port_closed").await;
    house.vendor_gone().await;
    let load = house.steady_requests(&cnj);
    eventually(Duration::from_secs(10), "answers during the outage", async || load.done() >= 20).await;
    for sample in load.stop().await.within(Duration::ZERO..Duration::MAX) {
        assert_eq!((sample.status, sample.source.as_deref()), (Some(200), Some("database_fallback")), "{sample:?}");
        assert_eq!(sample.reason.as_deref(), Some("upstream-unavailable"), "{sample:?}");
    }
    house.vendor_back().await;
    eventually(Duration::from_secs(10), "fresh answers", async || house.lookup(&cnj).await.source() == "api").await;
    house.close().await;
}

#[actix_web::test]
async fn without_a_key_copies_are_served_and_readiness_says_so() {
    let database = Postgres::shared().database("no_key");
    let house = Plan::new(&database.url).build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    house.close().await;

    let keyless = Plan::new(&database.url).build_without_key().await;
    assert_eq!(keyless.lookup(&cnj).await.source(), "database");
    keyless.clock.advance(2 * DAY);
    let stale = keyless.lookup(&cnj).await;
    assert_eq!((stale.status, stale.reason()), (200, Some("no-provider")));
    assert_eq!(keyless.lookup(&numbers(2)[1]).await.status, 503);
    let ready = keyless.get("/health/ready").await;
    assert_eq!(ready.status, 200);
    assert!(ready.body["tiers"].to_string().contains("ESCAVADOR_API_KEY"), "{}", ready.body);
    keyless.close().await;
}
