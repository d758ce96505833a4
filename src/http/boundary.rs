//! What happens to every request, whatever it asks: it gets an id, a body limit, one log line, and an answer even if a handler
//! panics. actix-web itself would drop the connection of a panicking handler; here the caller is told and the connection lives.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CONTENT_ENCODING, CONTENT_LENGTH, Encoding, HeaderMap, HeaderName, HeaderValue,
    VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use futures_util::FutureExt;
use tracing::Instrument;

use super::identity::{RequestId, TRACEPARENT, X_REQUEST_ID, trace_id};
use super::problem::{Kind, Problem};
use super::routes;
use super::state::HttpState;

/// Which copy answered, left with the response for the log line.
#[derive(Debug, Clone, Copy)]
pub struct CacheSource(pub &'static str);

/// The middleware.
///
/// # Errors
/// A handler's panic or error, already as a problem document.
pub async fn boundary<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(state) = request.app_data::<Data<HttpState>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    let started = state.clock.monotonic();
    let took = || state.clock.monotonic().saturating_duration_since(started);
    let id = RequestId::adopt_or_make(only(request.headers(), &X_REQUEST_ID), || state.random.bits());
    let trace = trace_id(request.headers().get(&TRACEPARENT)).map(str::to_owned);
    request.extensions_mut().insert(id.clone());
    allow_identity(&mut request);

    let max_body = routes::max_body(request.path(), &state.settings);
    if let Some(limit) = max_body.filter(|limit| body_length(request.headers()).is_some_and(|length| length > *limit)) {
        let problem = Problem::payload_too_large(limit);
        let response = request.into_response(problem.respond(&id)).map_into_right_body();
        return Ok(finish(response, &id, trace.as_deref(), took()));
    }
    let method = request.method().clone();
    let span = tracing::debug_span!("request", request_id = id.as_str(), trace_id = trace.as_deref());
    // The whole call is inside the future: a handler may panic before its first await.
    let outcome = AssertUnwindSafe(async move { next.call(request).await }.instrument(span)).catch_unwind().await;
    match outcome {
        Ok(Ok(response)) => Ok(finish(response.map_into_left_body(), &id, trace.as_deref(), took())),
        Ok(Err(error)) => Err(refuse(&of_framework(&error, &state), &id, &method, took())),
        Err(_) => {
            // Its message and place were logged by the panic hook.
            state.metrics.count_lookup("none", Kind::Internal.row().slug, took());
            Err(refuse(&Problem::internal(), &id, &method, took()))
        }
    }
}

/// Completes and logs an answer. `identity` is how handlers tell the compression to leave a small body alone; it is not said
/// to the client.
fn finish<B>(
    mut response: ServiceResponse<B>,
    id: &RequestId,
    trace: Option<&str>,
    took: Duration,
) -> ServiceResponse<B> {
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID.clone(), id.header());
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        headers.remove(CONTENT_ENCODING);
    }
    log(&response, id, trace, took);
    response
}

fn log<B>(response: &ServiceResponse<B>, id: &RequestId, trace: Option<&str>, took: Duration) {
    macro_rules! line {
        ($level:ident) => {{
            let request = response.request();
            tracing::$level!(
                method = %request.method(),
                path = request.match_pattern().as_deref().unwrap_or("unmatched"),
                status = response.status().as_u16(),
                duration_ms = took.as_secs_f64() * 1_000.0,
                request_id = id.as_str(),
                trace_id = trace,
                cache_source = response.response().extensions().get::<CacheSource>().map(|source| source.0),
                "request answered"
            );
        }};
    }
    if response.status().is_server_error() { line!(info) } else { line!(debug) }
}

/// An answer outside the middleware's usual way out, where the request is gone.
fn refuse(problem: &Problem, id: &RequestId, method: &Method, took: Duration) -> Error {
    let mut response = problem.respond(id);
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    tracing::info!(
        %method,
        status = response.status().as_u16(),
        duration_ms = took.as_secs_f64() * 1_000.0,
        request_id = id.as_str(),
        "request failed"
    );
    InternalError::from_response(problem.kind().row().slug, response).into()
}

/// What actix-web itself refused, in our words.
fn of_framework(error: &Error, state: &HttpState) -> Problem {
    match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::payload_too_large(state.settings.max_body),
        StatusCode::NOT_FOUND => Problem::not_found(),
        status if status.is_client_error() => {
            Problem::new(Kind::InvalidParameter, "A requisição não pôde ser lida; confira o endereço e os cabeçalhos.")
        }
        _ => Problem::internal(),
    }
}

/// The one value of a header; none if it is repeated.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name);
    values.next().filter(|_| values.next().is_none())
}

fn body_length(headers: &HeaderMap) -> Option<usize> {
    let text = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    // Digits that do not fit are a length over any limit.
    Some(text.parse().unwrap_or(usize::MAX))
}

/// Forgets an `Accept-Encoding` that leaves nothing to send: RFC 9110 12.5.3 allows to answer plainly then, and an answer is
/// worth more than the 406 that the compression would give.
fn allow_identity(request: &mut ServiceRequest) {
    const OURS: [Encoding; 5] =
        [Encoding::identity(), Encoding::brotli(), Encoding::gzip(), Encoding::deflate(), Encoding::zstd()];
    // Only a weight of zero excludes anything, and few clients send any weight.
    let may_exclude = request.headers().get_all(ACCEPT_ENCODING).any(|value| value.as_bytes().contains(&b'0'));
    if may_exclude
        && let Some(accepted) = request.get_header::<AcceptEncoding>()
        && accepted.negotiate(OURS.iter()).is_none()
    {
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
}
