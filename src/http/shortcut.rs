//! The usual near hit, answered before routing: a plain GET of a default detailed answer that a near copy satisfies needs no
//! route matched, nothing compressed that was compressed before, and no future boxed. Everything else, and every doubt, goes the usual way; both
//! ways write the same headers and count the same things.

use std::future::{Ready, ready};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, Encoding, HeaderName, HeaderValue,
    IF_NONE_MATCH, PRAGMA, VARY,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpResponse};
use bytes::Bytes;
use futures_util::future::{Either, MapOk, TryFutureExt};

use super::boundary::only;
use super::cache_headers;
use super::identity::{RequestId, X_REQUEST_ID};
use super::routes::{DETAILED_PREFIX, DETAILED_SUFFIX, lookup};
use super::state::HttpState;
use crate::domain::cnj::Cnj;
use crate::domain::coding::Coding;

/// What changes an answer, or the way to it.
const DECIDING: [HeaderName; 3] = [CACHE_CONTROL, PRAGMA, IF_NONE_MATCH];

/// What is kept ready, and the plain body.
const CODINGS: [(Encoding, Option<Coding>); 4] = [
    (Encoding::brotli(), Some(Coding::Brotli)),
    (Encoding::gzip(), Some(Coding::Gzip)),
    (Encoding::zstd(), Some(Coding::Zstd)),
    (Encoding::identity(), None),
];

/// The middleware; the outermost one.
pub struct Shortcut(pub Data<HttpState>);

/// The middleware around one worker's service.
pub struct WithShortcut<S> {
    state: Data<HttpState>,
    usual: S,
}

type UsualResponse<B> = ServiceResponse<EitherBody<B, Bytes>>;

impl<S, B> Transform<S, ServiceRequest> for Shortcut
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = UsualResponse<B>;
    type Error = Error;
    type Transform = WithShortcut<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, usual: S) -> Self::Future {
        ready(Ok(WithShortcut { state: Data::clone(&self.0), usual }))
    }
}

impl<S, B> Service<ServiceRequest> for WithShortcut<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = UsualResponse<B>;
    type Error = Error;
    type Future =
        Either<Ready<Result<UsualResponse<B>, Error>>, MapOk<S::Future, fn(ServiceResponse<B>) -> UsualResponse<B>>>;

    forward_ready!(usual);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        match hit(&self.state, &request) {
            Some(response) => Either::Left(ready(Ok(request.into_response(response).map_into_right_body()))),
            None => Either::Right(self.usual.call(request).map_ok(ServiceResponse::map_into_left_body)),
        }
    }
}

/// The answer, if this is the usual near hit. When debug lines are wanted, the usual way writes them.
fn hit(state: &HttpState, request: &ServiceRequest) -> Option<HttpResponse<Bytes>> {
    let segment = request.path().strip_prefix(DETAILED_PREFIX)?.strip_suffix(DETAILED_SUFFIX)?;
    let is_plain = request.method() == Method::GET
        && request.query_string().is_empty()
        && !DECIDING.iter().any(|name| request.headers().contains_key(name))
        && !tracing::enabled!(tracing::Level::DEBUG);
    if !is_plain {
        return None;
    }
    let started = state.clock.monotonic();
    let served =
        state.services.lookups.near(&Cnj::parse(segment).ok()?).filter(|served| !served.entry.header().sealed)?;
    let coding = negotiate(request)?;
    let body = match coding {
        Some(coding) => served.entry.coded_near_body(coding)?,
        None => served.entry.body(served.from, served.freshness),
    };
    let mut response = HttpResponse::with_body(StatusCode::OK, body);
    let id = RequestId::adopt_or_make(only(request.headers(), &X_REQUEST_ID), || state.random.bits());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
    }
    headers.insert(X_REQUEST_ID.clone(), id.header());
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    cache_headers::write(headers, &served, served.entry.etag(), state.clock.now(), &state.settings);
    lookup::count(state, started, &Ok(served));
    Some(response)
}

/// The coding that the client likes best; none at all when it likes nothing that is kept ready.
fn negotiate(request: &ServiceRequest) -> Option<Option<Coding>> {
    if !request.headers().contains_key(ACCEPT_ENCODING) {
        return Some(None);
    }
    let liked = request.get_header::<AcceptEncoding>()?.negotiate(CODINGS.iter().map(|(encoding, _)| encoding))?;
    CODINGS.iter().find(|(encoding, _)| *encoding == liked).map(|(_, coding)| *coding)
}
