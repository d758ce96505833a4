//! `POST /api/v1/admin/warm` takes a list of processes in, to be loaded in the background; `GET` tells how the lists stand, and `DELETE`
//! stops one.

use std::collections::HashSet;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, Resource};
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::domain::cnj::Cnj;
use crate::domain::warm::{FailedItem, ListState, MOST_IN_A_LIST, PauseReason, WarmDetail, WarmList};
use crate::http::params::shown;
use crate::http::problem::{Kind, Problem, WrongEntry};
use crate::http::query::decode_segment;
use crate::http::routes::{momentary, request_id};
use crate::http::state::{HttpState, ListsAway};

/// Where lists are sent to.
pub const PATH: &str = "/api/v1/admin/warm";

/// Lists that are shown at the most.
const MOST_LISTS: usize = 50;
/// Processes that failed that are shown at the most, for each list.
const MOST_FAILED: usize = 100;
/// How long a client may take to send a list.
const SENDING: Duration = Duration::from_secs(30);
/// Storing the largest list is one statement; whoever waits longer waits for a database that hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// A database is rarely back sooner.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A place among the running lists is rarely free sooner.
const CROWDED_RETRY: Duration = Duration::from_secs(60);

/// What is sent.
#[derive(Deserialize)]
struct Wanted {
    cnjs: Vec<String>,
}

/// A list as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    state: ListState,
    detail: String,
    requested_at: String,
    ended_at: Option<String>,
    total: u64,
    duplicates: u64,
    waiting: u64,
    done: u64,
    known: u64,
    unknown: u64,
    failed: u64,
    cost_centavos: u64,
    paused_until: Option<String>,
    paused_reason: Option<PauseReason>,
}

/// The page of all lists.
pub(super) fn lists_page(path: &str) -> Resource {
    web::resource(path)
        .route(web::post().to(accept))
        .route(web::get().to(lists))
        .route(web::head().to(lists))
        .default_service(web::to(only_lists))
}

/// The page of one list.
pub(super) fn list_page(path: &str) -> Resource {
    web::resource(path)
        .route(web::get().to(list))
        .route(web::head().to(list))
        .route(web::delete().to(cancel))
        .default_service(web::to(only_a_list))
}

async fn only_lists(request: HttpRequest) -> HttpResponse {
    Problem::method_not_allowed("GET, HEAD, POST").respond(&request_id(&request))
}

async fn only_a_list(request: HttpRequest) -> HttpResponse {
    Problem::method_not_allowed("GET, HEAD, DELETE").respond(&request_id(&request))
}

async fn accept(request: HttpRequest, body: Payload, state: Data<HttpState>) -> HttpResponse {
    take_in(body, &state).await.unwrap_or_else(|problem| problem.respond(&request_id(&request)))
}

async fn take_in(body: Payload, state: &HttpState) -> Result<HttpResponse, Problem> {
    let body = whole(body, state.settings.max_list_body).await?;
    let (cnjs, duplicates) = processes(&body)?;
    let list = in_time(state, state.services.warm.accept(cnjs, duplicates)).await?.ok_or_else(|| {
        Problem::new(
            Kind::Overloaded,
            "Há listas demais em andamento; espere alguma terminar ou cancele uma, e envie esta de novo.",
        )
        .retry_after(CROWDED_RETRY)
    })?;
    let mut response = json(StatusCode::ACCEPTED, &show(&list))?;
    if let Ok(place) = HeaderValue::try_from(format!("{PATH}/{}", list.id)) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// Reads a body to its end, but not at any length nor for any time.
async fn whole(mut body: Payload, limit: usize) -> Result<Vec<u8>, Problem> {
    let unreadable = || Problem::new(Kind::InvalidParameter, "O corpo da requisição não pôde ser lido até o fim.");
    let mut read = Vec::new();
    let reading = async {
        while let Some(chunk) = body.next().await {
            read.extend_from_slice(&chunk.map_err(|_broken| unreadable())?);
            if read.len() > limit {
                return Err(Problem::payload_too_large(limit));
            }
        }
        Ok(())
    };
    timeout(SENDING, reading).await.map_err(|_late| unreadable())??;
    Ok(read)
}

/// The processes of a body, each once, and how many were named once more.
fn processes(body: &[u8]) -> Result<(Vec<Cnj>, usize), Problem> {
    let Ok(Wanted { cnjs }) = serde_json::from_slice(body) else {
        return Err(Problem::new(
            Kind::InvalidParameter,
            "O corpo deve ser um objeto JSON com a lista de números: {\"cnjs\": [\"NNNNNNN-DD.AAAA.J.TR.OOOO\", …]}.",
        ));
    };
    if cnjs.is_empty() || cnjs.len() > MOST_IN_A_LIST {
        let detail = format!("A lista \"cnjs\" tem {} números; envie de 1 a {MOST_IN_A_LIST}.", cnjs.len());
        return Err(Problem::new(Kind::InvalidParameter, detail));
    }
    let (mut right, mut wrong, mut seen) = (Vec::with_capacity(cnjs.len()), Vec::new(), HashSet::new());
    for (given, position) in cnjs.iter().zip(1..) {
        match Cnj::parse(given) {
            Ok(cnj) if seen.insert(cnj) => right.push(cnj),
            Ok(_known) => {}
            Err(error) => wrong.push(WrongEntry { position, given: shown(given), detail: error.detail_pt() }),
        }
    }
    if !wrong.is_empty() {
        let detail = format!(
            "Nada foi aceito, porque {} dos {} números não são números de processo; o campo \"wrong\" diz quais e por quê.",
            wrong.len(),
            cnjs.len()
        );
        return Err(Problem::new(Kind::InvalidCnj, detail).naming(wrong));
    }
    let duplicates = cnjs.len() - right.len();
    Ok((right, duplicates))
}

async fn lists(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    #[derive(Serialize)]
    struct Body<'a> {
        lists: Vec<Shown<'a>>,
    }
    let answer = async {
        let lists = in_time(&state, state.services.warm.latest(MOST_LISTS)).await?;
        json(StatusCode::OK, &Body { lists: lists.iter().map(show).collect() })
    };
    answer.await.unwrap_or_else(|problem| problem.respond(&request_id(&request)))
}

