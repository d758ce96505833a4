//! `GET` and `POST /api/v1/admin/sync`, `GET /api/v1/admin/sync/runs`: how the synchronisation stands, and a cycle now.

use std::time::Duration;

use actix_web::guard::fn_guard;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, Resource};
use serde::Serialize;
use tokio::time::timeout;

use crate::http::params::ParamError;
use crate::http::problem::{Kind, Problem};
use crate::http::query::pairs;
use crate::http::routes::updates::{instant, pass_over};
use crate::http::routes::{momentary, request_id};
use crate::http::state::HttpState;
use crate::postgres_tier::sync::messages::{ClaimLine, Day, Run};
use crate::resilience::Deadline;
use crate::scheduler::desk::{SyncAway, SyncStatus};

/// What the database may take, and more; whoever waits longer waits for one that hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// A database is rarely back sooner.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Runs that are shown: half a day's, and a week's at the most.
const RUNS: (u32, u32) = (24, 500);

#[derive(Serialize)]
struct RequestedBody {
    joined: bool,
    run: u64,
    detail: &'static str,
}

#[derive(Serialize)]
struct StatusBody {
    state: &'static str,
    leader: LeaderBody,
    next_run_at: Option<String>,
    requested_at: Option<String>,
    interval_seconds: f64,
    today: DayBody,
    current: Option<CurrentBody>,
    last: Option<RunBody>,
}

#[derive(Serialize)]
struct LeaderBody {
    node: Option<String>,
    epoch: u64,
    is_this_node: bool,
    this_node: Option<String>,
}

#[derive(Serialize)]
struct DayBody {
    day: String,
    calls: u64,
    limit: u32,
    refreshed: u64,
    unchanged: u64,
    failed: u64,
    cost_centavos: u64,
}

#[derive(Serialize)]
struct RunBody {
    id: u64,
    trigger: &'static str,
    epoch: u64,
    node: Option<String>,
    adopted: u32,
    due_at: String,
    started_at: String,
    ended_at: Option<String>,
    ending: Option<&'static str>,
    duration_seconds: Option<f64>,
    chosen: u64,
    refreshed: u64,
    unchanged: u64,
    failed: u64,
    cleaned: u64,
    calls: u64,
    cost_centavos: u64,
}

#[derive(Serialize)]
struct CurrentBody {
    #[serde(flatten)]
    run: RunBody,
    batch: Vec<ClaimBody>,
}

#[derive(Serialize)]
struct ClaimBody {
    cnj: String,
    class: String,
    worth: f64,
    explanation: String,
    state: &'static str,
    claimed_at: String,
    calls: u32,
}

#[derive(Serialize)]
struct RunsBody {
    runs: Vec<RunBody>,
}

/// Both pages under one address.
pub(super) fn page(path: &str) -> Resource {
    let reads = fn_guard(|context| matches!(context.head().method, Method::GET | Method::HEAD));
    web::resource(path)
        .route(web::post().to(request))
        .route(web::route().guard(reads).to(status))
        .default_service(web::to(other))
}

async fn other(request: HttpRequest) -> HttpResponse {
    Problem::method_not_allowed("GET, HEAD, POST").respond(&request_id(&request))
}

async fn request(request: HttpRequest, body: Payload, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let deadline = Deadline::after(state.clock.monotonic(), PATIENCE);
        pass_over(body, state.settings.max_body, deadline).await?;
        let requested = in_time(&state, PATIENCE, state.services.sync.request()).await?;
        let detail = if requested.joined {
            "Uma sincronização já está em andamento e o pedido se junta a ela."
        } else {
            "A sincronização foi pedida; o nó que a conduz começa em alguns segundos."
        };
        let body = RequestedBody { joined: requested.joined, run: requested.run, detail };
        written(StatusCode::ACCEPTED, &body)
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.respond(&request_id(&request)))
}

async fn status(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let status = in_time(&state, PATIENCE, state.services.sync.status()).await?;
        written(StatusCode::OK, &StatusBody::of(status))
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.respond(&request_id(&request)))
}

