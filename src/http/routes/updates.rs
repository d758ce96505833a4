//! `POST /api/v1/process-updates/{cnj}/request` and `GET /api/v1/process-updates/{cnj}/status`: asks the court for news through the
//! vendor, and how that stands.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, Resource};
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::StreamExt;
use serde::Serialize;

use super::{momentary, request_id};
use crate::domain::cnj::Cnj;
use crate::domain::update::{Stage, UpdateRecord};
use crate::fetcher::messages::FetchError;
use crate::http::cache_headers::X_JUSCACHE_COST;
use crate::http::problem::{Kind, Problem, upstream};
use crate::http::query::decode_segment;
use crate::http::state::HttpState;
use crate::resilience::Deadline;
use crate::updates::messages::{Standing, UpdateError};

/// Whoever answers keeps its deadline; this is what it may be late before we answer instead.
const GRACE: Duration = Duration::from_millis(250);

/// The least that a caller is told to wait before asking again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The body of both answers.
#[derive(Serialize)]
struct Body {
    cnj: String,
    state: &'static str,
    vendor_id: Option<i64>,
    requested_at: Option<String>,
    concluded_at: Option<String>,
    next_check_at: Option<String>,
    adopted: bool,
    cost_centavos: u64,
    detail: &'static str,
}

/// The page that asks; it takes POST only.
pub(super) fn request_page(path: &str) -> Resource {
    web::resource(path).route(web::post().to(request)).default_service(web::to(only_posts))
}

pub(super) async fn only_posts(request: HttpRequest) -> HttpResponse {
    Problem::method_not_allowed("POST").respond(&request_id(&request))
}

async fn request(request: HttpRequest, body: Payload, state: Data<HttpState>) -> HttpResponse {
    ask(&request, body, &state).await.unwrap_or_else(|problem| problem.respond(&request_id(&request)))
}

