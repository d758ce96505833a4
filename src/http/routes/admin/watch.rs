//! `/api/v1/admin/watch`: which processes are watched, and whether a monitor of the vendor's would pay for them.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, Resource};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::timeout;

use crate::domain::cnj::Cnj;
use crate::domain::watch::Monitor;
use crate::http::problem::{Kind, Problem};
use crate::http::query::{decode_segment, pairs};
use crate::http::routes::{momentary, request_id};
use crate::http::state::HttpState;
use crate::ledger::words::CURRENCY;
use crate::postgres_tier::watch::messages::Note;
use crate::watch::report::{self, Total, Verdict};
use crate::watch::{Line, WatchAway};

/// A page of the list reads a month of calls of each process through an index; longer is a database that hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// A database is rarely back sooner.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// As the table has it.
const LONGEST_NOTE: usize = 500;

/// Processes on one page of the list.
const USUAL_LIMIT: u32 = 100;
const LARGEST_LIMIT: u32 = 1_000;

#[derive(Serialize)]
struct Answer<'a> {
    cnj: String,
    watched_since: String,
    note: Option<&'a str>,
    stored: bool,
    fetched_at: Option<String>,
    change_rate: Option<f64>,
    requests_30_days: u64,
    spent_30_days_centavos: u64,
    monitor: Option<MonitorAnswer>,
    report: &'a Verdict,
}

#[derive(Serialize)]
struct MonitorAnswer {
    id: Option<i64>,
    state: &'static str,
    frequency: &'static str,
    next_try_at: Option<String>,
}

#[derive(Serialize)]
struct List<'a> {
    /// About the processes of this page.
    report: Total,
    currency: &'static str,
    watches: Vec<Answer<'a>>,
    /// What `after` is set to for the next page; null on the last.
    next_after: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default, deserialize_with = "given")]
    note: Option<Option<String>>,
}

/// Tells a null from a field that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// The list.
pub async fn list(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    shown(&request, show_list(&request, &state).await)
}

/// The page of one process.
pub(super) fn one(path: &str) -> Resource {
    let read =
        |context: &actix_web::guard::GuardContext<'_>| matches!(context.head().method, Method::GET | Method::HEAD);
    web::resource(path)
        .route(web::route().guard(actix_web::guard::fn_guard(read)).to(show))
        .route(web::put().to(put))
        .route(web::delete().to(remove))
        .default_service(web::to(other_methods))
}

async fn other_methods(request: HttpRequest) -> HttpResponse {
    Problem::method_not_allowed("GET, HEAD, PUT, DELETE").respond(&request_id(&request))
}

async fn show(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let cnj = number(&request)?;
        let line = in_time(&state, state.watches.read(cnj)).await?;
        let line = line.ok_or_else(|| Problem::new(Kind::NotFound, "Este processo não está sendo vigiado."))?;
        written(StatusCode::OK, &told(&line))
    };
    shown(&request, answer.await)
}

async fn put(request: HttpRequest, body: Bytes, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let cnj = number(&request)?;
        let note = note(&body, state.settings.max_body)?;
        let (line, created) = in_time(&state, state.watches.put(cnj, note)).await?;
        written(if created { StatusCode::CREATED } else { StatusCode::OK }, &told(&line))
    };
    shown(&request, answer.await)
}

async fn remove(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let cnj = number(&request)?;
        // Whoever asks twice has what was wanted.
        let _was_watched = in_time(&state, state.watches.remove(cnj)).await?;
        Ok(HttpResponse::NoContent().finish())
    };
    shown(&request, answer.await)
}

async fn show_list(request: &HttpRequest, state: &HttpState) -> Result<HttpResponse, Problem> {
    let (mut after, mut limit) = (None, USUAL_LIMIT);
    for (name, value) in pairs(request.query_string()) {
        match name.as_ref() {
            "after" => after = Some(Cnj::parse(&value)?),
            "limit" => {
                limit = value.parse().ok().filter(|limit| (1..=LARGEST_LIMIT).contains(limit)).ok_or_else(|| {
                    let detail = format!("O parâmetro `limit` deve ser um número inteiro de 1 a {LARGEST_LIMIT}.");
                    Problem::new(Kind::InvalidParameter, detail)
                })?;
            }
            _ => {
                let detail = "Esta página aceita apenas os parâmetros `after` e `limit`.";
                return Err(Problem::new(Kind::InvalidParameter, detail));
            }
        }
    }
    let lines = in_time(state, state.watches.list(after, limit)).await?;
    let full = usize::try_from(limit).is_ok_and(|limit| lines.len() >= limit);
    let list = List {
        report: report::total(lines.iter().map(|line| &line.verdict)),
        currency: CURRENCY,
        watches: lines.iter().map(told).collect(),
        next_after: lines.last().filter(|_| full).map(|line| line.process.watch.cnj.masked()),
    };
    written(StatusCode::OK, &list)
}

