//! `GET /api/v1/process-movements/{cnj}/summary`: phases, progress, outcome.

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
    let force_refresh = params::summary(request.query_string())?;
    let served = lookup::ask(request, state, force_refresh).await?;
    let rendered = lookup::render(state, &served, render::summary_head).await?;
    Ok(lookup::respond(request, state, &served, &rendered.etag, || rendered.body))
}