async fn list(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(flatten)]
        list: Shown<'a>,
        failures: &'a [FailedItem],
    }
    let answer = async {
        let read = in_time(&state, state.services.warm.read(id(&request)?, MOST_FAILED)).await?;
        let WarmDetail { list, failures } = read.ok_or_else(no_such_list)?;
        json(StatusCode::OK, &Body { list: show(&list), failures: &failures })
    };
    answer.await.unwrap_or_else(|problem| problem.respond(&request_id(&request)))
}

async fn cancel(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let list = in_time(&state, state.services.warm.cancel(id(&request)?)).await?.ok_or_else(no_such_list)?;
        json(StatusCode::OK, &show(&list))
    };
    answer.await.unwrap_or_else(|problem| problem.respond(&request_id(&request)))
}

/// The id in the address; what cannot be one is nobody's.
fn id(request: &HttpRequest) -> Result<String, Problem> {
    let id = decode_segment(request.match_info().get("id").unwrap_or_default()).into_owned();
    let is_one = id.len() == 16 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_one { Ok(id) } else { Err(no_such_list()) }
}

fn no_such_list() -> Problem {
    Problem::new(
        Kind::NotFound,
        "Não há lista com este identificador; as listas são guardadas por 30 dias depois de terminarem.",
    )
}

async fn in_time<T>(state: &HttpState, answer: impl Future<Output = Result<T, ListsAway>>) -> Result<T, Problem> {
    let answer = tokio::select! {
        answer = timeout(PATIENCE, answer) => answer.unwrap_or(Err(ListsAway)),
        () = state.closed() => Err(ListsAway),
    };
    Ok(answer?)
}

fn json(status: StatusCode, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "a list cannot be written");
        Problem::internal()
    })?;
    Ok(momentary(status, "application/json", body))
}

fn show(list: &WarmList) -> Shown<'_> {
    let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    Shown {
        id: &list.id,
        state: list.state,
        detail: detail_pt(list),
        requested_at: instant(list.requested_at),
        ended_at: list.ended_at.map(instant),
        total: list.total,
        duplicates: list.duplicates,
        waiting: list.waiting,
        done: list.done,
        known: list.known,
        unknown: list.unknown,
        failed: list.failed,
        cost_centavos: list.cost_centavos,
        paused_until: list.paused_until.map(instant),
        paused_reason: list.paused_reason,
    }
}

fn detail_pt(list: &WarmList) -> String {
    let pause = match list.paused_reason {
        None => "",
        Some(PauseReason::NoProvider) => " Está em pausa: nenhum fornecedor de dados está configurado.",
        Some(PauseReason::CreditsExhausted) => " Está em pausa: a conta no fornecedor está sem créditos.",
        Some(PauseReason::BudgetExhausted) => " Está em pausa: o limite de gastos deste serviço foi atingido.",
        Some(PauseReason::RateLimited) => " Está em pausa: o limite de consultas ao fornecedor foi atingido.",
        Some(PauseReason::UpstreamUnavailable) => " Está em pausa: o fornecedor está indisponível.",
        Some(PauseReason::UpstreamTimeout) => " Está em pausa: o fornecedor não responde a tempo.",
        Some(PauseReason::Overloaded) => " Está em pausa: o serviço está ocupado.",
    };
    let over = list.total.saturating_sub(list.waiting);
    match list.state {
        ListState::Running => format!("{over} de {} processos concluídos.{pause}", list.total),
        ListState::Done => format!("Todos os {} processos foram tratados.", list.total),
        ListState::Cancelled => format!("Cancelada com {over} de {} processos concluídos.", list.total),
    }
}

impl From<ListsAway> for Problem {
    fn from(_: ListsAway) -> Self {
        Self::new(
            Kind::Overloaded,
            "As listas não podem ser lidas nem alteradas agora, porque o banco de dados não responde; as que já foram aceitas \
             seguem quando ele voltar.",
        )
        .retry_after(RETRY_AFTER)
    }
}
