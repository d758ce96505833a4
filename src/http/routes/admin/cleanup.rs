//! `POST /api/v1/admin/cleanup`: removes now what nobody confirmed for the retention, instead of at the next cycle.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, Resource};
use serde::Serialize;

use super::sync::{in_time, written};
use crate::http::problem::Problem;
use crate::http::routes::request_id;
use crate::http::routes::updates::{only_posts, pass_over};
use crate::http::state::HttpState;
use crate::resilience::Deadline;

/// Whoever cleans stops by itself earlier, and says how far it came.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Body {
    removed: u64,
    complete: bool,
}

/// The page; it takes POST only.
pub(super) fn page(path: &str) -> Resource {
    web::resource(path).route(web::post().to(clean)).default_service(web::to(only_posts))
}

async fn clean(request: HttpRequest, body: Payload, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let deadline = Deadline::after(state.clock.monotonic(), PATIENCE);
        pass_over(body, state.settings.max_body, deadline).await?;
        let cleaned = in_time(&state, PATIENCE, state.services.sync.clean()).await?;
        written(StatusCode::OK, &Body { removed: cleaned.removed, complete: cleaned.complete })
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.respond(&request_id(&request)))
}