async fn ask(request: &HttpRequest, body: Payload, state: &HttpState) -> Result<HttpResponse, Problem> {
    let cnj = number(request)?;
    let deadline = deadline(state);
    pass_over(body, state.settings.max_body, deadline).await?;
    let standing = in_time(state, deadline, state.services.court.ask(cnj, deadline)).await?;
    let mut response = answer(StatusCode::ACCEPTED, &standing);
    let place = format!("/api/v1/process-updates/{}/status", cnj.masked());
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// How the last request stands.
pub async fn status(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let standing = async {
        let cnj = number(&request)?;
        let deadline = deadline(&state);
        in_time(&state, deadline, state.services.court.status(cnj, deadline)).await
    };
    match standing.await {
        Ok(standing) => answer(StatusCode::OK, &standing),
        Err(problem) => problem.respond(&request_id(&request)),
    }
}

fn number(request: &HttpRequest) -> Result<Cnj, Problem> {
    let segment = request.match_info().get("cnj").unwrap_or_default();
    Ok(Cnj::parse(&decode_segment(segment))?)
}

fn deadline(state: &HttpState) -> Deadline {
    Deadline::after(state.clock.monotonic(), state.settings.lookup_deadline)
}

/// Reads a body and forgets it: it means nothing here, but its end must be found, and not at any length.
pub(super) async fn pass_over(mut body: Payload, limit: usize, deadline: Deadline) -> Result<(), Problem> {
    let unreadable = || Problem::new(Kind::InvalidParameter, "O corpo da requisição não pôde ser lido até o fim.");
    let mut read = 0_usize;
    loop {
        let next = tokio::time::timeout_at(deadline.instant().into(), body.next()).await;
        match next.map_err(|_late| unreadable())? {
            None => return Ok(()),
            Some(chunk) => read = read.saturating_add(chunk.map_err(|_broken| unreadable())?.len()),
        }
        if read > limit {
            return Err(Problem::payload_too_large(limit));
        }
    }
}

async fn in_time(
    state: &HttpState,
    deadline: Deadline,
    standing: impl Future<Output = Result<Standing, UpdateError>>,
) -> Result<Standing, Problem> {
    let late = tokio::time::Instant::from_std(Deadline::after(deadline.instant(), GRACE).instant());
    let standing = tokio::select! {
        biased;
        standing = tokio::time::timeout_at(late, standing) => standing.ok(),
        () = state.closed() => None,
    };
    Ok(standing.unwrap_or(Err(UpdateError::Recovering { retry_after: RETRY_AFTER }))?)
}

fn answer(status: StatusCode, standing: &Standing) -> HttpResponse {
    let record = standing.record.as_ref();
    let body = Body {
        cnj: standing.cnj.masked(),
        state: standing.word(),
        vendor_id: record.and_then(|record| record.vendor_id),
        requested_at: record.map(|record| instant(record.requested_at)),
        concluded_at: record.and_then(|record| record.concluded_at).map(instant),
        next_check_at: record.and_then(|record| record.next_check_at).map(instant),
        adopted: standing.adopted,
        cost_centavos: record.map_or(0, |record| record.cost_centavos),
        detail: detail_pt(record),
    };
    let mut response = momentary(status, "application/json", serde_json::to_vec(&body).unwrap_or_default());
    response.headers_mut().insert(X_JUSCACHE_COST.clone(), HeaderValue::from(standing.spent_centavos));
    response
}

/// As every instant that this service shows.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn detail_pt(record: Option<&UpdateRecord>) -> &'static str {
    let Some(record) = record else {
        return "Nenhum pedido de atualização deste processo é conhecido.";
    };
    let confirmed = record.vendor_id.is_some();
    match record.stage {
        Stage::Asked => "O pedido está sendo enviado ao fornecedor.",
        Stage::Uncertain => {
            "O fornecedor não confirmou o pedido; a situação está sendo verificada e nada é pedido de novo enquanto isso."
        }
        Stage::Open => "O fornecedor está consultando o tribunal, o que costuma levar de meia hora a quatro horas.",
        Stage::Refreshing => "O fornecedor consultou o tribunal; a cópia do processo está sendo renovada.",
        Stage::Succeeded => "O tribunal foi consultado e a cópia do processo foi renovada.",
        Stage::NotFound if confirmed => {
            "O tribunal não mostrou este processo ao fornecedor: ele pode ser físico, sigiloso ou estar arquivado."
        }
        Stage::NotFound => "O fornecedor não conhece nenhum processo com este número; confira-o.",
        Stage::Failed if confirmed => {
            "O fornecedor não conseguiu consultar o tribunal; o pedido pode ser feito de novo."
        }
        Stage::Failed => "O pedido não foi aceito pelo fornecedor; pode ser feito de novo.",
        Stage::Expired if record.learned_at.is_some() => {
            "O tribunal foi consultado, mas a cópia não pôde ser renovada; consulte o processo com force_refresh=true."
        }
        Stage::Expired => {
            "O fornecedor não concluiu o pedido a tempo; ele não é mais acompanhado e pode ser feito de novo."
        }
    }
}

impl From<UpdateError> for Problem {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Unknown { cost_centavos } => {
                Self::new(Kind::UnknownProcess, "O fornecedor não conhece nenhum processo com este número; confira-o.")
                    .spent(cost_centavos)
            }
            UpdateError::Vendor(FetchError { failure, retry_after, cost_centavos }) => {
                let (kind, _about_copies) = upstream(failure);
                let detail = match kind {
                    Kind::CreditsExhausted => {
                        "A conta no fornecedor está sem créditos e nada foi pedido; avise quem administra o serviço."
                    }
                    Kind::BudgetExhausted => {
                        "O limite de gastos deste serviço foi atingido e nada foi pedido; avise quem o administra."
                    }
                    _ => "O fornecedor não pôde receber o pedido agora; repita depois do tempo indicado em Retry-After.",
                };
                let wait = retry_after.unwrap_or_default().max(RETRY_AFTER);
                Self::new(kind, detail).retry_after(wait).spent(cost_centavos)
            }
            UpdateError::Overloaded { retry_after } => {
                Self::new(Kind::Overloaded, "Há pedidos demais em espera; repita depois do tempo indicado em Retry-After.")
                    .retry_after(retry_after)
            }
            UpdateError::Recovering { retry_after } => Self::new(
                Kind::Overloaded,
                "O serviço não respondeu a tempo; o que já foi pedido segue adiante, e repetir depois não pede outra vez.",
            )
            .retry_after(retry_after),
        }
    }
}
