//! `GET /metrics`: the registry in Prometheus' text format.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;

use super::momentary;
use crate::http::state::HttpState;

/// The page. What is encoded is OpenMetrics 1.0, which Prometheus reads under its own media type.
pub async fn page(state: Data<HttpState>) -> HttpResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    // The report brings the gauges up to date.
    let _report = state.readiness.report();
    momentary(StatusCode::OK, content_type, state.metrics.render())
}
