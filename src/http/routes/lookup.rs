//! What the two reads share: from a request to what was served, and from what was served to an answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, IF_NONE_MATCH, PRAGMA};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use crate::coordinator::messages::{Lookup, LookupError, Served};
use crate::coordinator::trail::Tier;
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::codec::CodecError;
use crate::domain::entry::{Entry, weak_etag};
use crate::domain::render;
use crate::domain::served::{Freshness, ServedFrom};
use crate::domain::snapshot::{Provider, Snapshot};
use crate::http::boundary::CacheSource;
use crate::http::problem::{Kind, Problem};
use crate::http::query::decode_segment;
use crate::http::routes::with_body;
use crate::http::state::HttpState;
use crate::http::{cache_headers, directives};
use crate::ledger::avoided::AvoidedBy;
use crate::resilience::deadline::Deadline;

/// Whoever answers lookups keeps their deadline; this is what they may be late before we answer instead.
const GRACE: Duration = Duration::from_millis(250);

/// Unpacked bytes of a process that is decoded on the worker. Decoding and classifying what is larger takes longer than a
/// millisecond or two, in which the worker's other readers would wait.
const RENDERED_IN_PLACE: usize = 96 * 1024;

/// A rendered answer and the validator that names its content.
#[derive(Debug)]
pub struct Rendered {
    /// The body.
    pub body: Bytes,
    /// Its weak validator.
    pub etag: String,
}

/// Asks for the process that the address names, and counts what came of it.
///
/// # Errors
/// The problem that stands in the way: a wrong number, no copy, a sealed process.
pub async fn ask(request: &HttpRequest, state: &HttpState, force_refresh: bool) -> Result<Served, Problem> {
    let segment = request.match_info().get("cnj").unwrap_or_default();
    let cnj = Cnj::parse(&decode_segment(segment))?;
    let demand = directives::demand(lines(request, &CACHE_CONTROL), lines(request, &PRAGMA), force_refresh);
    let started = state.clock.monotonic();
    let deadline = Deadline::after(started, state.settings.lookup_deadline);
    let lookup = Lookup { cnj, demand, caller: Caller::Anonymous, deadline, allowance: None };
    let late = tokio::time::Instant::from_std(Deadline::after(deadline.instant(), GRACE).instant());
    let answer = tokio::select! {
        biased;
        answer = tokio::time::timeout_at(late, state.lookups.lookup(lookup)) => answer.ok(),
        () = state.closed() => None,
    };
    let answer = answer.unwrap_or(Err(LookupError::Recovering { retry_after: Duration::from_secs(1) }));
    let answer = answer.map_err(Problem::from).and_then(refuse_sealed);
    count(state, started, &answer);
    answer
}

/// Whoever calls without a key sees nothing sealed, not even that a copy changed.
fn refuse_sealed(served: Served) -> Result<Served, Problem> {
    if served.entry.header().sealed { Err(Problem::sealed()) } else { Ok(served) }
}

/// Counts what came of a lookup.
pub fn count(state: &HttpState, started: Instant, answer: &Result<Served, Problem>) {
    let took = state.clock.monotonic().saturating_duration_since(started);
    match answer {
        Err(problem) => state.metrics.count_lookup("none", problem.kind().row().slug, took),
        Ok(served) => {
            let outcome = match served.freshness {
                Freshness::Fresh => "fresh",
                Freshness::Stale(None) => "stale",
                Freshness::Stale(Some(reason)) => reason.as_str(),
            };
            state.metrics.count_lookup(served.from.as_str(), outcome, took);
            let age = Duration::from_secs(cache_headers::age(served, state.clock.now()));
            state.metrics.served_age_seconds.observe(age.as_secs_f64());
            if served.collapsed || served.trail.visits().all(|visit| visit.tier != Tier::Upstream) {
                state.metrics.calls_avoided.inc();
            }
            if let Some(by) = avoided(served) {
                state.metrics.avoided(by).lookups.inc();
            }
        }
    }
}

/// Who spared this lookup a purchase; nobody, if it bought, or if all it got is stale: then nothing could be bought, or the
/// reader wanted nothing bought, or it is bought behind the reader.
fn avoided(served: &Served) -> Option<AvoidedBy> {
    if served.freshness != Freshness::Fresh || served.cost_centavos > 0 {
        return None;
    }
    if served.entry.header().provider == Provider::Datajud {
        // It would be had for free again.
        return None;
    }
    match served.from {
        ServedFrom::Memory => Some(AvoidedBy::Memory),
        ServedFrom::Redis => Some(AvoidedBy::Redis),
        ServedFrom::Database => Some(AvoidedBy::Database),
        ServedFrom::Api if served.collapsed => Some(AvoidedBy::Coalesced),
        ServedFrom::Api => Some(AvoidedBy::Confirmed),
        ServedFrom::DatabaseFallback => None,
    }
}

/// Renders something other than the default answer, beside the worker if the process is large.
///
/// # Errors
/// `overloaded` when too many large processes are being rendered, `internal` when the copy does not decode.
pub async fn render(
    state: &HttpState,
    served: &Served,
    head: impl FnOnce(&Snapshot) -> Bytes + Send + 'static,
) -> Result<Rendered, Problem> {
    let entry = Arc::clone(&served.entry);
    let (from, freshness) = (served.from, served.freshness);
    let work = move || -> Result<Rendered, CodecError> {
        let head = head(&*entry.snapshot()?);
        Ok(Rendered { body: render::body(&head, entry.header(), from, freshness), etag: weak_etag(&head) })
    };
    let rendered = if is_small(&served.entry) {
        work()
    } else {
        let Ok(permit) = Arc::clone(&state.renders).try_acquire_owned() else {
            return Err(LookupError::Overloaded { retry_after: Duration::from_secs(1) }.into());
        };
        let beside = web::block(move || {
            let _held_until_rendered = permit;
            work()
        });
        beside.await.map_err(|_cancelled| Problem::internal())?
    };
    rendered.map_err(|error| {
        tracing::error!(
            source = served.from.as_str(),
            cause = error.as_str(),
            "a copy with a right checksum does not decode"
        );
        state.metrics.count_corrupt(cache_headers::tier_of(served.from).as_str(), error.as_str());
        Problem::new(
            Kind::Internal,
            "A cópia guardada deste processo não pôde ser lida; repita com force_refresh=true.",
        )
    })
}

fn is_small(entry: &Entry) -> bool {
    entry.envelope().unpacked_len() <= RENDERED_IN_PLACE
}

/// The answer: 304 if the reader holds it already, the body otherwise, with the same headers.
pub fn respond(
    request: &HttpRequest,
    state: &HttpState,
    served: &Served,
    etag: &str,
    body: impl FnOnce() -> Bytes,
) -> HttpResponse {
    let mut response = if directives::none_match_names(lines(request, &IF_NONE_MATCH), etag) {
        HttpResponse::with_body(StatusCode::NOT_MODIFIED, BoxBody::new(()))
    } else {
        with_body(StatusCode::OK, "application/json", body())
    };
    cache_headers::write(response.headers_mut(), served, etag, state.clock.now(), &state.settings);
    if tracing::enabled!(tracing::Level::DEBUG) {
        response.extensions_mut().insert(CacheSource(served.from.as_str()));
    }
    response
}

fn lines<'a>(request: &'a HttpRequest, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    request.headers().get_all(name).map(HeaderValue::as_bytes)
}
