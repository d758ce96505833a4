//! The pages of news, without a database behind them.

use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::fixture::{CNJ, House, served};
use crate::ambient::SystemClock;
use crate::config::notifier::NotifierSettings;
use crate::domain::cnj::Cnj;
use crate::domain::event::Event;
use crate::notifier::{EventLog, Feed};
use crate::postgres_tier::messages::PostgresError;
use crate::telemetry::Metrics;

/// A log that nobody can read.
struct Away;

impl EventLog for Away {
    fn read(&self, _: u64, _: Option<Cnj>, _: usize) -> BoxFuture<'_, Result<Vec<Event>, PostgresError>> {
        std::future::ready(Err(PostgresError::Away)).boxed()
    }

    fn newest(&self) -> BoxFuture<'_, Result<u64, PostgresError>> {
        std::future::ready(Err(PostgresError::Away)).boxed()
    }
}

/// A feed that takes nobody in.
pub(super) fn no_news() -> Feed {
    let settings = NotifierSettings { most_streams: 0, ..NotifierSettings::default() };
    Feed::new(Arc::new(Away), settings, SystemClock::shared(), Metrics::new())
}

fn pages() -> [String; 2] {
    ["/api/v1/events".to_owned(), format!("/api/v1/process-movements/{CNJ}/events")]
}

#[actix_web::test]
async fn a_full_house_is_said_with_a_time() {
    for page in pages() {
        let reply = House::serving(served()).get(&page).await;
        let detail = reply.problem("overloaded", 503);
        assert!(detail.contains("fluxos de eventos demais"), "{detail}");
    }
}

#[actix_web::test]
async fn head_says_what_get_would_and_takes_no_place() {
    for page in pages() {
        let request = TestRequest::default().method(Method::HEAD).uri(&page).insert_header(("accept-encoding", "gzip"));
        let reply = House::serving(served()).call(request).await;
        assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "text/event-stream"));
        assert_eq!((reply.header("cache-control"), reply.header("content-encoding")), ("no-store", ""));
        assert!(!reply.header("x-request-id").is_empty() && reply.body.is_empty());
    }
}

#[actix_web::test]
async fn a_number_that_is_none_is_refused_in_words() {
    let house = House::serving(served());
    for page in pages() {
        for wrong in ["", "x", "-1", "1.5", "99999999999999999999999"] {
            let detail = house.get(&format!("{page}?last_event_id={wrong}")).await.problem("invalid-parameter", 400);
            assert!(detail.contains("\"last_event_id\""), "{detail}");
            let request = TestRequest::get().uri(&page).insert_header(("last-event-id", wrong));
            let detail = house.call(request).await.problem("invalid-parameter", 400);
            assert!(detail.contains("\"Last-Event-ID\""), "{detail}");
        }
        house.get(&format!("{page}?last_event_id=1&last_event_id=1")).await.problem("invalid-parameter", 400);
        // What a browser says when it comes back counts more than the address it began with.
        let request = TestRequest::get().uri(&format!("{page}?last_event_id=x")).insert_header(("last-event-id", "7"));
        house.call(request).await.problem("overloaded", 503);
    }
}

#[actix_web::test]
async fn a_number_of_no_process_is_refused_as_everywhere() {
    let house = House::serving(served());
    for wrong in ["x", "0000001-00.2024.8.26.0100", "a/b", "%00"] {
        house.get(&format!("/api/v1/process-movements/{wrong}/events")).await.problem("invalid-cnj", 422);
    }
    let posted = house.call(TestRequest::post().uri("/api/v1/events")).await;
    posted.problem("method-not-allowed", 405);
}
