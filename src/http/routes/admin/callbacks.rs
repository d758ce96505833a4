//! `GET /api/v1/admin/callbacks`: the latest callbacks of the vendor and what became of them. `state` shows only those of one state,
//! `limit` (1 to 500) how many. Bodies are shown of malformed ones only, and only their beginning: the others hold what processes say.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use tokio::time::timeout;

use crate::domain::callback::{CallbackLine, CallbackReport, CallbackState};
use crate::http::params::{ParamError, once};
use crate::http::problem::Problem;
use crate::http::query::pairs;
use crate::http::routes::{momentary, request_id};
use crate::http::state::{CallbacksAway, HttpState};

/// A few reads over indexed columns; whoever waits longer waits for a database that hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// Callbacks that are shown unless asked for otherwise.
const USUAL: usize = 50;
/// Callbacks that are shown at the most: each may show 4 KiB of a malformed body.
const MOST: usize = 500;

#[derive(Serialize)]
struct Answer {
    summary: String,
    waiting: u64,
    failed: u64,
    malformed: u64,
    list_complete_until: Option<String>,
    list_next_at: Option<String>,
    callbacks: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    id: i64,
    received_at: String,
    last_received_at: String,
    deliveries: u32,
    event: String,
    cnj: Option<String>,
    state: String,
    outcome: Option<String>,
    attempts: u32,
    next_attempt_at: Option<String>,
    body_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

/// The page.
pub async fn page(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    match answer(&request, &state).await {
        Ok(response) => response,
        Err(problem) => problem.respond(&request_id(&request)),
    }
}

async fn answer(request: &HttpRequest, state: &HttpState) -> Result<HttpResponse, Problem> {
    let (wanted, most) = read(request.query_string())?;
    let report = tokio::select! {
        report = timeout(PATIENCE, state.callbacks.report(wanted, most)) => report.unwrap_or(Err(CallbacksAway)),
        () = state.closed() => Err(CallbacksAway),
    };
    let body = serde_json::to_vec(&Answer::of(report?)).map_err(|error| {
        tracing::error!(%error, "a report of callbacks cannot be written");
        Problem::internal()
    })?;
    Ok(momentary(StatusCode::OK, "application/json", body))
}

fn read(query: &str) -> Result<(Option<CallbackState>, usize), ParamError> {
    let (mut state, mut limit) = (None, None);
    for (name, value) in pairs(query) {
        match name.as_ref() {
            "state" => once("state", &mut state, value)?,
            "limit" => once("limit", &mut limit, value)?,
            unknown => return Err(ParamError::unknown(unknown, "\"state\" e \"limit\"")),
        }
    }
    let state = state.map(|given| {
        let words = CallbackState::ALL.map(CallbackState::as_str).join(", ");
        CallbackState::of_word(&given).ok_or_else(|| ParamError::value("state", &given, words))
    });
    let limit = limit.map(|given| {
        let number = given.parse().ok().filter(|limit| (1..=MOST).contains(limit));
        number.ok_or_else(|| ParamError::value("limit", &given, format!("um número de 1 a {MOST}")))
    });
    Ok((state.transpose()?, limit.transpose()?.unwrap_or(USUAL)))
}

impl Answer {
    fn of(report: CallbackReport) -> Self {
        let CallbackReport { waiting, failed, malformed, list_complete_until, list_next_at, callbacks } = report;
        let summary = format!(
            "{waiting} avisos do fornecedor esperam, {failed} não puderam ter efeito e {malformed} não puderam ser lidos."
        );
        Self {
            summary,
            waiting,
            failed,
            malformed,
            list_complete_until: list_complete_until.map(instant),
            list_next_at: list_next_at.map(instant),
            callbacks: callbacks.into_iter().map(Line::of).collect(),
        }
    }
}

impl Line {
    fn of(line: CallbackLine) -> Self {
        Self {
            id: line.id,
            received_at: instant(line.received_at),
            last_received_at: instant(line.last_received_at),
            deliveries: line.deliveries,
            event: line.event,
            cnj: line.cnj,
            state: line.state,
            outcome: line.outcome,
            attempts: line.attempts,
            next_attempt_at: line.next_attempt_at.map(instant),
            body_bytes: line.body_bytes,
            body: line.body.map(|body| String::from_utf8_lossy(&body).into_owned()),
        }
    }
}

/// As every instant that this service shows.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
