//! `GET /metrics`: the registry, for Prometheus and for whoever reads its older text format.

use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::momentary;
use crate::http::state::HttpState;
use crate::telemetry::metrics::as_plain_text;

/// OpenMetrics 1.0 for whoever asks for it, as Prometheus does; the plain text format for everybody else.
pub async fn page(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    // The report brings the gauges up to date.
    let _report = state.services.readiness.report();
    let text = state.metrics.render();
    let accepted = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/openmetrics-text") {
        momentary(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
    } else {
        momentary(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", as_plain_text(&text))
    }
}
