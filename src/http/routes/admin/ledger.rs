//! `GET /api/v1/admin/ledger`: what was spent, on what, and what it would have cost without the cache.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use tokio::time::timeout;

use crate::http::days;
use crate::http::problem::{Kind, Problem};
use crate::http::routes::{momentary, request_id};
use crate::http::state::{BooksAway, HttpState};
use crate::ledger::report::LedgerReport;
use crate::ledger::words::{self, CURRENCY, TIMEZONE};

/// A report over a year of calls is a few sums over one indexed table; whoever waits longer waits for a database that hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// A database is rarely back sooner.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Answer<'a> {
    summary: String,
    timezone: &'static str,
    currency: &'static str,
    #[serde(flatten)]
    report: &'a LedgerReport,
}

/// The page.
pub async fn page(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    match answer(&request, &state).await {
        Ok(response) => response,
        Err(problem) => problem.respond(&request_id(&request)),
    }
}

async fn answer(request: &HttpRequest, state: &HttpState) -> Result<HttpResponse, Problem> {
    let days = days::read(request.query_string())?;
    let report = tokio::select! {
        report = timeout(PATIENCE, state.services.books.report(days)) => report.unwrap_or(Err(BooksAway)),
        () = state.closed() => Err(BooksAway),
    };
    let report = report?;
    let answer = Answer { summary: words::summary(&report), timezone: TIMEZONE, currency: CURRENCY, report: &report };
    let body = serde_json::to_vec(&answer).map_err(|error| {
        tracing::error!(%error, "a ledger report cannot be written");
        Problem::internal()
    })?;
    Ok(momentary(StatusCode::OK, "application/json", body))
}

impl From<BooksAway> for Problem {
    fn from(_: BooksAway) -> Self {
        Self::new(
            Kind::Overloaded,
            "O livro de gastos não pode ser lido agora, porque o banco de dados não responde; nada se perde: o que é gasto \
             continua anotado em disco e entra no livro quando ele voltar.",
        )
        .retry_after(RETRY_AFTER)
    }
}
