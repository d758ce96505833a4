//! `GET /health/live` and `GET /health/ready`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::web::Data;
use serde::Serialize;

use super::momentary;
use crate::http::state::{Health, HttpState, Report};

/// The process runs: 200 whatever else is broken, so that nobody restarts a service that only waits for its database.
pub async fn live() -> HttpResponse {
    momentary(StatusCode::OK, "application/json", "{\"status\":\"live\"}\n")
}

/// 200 while lookups can be answered, however degraded; 503 otherwise.
pub async fn ready(state: Data<HttpState>) -> HttpResponse {
    let report = state.services.readiness.report();
    let status = if report.answering { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = momentary(status, "application/json", write(&report));
    if !report.answering {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn word(report: &Report) -> &'static str {
    let is_whole = report.tiers.iter().all(|tier| matches!(tier.state, Health::Up | Health::Off));
    match (report.answering, is_whole) {
        (true, true) => "ready",
        (true, false) => "degraded",
        (false, _) => "unavailable",
    }
}

/// JSON that is also read in a terminal: one line for each tier and actor.
fn write(report: &Report) -> String {
    format!(
        "{{\"status\":\"{}\",\"version\":\"{}\",\"journal_pending\":{},\n\"tiers\":[{}],\n\"actors\":[{}]}}\n",
        word(report),
        report.version,
        report.journal_pending,
        lines(&report.tiers),
        lines(&report.actors),
    )
}

fn lines(items: &[impl Serialize]) -> String {
    let lines: Vec<_> =
        items.iter().map(|item| serde_json::to_string(item).unwrap_or_else(|_| "null".to_owned())).collect();
    if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join(",\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::state::{ActorLine, TierLine};

    fn report(answering: bool, redis: Health) -> Report {
        Report {
            answering,
            tiers: vec![
                TierLine { name: "near", state: Health::Up, detail: String::new() },
                TierLine { name: "redis", state: redis, detail: "refused since \"12:00\"".into() },
            ],
            actors: vec![ActorLine { name: "redis".into(), state: "running", restarts: 3 }],
            version: "1.2.3",
            journal_pending: 7,
        }
    }

    #[test]
    fn every_tier_has_its_line_and_the_whole_is_json() {
        let text = write(&report(true, Health::Down));
        assert!(
            text.contains("\n{\"name\":\"redis\",\"state\":\"down\",\"detail\":\"refused since \\\"12:00\\\"\"}\n")
        );
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["status"], "degraded");
        assert_eq!((&json["actors"][0]["restarts"], &json["journal_pending"]), (&3.into(), &7.into()));
        let empty = Report { tiers: Vec::new(), actors: Vec::new(), ..report(true, Health::Up) };
        assert!(serde_json::from_str::<serde_json::Value>(&write(&empty)).is_ok());
    }

    #[test]
    fn the_word_says_how_it_is() {
        assert_eq!(word(&report(true, Health::Up)), "ready");
        assert_eq!(word(&report(true, Health::Off)), "ready");
        assert_eq!(word(&report(true, Health::Degraded)), "degraded");
        assert_eq!(word(&report(false, Health::Up)), "unavailable");
    }
}