/// The last cycles.
pub(super) async fn runs(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let answer = async {
        let most = limit(request.query_string())?;
        let runs = in_time(&state, PATIENCE, state.services.sync.runs(most)).await?;
        written(StatusCode::OK, &RunsBody { runs: runs.iter().map(RunBody::of).collect() })
    };
    answer.await.unwrap_or_else(|problem: Problem| problem.respond(&request_id(&request)))
}

fn limit(query: &str) -> Result<u32, ParamError> {
    let (usual, most) = RUNS;
    let mut found = None;
    for (name, value) in pairs(query).filter(|(name, _)| name == "limit") {
        if found.is_some() {
            return Err(ParamError::Repeated { name: "limit" });
        }
        let refused = || ParamError::value("limit", &value, format!("um número de 1 a {most}"));
        let number = value.parse().ok().filter(|number| (1..=most).contains(number));
        found = Some(number.ok_or_else(refused)?);
        drop(name);
    }
    Ok(found.unwrap_or(usual))
}

/// The answer, unless the database or the service ends first.
pub(super) async fn in_time<T>(
    state: &HttpState,
    patience: Duration,
    answer: impl Future<Output = Result<T, SyncAway>>,
) -> Result<T, Problem> {
    let answer = tokio::select! {
        answer = timeout(patience, answer) => answer.unwrap_or(Err(SyncAway)),
        () = state.closed() => Err(SyncAway),
    };
    Ok(answer?)
}

pub(super) fn written(status: StatusCode, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer about the synchronisation cannot be written");
        Problem::internal()
    })?;
    Ok(momentary(status, "application/json", body))
}

impl StatusBody {
    fn of(status: SyncStatus) -> Self {
        let SyncStatus { node, interval, daily_limit, standing } = status;
        let leader = LeaderBody {
            node: standing.leader.map(String::from),
            epoch: standing.epoch,
            is_this_node: standing.leader.is_some() && standing.leader == node,
            this_node: node.map(String::from),
        };
        let claims: Vec<ClaimBody> = standing.claims.into_iter().map(ClaimBody::of).collect();
        Self {
            state: if standing.current.is_some() { "running" } else { "idle" },
            leader,
            next_run_at: standing.next_run_at.map(instant),
            requested_at: standing.requested_at.map(instant),
            interval_seconds: interval.as_secs_f64(),
            today: DayBody::of(standing.today, daily_limit),
            current: standing.current.as_ref().map(|run| CurrentBody { run: RunBody::of(run), batch: claims }),
            last: standing.last.as_ref().map(RunBody::of),
        }
    }
}

impl DayBody {
    fn of(day: Day, limit: u32) -> Self {
        let Day { day, calls, refreshed, unchanged, failed, cost_centavos } = day;
        Self { day: day.to_string(), calls, limit, refreshed, unchanged, failed, cost_centavos }
    }
}

impl RunBody {
    fn of(run: &Run) -> Self {
        let ended = run.ended;
        Self {
            id: run.id,
            trigger: run.trigger.as_str(),
            epoch: run.epoch,
            node: run.node.map(String::from),
            adopted: run.adopted,
            due_at: instant(run.due_at),
            started_at: instant(run.started_at),
            ended_at: ended.map(|(at, _)| instant(at)),
            ending: ended.map(|(_, ending)| ending.as_str()),
            duration_seconds: ended.and_then(|(at, _)| Some((at - run.started_at).to_std().ok()?.as_secs_f64())),
            chosen: run.chosen,
            refreshed: run.refreshed,
            unchanged: run.unchanged,
            failed: run.failed,
            cleaned: run.cleaned,
            calls: run.calls,
            cost_centavos: run.cost_centavos,
        }
    }
}

impl ClaimBody {
    fn of(line: ClaimLine) -> Self {
        Self {
            cnj: line.cnj.masked(),
            class: line.class,
            worth: line.worth,
            explanation: line.explanation,
            state: line.state.as_str(),
            claimed_at: instant(line.claimed_at),
            calls: line.calls,
        }
    }
}

impl From<SyncAway> for Problem {
    fn from(_: SyncAway) -> Self {
        Self::new(
            Kind::Overloaded,
            "A sincronização não pode ser consultada agora, porque o banco de dados não responde; ela continua por si quando ele \
             voltar.",
        )
        .retry_after(RETRY_AFTER)
    }
}
