//! `GET /api/v1/events` and `GET /api/v1/process-movements/{cnj}/events`: what is new, as it is stored (server-sent events, WHATWG
//! HTML). A client that was cut off says the last number it has (`Last-Event-ID`) and misses nothing.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::body::{BodyStream, BoxBody, MessageBody};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use super::request_id;
use crate::domain::cnj::Cnj;
use crate::http::params::{ParamError, once};
use crate::http::problem::{Kind, Problem};
use crate::http::query::{decode_segment, pairs};
use crate::http::state::HttpState;
use crate::notifier::TooManyStreams;
use crate::notifier::stream::NewsStream;

/// Sent by browsers when they come back.
static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The same for the first time, when a browser can send no header.
const LAST_EVENT_ID_PARAMETER: &str = "last_event_id";

/// What reverse proxies (nginx) read: pass on what comes, as it comes.
static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// When a place may be free again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The stream of one process.
pub async fn of_process(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let segment = request.match_info().get("cnj").unwrap_or_default();
    let cnj = Cnj::parse(&decode_segment(segment)).map(Some).map_err(Problem::from);
    answer(&request, &state, cnj).await
}

/// The stream of all processes.
pub async fn of_all(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    answer(&request, &state, Ok(None)).await
}

async fn answer(request: &HttpRequest, state: &HttpState, cnj: Result<Option<Cnj>, Problem>) -> HttpResponse {
    let body = async {
        let (cnj, after) = (cnj?, after(request)?);
        Ok::<_, Problem>(match *request.method() {
            // No place is taken for what is not sent.
            Method::HEAD => BoxBody::new(()),
            _ => follow(state.news.listen(after, cnj).await?),
        })
    };
    match body.await {
        Ok(body) => respond(body),
        Err(problem) => problem.respond(&request_id(request)),
    }
}

fn follow(stream: NewsStream) -> BoxBody {
    let pieces = stream::unfold(stream, |mut stream| async move {
        let piece = stream.next().await?;
        Some((Ok::<_, Infallible>(piece), stream))
    });
    BodyStream::new(Box::pin(pieces)).boxed()
}

fn respond(body: BoxBody) -> HttpResponse {
    let mut response = HttpResponse::with_body(StatusCode::OK, body);
    // It ends when the service does, and a connection that is kept would be waited for.
    response.head_mut().set_connection_type(ConnectionType::Close);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Left alone by the compression, which would hold events back.
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(X_ACCEL_BUFFERING.clone(), HeaderValue::from_static("no"));
    response
}

/// The number to resume after: what a browser that comes back says counts more than the address it began with.
fn after(request: &HttpRequest) -> Result<Option<u64>, ParamError> {
    let mut headers = request.headers().get_all(&LAST_EVENT_ID);
    if let Some(header) = headers.next() {
        if headers.next().is_some() {
            return Err(ParamError::Repeated { name: "Last-Event-ID" });
        }
        return number("Last-Event-ID", &String::from_utf8_lossy(header.as_bytes())).map(Some);
    }
    let mut parameter = None;
    for (name, value) in pairs(request.query_string()) {
        if name == LAST_EVENT_ID_PARAMETER {
            once(LAST_EVENT_ID_PARAMETER, &mut parameter, value)?;
        }
    }
    parameter.map(|given| number(LAST_EVENT_ID_PARAMETER, &given)).transpose()
}

fn number(name: &'static str, given: &str) -> Result<u64, ParamError> {
    let is_number = !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| given.parse().ok()).flatten();
    number.ok_or_else(|| ParamError::value(name, given, "o número do último evento recebido, como veio em \"id\""))
}

impl From<TooManyStreams> for Problem {
    fn from(_: TooManyStreams) -> Self {
        Self::new(
            Kind::Overloaded,
            "Há fluxos de eventos demais abertos neste serviço; feche os que não usa e repita depois do tempo indicado em \
             Retry-After.",
        )
        .retry_after(RETRY_AFTER)
    }
}
