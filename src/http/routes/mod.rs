//! One file for each page, and the list of them.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, Resource};
use bytes::Bytes;

use super::identity::RequestId;
use super::problem::Problem;
use super::state::HttpSettings;

pub mod admin;
pub mod callbacks;
pub mod detailed;
pub mod events;
pub mod health;
pub mod lookup;
pub mod metrics;
pub mod problems;
pub mod summary;
pub mod updates;

/// Bodies below this gain nothing from compression: they fit one packet as they are.
const SMALLEST_COMPRESSED: usize = 1024;

/// What stands around the number in the address of a detailed answer.
pub(super) const DETAILED_PREFIX: &str = "/api/v1/process-movements/";
/// See [`DETAILED_PREFIX`].
pub(super) const DETAILED_SUFFIX: &str = "/detailed";

/// Adds every page, the hot ones first, as they are tried in order.
pub fn mount(config: &mut ServiceConfig) {
    // A number may hold anything, slashes too, so that whatever was meant as a number is refused as one.
    config
        .service(read(&format!("{DETAILED_PREFIX}{{cnj:.*}}{DETAILED_SUFFIX}"), web::to(detailed::page)))
        .service(read("/api/v1/process-movements/{cnj:.*}/summary", web::to(summary::page)))
        .service(read("/api/v1/process-movements/{cnj:.*}/events", web::to(events::of_process)))
        .service(read("/api/v1/events", web::to(events::of_all)))
        .service(updates::request_page("/api/v1/process-updates/{cnj:.*}/request"))
        .service(read("/api/v1/process-updates/{cnj:.*}/status", web::to(updates::status)))
        .service(read("/health/live", web::to(health::live)))
        .service(read("/health/ready", web::to(health::ready)))
        .service(read("/metrics", web::to(metrics::page)))
        .service(read("/problems", web::to(problems::list)))
        .service(read("/problems/{slug}", web::to(problems::page)))
        .service(callbacks::intake_page())
        .configure(admin::mount)
        .default_service(web::to(unknown_page));
}

/// Bytes that a body may have at this address; none where the page itself looks after it.
pub(super) fn max_body(path: &str, settings: &HttpSettings) -> Option<usize> {
    match path {
        admin::warm::PATH => Some(settings.max_list_body),
        // Nobody learns this limit without the token.
        callbacks::CALLBACKS => None,
        _ => Some(settings.max_body),
    }
}

/// A page that is only read: GET and HEAD, which differ in the sent body alone.
fn read(path: &str, route: actix_web::Route) -> Resource {
    let reads =
        |context: &actix_web::guard::GuardContext<'_>| matches!(context.head().method, Method::GET | Method::HEAD);
    web::resource(path).route(route.guard(actix_web::guard::fn_guard(reads))).default_service(web::to(only_reads))
}

async fn unknown_page(request: HttpRequest) -> HttpResponse {
    Problem::not_found().respond(&request_id(&request))
}

async fn only_reads(request: HttpRequest) -> HttpResponse {
    Problem::method_not_allowed("GET, HEAD").respond(&request_id(&request))
}

/// The id that the boundary gave this request.
pub(super) fn request_id(request: &HttpRequest) -> RequestId {
    let known = request.extensions().get::<RequestId>().cloned();
    known.unwrap_or_else(|| RequestId::adopt_or_make(None, || 0))
}

/// An answer with a body; a small one is kept from the compression.
pub(super) fn with_body(status: StatusCode, content_type: &'static str, body: Bytes) -> HttpResponse {
    let is_small = body.len() < SMALLEST_COMPRESSED;
    let mut response = HttpResponse::with_body(status, actix_web::body::BoxBody::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if is_small {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
    }
    response
}

/// As [`with_body`], for what is true only now.
pub(super) fn momentary(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> HttpResponse {
    let mut response = with_body(status, content_type, body.into());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