fn shown(request: &HttpRequest, answer: Result<HttpResponse, Problem>) -> HttpResponse {
    answer.unwrap_or_else(|problem| problem.respond(&request_id(request)))
}

fn number(request: &HttpRequest) -> Result<Cnj, Problem> {
    Ok(Cnj::parse(&decode_segment(request.match_info().get("cnj").unwrap_or_default()))?)
}

/// What a body wants of the note; an empty body wants nothing.
fn note(body: &[u8], limit: usize) -> Result<Note, Problem> {
    if body.len() > limit {
        return Err(Problem::payload_too_large(limit));
    }
    if body.trim_ascii().is_empty() {
        return Ok(Note::Keep);
    }
    let wrong = |detail: &'static str| Problem::new(Kind::InvalidParameter, detail);
    // By way of an object, because a list would be taken for the fields in their order.
    let wish: Wish = serde_json::from_slice(body)
        .and_then(|object: serde_json::Map<_, _>| serde_json::from_value(object.into()))
        .map_err(|_error| wrong("O corpo deve ser um objeto JSON com, no máximo, o campo `note` (texto ou null)."))?;
    let Some(note) = wish.note else {
        return Ok(Note::Keep);
    };
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    if note.as_deref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(wrong("O campo `note` pode ter no máximo 500 caracteres."));
    }
    if note.as_deref().is_some_and(|note| note.chars().any(|one| one.is_control() && one != '\n' && one != '\t')) {
        return Err(wrong("O campo `note` não pode conter caracteres de controle."));
    }
    Ok(Note::Set(note))
}

async fn in_time<T>(state: &HttpState, answer: impl Future<Output = Result<T, WatchAway>>) -> Result<T, Problem> {
    let answer = tokio::select! {
        answer = timeout(PATIENCE, answer) => answer.unwrap_or(Err(WatchAway)),
        () = state.closed() => Err(WatchAway),
    };
    Ok(answer?)
}

fn told(line: &Line) -> Answer<'_> {
    let process = &line.process;
    Answer {
        cnj: process.watch.cnj.masked(),
        watched_since: moment(process.watch.since),
        note: process.watch.note.as_deref(),
        stored: process.copy.is_some(),
        fetched_at: process.copy.map(|copy| moment(copy.fetched_at)),
        change_rate: process.copy.and_then(|copy| copy.change_rate),
        requests_30_days: process.requests,
        spent_30_days_centavos: process.spent_centavos,
        monitor: process.watch.monitor.map(monitor),
        report: &line.verdict,
    }
}

fn monitor(monitor: Monitor) -> MonitorAnswer {
    let Monitor { id, state, frequency, next_try_at } = monitor;
    MonitorAnswer { id, state: state.as_str(), frequency: frequency.as_str(), next_try_at: next_try_at.map(moment) }
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn written(status: StatusCode, answer: &impl Serialize) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(answer).map_err(|error| {
        tracing::error!(%error, "what is watched cannot be written");
        Problem::internal()
    })?;
    Ok(momentary(status, "application/json", body))
}

impl From<WatchAway> for Problem {
    fn from(_: WatchAway) -> Self {
        Self::new(
            Kind::Overloaded,
            "A lista dos processos vigiados não pode ser lida nem alterada agora, porque o banco de dados não responde; \
             tente de novo em instantes.",
        )
        .retry_after(RETRY_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_may_say_a_note_and_nothing_else() {
        let set = |text: &str| Note::Set(Some(text.to_owned()));
        for (body, expected) in [
            ("", Note::Keep),
            (" \n", Note::Keep),
            ("{}", Note::Keep),
            (r#"{"note":null}"#, Note::Set(None)),
            (r#"{"note":"  "}"#, Note::Set(None)),
            (r#"{"note":" cliente A "}"#, set("cliente A")),
            (r#"{"note":"a\nb"}"#, set("a\nb")),
        ] {
            assert_eq!(note(body.as_bytes(), 1_000).ok(), Some(expected), "{body}");
        }
        let long = format!(r#"{{"note":"{}"}}"#, "é".repeat(501));
        for body in ["[", "[]", "1", r#"{"note":1}"#, r#"{"nota":"x"}"#, r#"{"note":"\u0000"}"#, &long] {
            assert_eq!(note(body.as_bytes(), 2_000).unwrap_err().kind(), Kind::InvalidParameter, "{body}");
        }
        assert_eq!(note(long.as_bytes(), 100).unwrap_err().kind(), Kind::PayloadTooLarge);
    }
}
