//! `/api/v1/admin/webhooks`: who is told by webhook what is new, and what could not be delivered.

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::domain::cnj::Cnj;
use crate::http::params::{ParamError, once};
use crate::http::problem::{Kind, Problem};
use crate::http::query::pairs;
use crate::http::routes::{momentary, request_id};
use crate::http::state::HttpState;
use crate::notifier::desk::DeskError;
use crate::notifier::target::{LONGEST_URL, TargetError};
use crate::postgres_tier::webhooks::messages::{DeadDelivery, Subscriber};

/// What the database may take, and a name's lookup before it; whoever waits longer waits for something that hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// A database is rarely back sooner.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Dead deliveries of one answer, unless asked otherwise, and at the most.
const PAGE: usize = 50;
/// See [`PAGE`].
const LONGEST_PAGE: usize = 500;

/// What a new subscriber is made of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    url: String,
    #[serde(default)]
    cnj: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    url: &'a str,
    cnj: Option<&'a str>,
    state: &'a str,
    created_at: String,
    pending: u64,
    dead: u64,
    failures: u32,
    held_until: Option<String>,
    last_success_at: Option<String>,
    last_failure_at: Option<String>,
    last_error: Option<&'a str>,
}

#[derive(Serialize)]
struct DeadLine<'a> {
    id: String,
    webhook: &'a str,
    url: &'a str,
    event_id: String,
    cnj: &'a str,
    attempts: u32,
    last_status: Option<u16>,
    last_error: Option<&'a str>,
    created_at: String,
}

/// Adds the pages, the more exact ones first.
pub(super) fn mount(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/webhooks")
                .route(web::get().to(list))
                .route(web::head().to(list))
                .route(web::post().to(create))
                .default_service(web::to(async |request| only("GET, HEAD, POST", &request))),
        )
        .service(
            web::resource("/webhooks/dead")
                .route(web::get().to(dead))
                .route(web::head().to(dead))
                .default_service(web::to(async |request| only("GET, HEAD", &request))),
        )
        .service(
            web::resource("/webhooks/dead/{id}/replay")
                .route(web::post().to(replay))
                .default_service(web::to(async |request| only("POST", &request))),
        )
        .service(
            web::resource("/webhooks/{id}")
                .route(web::delete().to(remove))
                .default_service(web::to(async |request| only("DELETE", &request))),
        );
}

fn only(methods: &'static str, request: &HttpRequest) -> HttpResponse {
    Problem::method_not_allowed(methods).respond(&request_id(request))
}

fn reply(request: &HttpRequest, answer: Result<HttpResponse, Problem>) -> HttpResponse {
    answer.unwrap_or_else(|problem| problem.respond(&request_id(request)))
}

fn json(status: StatusCode, body: &serde_json::Value) -> HttpResponse {
    momentary(status, "application/json", body.to_string())
}

async fn create(request: HttpRequest, body: Payload, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let Wanted { url, cnj } = wanted(&read(body, state.settings.max_body).await?)?;
        let cnj = cnj.map(|cnj| Cnj::parse(&cnj)).transpose()?;
        let made = in_time(&state, state.webhooks.add(url, cnj)).await?;
        let body = serde_json::json!({
            "id": made.id,
            "url": made.url,
            "cnj": cnj.map(|cnj| cnj.masked()),
            "state": "active",
            "created_at": instant(made.created_at),
            "secret": made.secret.expose_secret(),
            "detail": "Guarde o segredo agora: ele assina as mensagens (Standard Webhooks) e não será mostrado de novo.",
        });
        Ok(json(StatusCode::CREATED, &body))
    };
    reply(&request, answer.await)
}

async fn list(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let subscribers = in_time(&state, state.webhooks.list()).await?;
        let lines: Vec<_> = subscribers.iter().map(line).collect();
        Ok(json(StatusCode::OK, &serde_json::json!({ "webhooks": lines })))
    };
    reply(&request, answer.await)
}

async fn remove(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let id = request.match_info().get("id").unwrap_or_default().to_owned();
    let removed = in_time(&state, state.webhooks.remove(id)).await;
    reply(&request, removed.map(|()| HttpResponse::with_body(StatusCode::NO_CONTENT, BoxBody::new(()))))
}

async fn dead(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let (before, most) = page(request.query_string())?;
        let found = in_time(&state, state.webhooks.dead(before, most)).await?;
        let next = found.last().filter(|_| found.len() >= most).map(|last| last.id.to_string());
        let lines: Vec<_> = found.iter().map(dead_line).collect();
        Ok(json(StatusCode::OK, &serde_json::json!({ "deliveries": lines, "next_cursor": next })))
    };
    reply(&request, answer.await)
}

async fn replay(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let given = request.match_info().get("id").unwrap_or_default();
        let id = digits(given).ok_or_else(Problem::not_found)?;
        in_time(&state, state.webhooks.replay(id)).await?;
        Ok(json(StatusCode::ACCEPTED, &serde_json::json!({ "id": id.to_string(), "state": "pending" })))
    };
    reply(&request, answer.await)
}

