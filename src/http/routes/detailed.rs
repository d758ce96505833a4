//! `GET /api/v1/process-movements/{cnj}/detailed`: the timeline, page by page.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{lookup, request_id};
use crate::domain::render;
use crate::http::params;
use crate::http::problem::Problem;
use crate::http::state::HttpState;

/// The page.
pub async fn page(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    match answer(&request, &state).await {
        Ok(response) => response,
        Err(problem) => problem.respond(&request_id(&request)),
    }
}

async fn answer(request: &HttpRequest, state: &HttpState) -> Result<HttpResponse, Problem> {
    let params = params::detailed(request.query_string())?;
    let served = lookup::ask(request, state, params.force_refresh).await?;
    if params.view.is_default() {
        let entry = &served.entry;
        return Ok(lookup::respond(request, state, &served, entry.etag(), || {
            entry.body(served.from, served.freshness)
        }));
    }
    let view = params.view;
    let rendered = lookup::render(state, &served, move |snapshot| render::detailed_head(snapshot, &view)).await?;
    Ok(lookup::respond(request, state, &served, &rendered.etag, || rendered.body))
}