async fn in_time<T>(state: &HttpState, work: impl Future<Output = Result<T, DeskError>>) -> Result<T, Problem> {
    let late = || Problem::from(DeskError::Away(crate::postgres_tier::messages::PostgresError::TimedOut));
    tokio::select! {
        biased;
        done = timeout(PATIENCE, work) => Ok(done.map_err(|_elapsed| late())??),
        () = state.closed() => Err(late()),
    }
}

/// A body of bounded size, read in bounded time.
async fn read(mut body: Payload, limit: usize) -> Result<Vec<u8>, Problem> {
    let unreadable = || Problem::new(Kind::InvalidParameter, "O corpo da requisição não pôde ser lido até o fim.");
    let whole = async {
        let mut read = Vec::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_broken| unreadable())?;
            if read.len().saturating_add(chunk.len()) > limit {
                return Err(Problem::payload_too_large(limit));
            }
            read.extend_from_slice(&chunk);
        }
        Ok(read)
    };
    timeout(PATIENCE, whole).await.map_err(|_late| unreadable())?
}

fn wanted(body: &[u8]) -> Result<Wanted, Problem> {
    serde_json::from_slice(body).map_err(|_not_that| {
        Problem::new(
            Kind::InvalidParameter,
            "O corpo deve ser um objeto JSON com \"url\" e, se quiser um só processo, \"cnj\": \
             {\"url\": \"https://exemplo.com.br/avisos\", \"cnj\": \"0000001-39.2024.8.26.0100\"}.",
        )
    })
}

fn page(query: &str) -> Result<(Option<i64>, usize), ParamError> {
    let [mut limit, mut cursor] = [const { None }; 2];
    for (name, value) in pairs(query) {
        match name.as_ref() {
            "limit" => once("limit", &mut limit, value)?,
            "cursor" => once("cursor", &mut cursor, value)?,
            unknown => return Err(ParamError::unknown(unknown, "\"limit\" ou \"cursor\"")),
        }
    }
    let before = cursor
        .map(|given| {
            digits(&given).ok_or_else(|| {
                ParamError::value("cursor", &given, "o valor de \"next_cursor\" como veio na resposta anterior")
            })
        })
        .transpose()?;
    let most = limit.map_or(Ok(PAGE), |given| {
        let number = digits(&given).and_then(|number| usize::try_from(number).ok());
        number
            .filter(|most| (1..=LONGEST_PAGE).contains(most))
            .ok_or_else(|| ParamError::value("limit", &given, format!("um número inteiro de 1 a {LONGEST_PAGE}")))
    })?;
    Ok((before, most))
}

fn digits(given: &str) -> Option<i64> {
    let is_number = !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| given.parse().ok()).flatten()
}

/// As every instant that this service shows.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn line(subscriber: &Subscriber) -> Line<'_> {
    Line {
        id: &subscriber.id,
        url: &subscriber.url,
        cnj: subscriber.cnj.as_deref(),
        state: &subscriber.state,
        created_at: instant(subscriber.created_at),
        pending: subscriber.pending,
        dead: subscriber.dead,
        failures: subscriber.failures,
        held_until: subscriber.held_until.map(instant),
        last_success_at: subscriber.last_success_at.map(instant),
        last_failure_at: subscriber.last_failure_at.map(instant),
        last_error: subscriber.last_error.as_deref(),
    }
}

fn dead_line(delivery: &DeadDelivery) -> DeadLine<'_> {
    DeadLine {
        id: delivery.id.to_string(),
        webhook: &delivery.subscriber,
        url: &delivery.url,
        event_id: delivery.event_id.to_string(),
        cnj: &delivery.cnj,
        attempts: delivery.attempts,
        last_status: delivery.last_status,
        last_error: delivery.last_error.as_deref(),
        created_at: instant(delivery.created_at),
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Target(error) => Self::new(Kind::InvalidParameter, target_pt(error)),
            DeskError::Full => Self::new(
                Kind::InvalidParameter,
                "Há assinantes demais; apague um que não use mais (DELETE /api/v1/admin/webhooks/{id}) e repita.",
            ),
            DeskError::Unknown => Self::not_found(),
            DeskError::Away(_) => Self::new(
                Kind::Overloaded,
                "O banco de dados não responde agora e nada foi alterado com certeza; confira a lista e repita depois do tempo \
                 indicado em Retry-After.",
            )
            .retry_after(RETRY_AFTER),
        }
    }
}

fn target_pt(error: TargetError) -> String {
    match error {
        TargetError::NotAnAddress => {
            "O campo \"url\" deve ser um endereço http ou https completo, como https://exemplo.com.br/avisos.".into()
        }
        TargetError::TooLong => format!("O campo \"url\" pode ter no máximo {LONGEST_URL} caracteres."),
        TargetError::Credentials => {
            "O endereço não pode conter usuário ou senha; as mensagens são assinadas, e o assinante confere a assinatura.".into()
        }
        TargetError::Forbidden(_) => {
            "O endereço leva a esta máquina ou a uma rede que não é pública, o que não é permitido; use um endereço público, ou \
             defina JUSCACHE_WEBHOOK_PRIVATE=true e reinicie o serviço."
                .into()
        }
        TargetError::Unresolved => "O nome do endereço não foi encontrado; confira-o e repita.".into(),
    }
}
