//! The same switches over HTTP, for people: `/__sandbox/…`. No token; the sandbox holds nothing of value.

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpResponse, ResponseError};
use chrono::NaiveDate;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::control::{Control, Outage};
use super::fault::{self, Fault, FaultDetails};
use super::number::Number;
use super::route::Endpoint;
use super::settings::TokenStyle;

const SHOWN_CALLS: usize = 20;
const SHOWN_PROCESSES: usize = 200;

/// Mounts the control routes.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/__sandbox")
            .route("", web::get().to(overview))
            .route("/faults", web::post().to(add_fault))
            .route("/faults", web::delete().to(clear_faults))
            .route("/outage", web::post().to(outage))
            .route("/credits", web::post().to(credits))
            .route("/latency", web::post().to(latency))
            .route("/callbacks", web::post().to(callbacks))
            .route("/processes/{number}/movements", web::post().to(add_movement)),
    );
}

#[derive(Deserialize)]
struct FaultOrder {
    fault: String,
    endpoint: Option<String>,
    times: Option<u32>,
    #[serde(flatten)]
    details: FaultDetails,
}

#[derive(Deserialize)]
struct OutageOrder {
    on: bool,
    /// `reset` (default) or `503`.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct CreditsOrder {
    centavos: i64,
}

#[derive(Deserialize)]
struct LatencyOrder {
    /// `0s`, `250ms`, `3s`.
    latency: String,
}

#[derive(Deserialize)]
struct CallbackOrder {
    url: String,
    token: String,
    /// `Bearer <token>` instead of the token alone.
    #[serde(default)]
    bearer: bool,
}

#[derive(Deserialize)]
struct MovementOrder {
    text: String,
    /// Today when absent.
    date: Option<NaiveDate>,
    /// `false` keeps `data_ultima_verificacao`, so that the vendor seems not to have noticed yet.
    verify: Option<bool>,
}

/// A switch that cannot be set: one sentence, and the names there are where a name was wrong.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
struct Wrong {
    sentence: String,
    status: StatusCode,
    names: Option<(&'static str, Vec<&'static str>)>,
}

impl Wrong {
    fn order(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), status: StatusCode::BAD_REQUEST, names: None }
    }

    fn name(sentence: impl Into<String>, kind: &'static str, names: &[&'static str]) -> Self {
        Self { names: Some((kind, names.to_vec())), ..Self::order(sentence) }
    }
}

impl ResponseError for Wrong {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = serde_json::Map::new();
        body.insert("error".to_owned(), json!(self.sentence));
        if let Some((kind, names)) = &self.names {
            body.insert((*kind).to_owned(), json!(names));
        }
        HttpResponse::build(self.status).json(body)
    }
}

fn order<T: DeserializeOwned>(body: &Bytes) -> Result<T, Wrong> {
    serde_json::from_slice(body).map_err(|error| Wrong::order(format!("this switch takes another body: {error}")))
}

fn done(status: StatusCode, control: &Control) -> HttpResponse {
    HttpResponse::build(status).json(snapshot(control))
}

async fn overview(control: Data<Control>) -> HttpResponse {
    done(StatusCode::OK, &control)
}

fn snapshot(control: &Control) -> Value {
    let now = control.clock().now();
    let (monitors, callbacks) = (control.monitors().len(), control.callbacks());
    let waiting = callbacks.iter().filter(|callback| callback.waiting).count();
    let (in_flight, peak) = (control.in_flight(), control.peak_in_flight());
    let state = control.state();
    let mut processes: Vec<Value> = Vec::new();
    for (digits, entry) in state.entries.iter().take(SHOWN_PROCESSES) {
        let number = Number::parse(digits).map(|number| number.masked());
        processes.push(json!({
            "number": number, "movements": entry.process.as_ref().map(|process| process.movements.len()),
            "sealed": entry.process.as_ref().map(|process| process.sealed), "changed": entry.touched,
            "verified_at": entry.verified_at, "update": entry.update.as_ref().map(super::update::Update::status),
        }));
    }
    let counts: serde_json::Map<String, Value> =
        state.counts.iter().map(|(endpoint, count)| (endpoint.as_str().to_owned(), json!(count))).collect();
    let recent: Vec<Value> = state
        .calls
        .iter()
        .rev()
        .take(SHOWN_CALLS)
        .map(|call| {
            json!({
                "at": call.at, "method": call.method, "path": call.path, "endpoint": call.endpoint.as_str(),
                "status": call.status, "centavos": call.centavos, "fault": call.fault,
            })
        })
        .collect();
    let faults: Vec<Value> = state
        .faults
        .iter()
        .map(|active| {
            let endpoint = active.endpoint.map(Endpoint::as_str);
            json!({"fault": active.fault.as_str(), "endpoint": endpoint, "times_left": active.left})
        })
        .collect();
    let outage = match state.outage {
        Outage::None => Value::Null,
        Outage::Reset => json!("reset"),
        Outage::ServiceUnavailable => json!("503"),
    };
    json!({
        "now": now, "processes_held": state.entries.len(), "processes": processes, "calls": counts,
        "recent_calls": recent, "credits_centavos": state.credits, "charged_centavos": state.charged, "faults": faults,
        "outage": outage, "latency": humantime::format_duration(state.latency).to_string(), "in_flight": in_flight,
        "peak_in_flight": peak, "monitors": monitors, "callbacks": callbacks.len(), "callbacks_waiting": waiting,
    })
}

async fn add_fault(control: Data<Control>, body: Bytes) -> Result<HttpResponse, Wrong> {
    let asked: FaultOrder = order(&body)?;
    let endpoint = match &asked.endpoint {
        None => None,
        Some(name) => Some(Endpoint::named(name).ok_or_else(|| {
            Wrong::name(format!("no endpoint is called {name:?}"), "endpoints", &Endpoint::ALL.map(Endpoint::as_str))
        })?),
    };
    let fault = Fault::named(&asked.fault, asked.details)
        .map_err(|sentence| Wrong::name(sentence, "faults", &fault::names()))?;
    control.set_fault(fault, endpoint, asked.times);
    Ok(done(StatusCode::CREATED, &control))
}

async fn clear_faults(control: Data<Control>) -> HttpResponse {
    control.clear_faults();
    done(StatusCode::OK, &control)
}

async fn outage(control: Data<Control>, body: Bytes) -> Result<HttpResponse, Wrong> {
    let asked: OutageOrder = order(&body)?;
    let outage = match (asked.on, asked.kind.as_deref()) {
        (false, _) => Outage::None,
        (true, None | Some("reset")) => Outage::Reset,
        (true, Some("503")) => Outage::ServiceUnavailable,
        (true, Some(kind)) => {
            return Err(Wrong::name(format!("no outage is called {kind:?}"), "kinds", &["reset", "503"]));
        }
    };
    control.set_outage(outage);
    Ok(done(StatusCode::OK, &control))
}

async fn credits(control: Data<Control>, body: Bytes) -> Result<HttpResponse, Wrong> {
    let asked: CreditsOrder = order(&body)?;
    control.set_credits(asked.centavos);
    Ok(done(StatusCode::OK, &control))
}

async fn latency(control: Data<Control>, body: Bytes) -> Result<HttpResponse, Wrong> {
    let asked: LatencyOrder = order(&body)?;
    let latency = humantime::parse_duration(&asked.latency)
        .map_err(|error| Wrong::order(format!("latency {:?}: {error}", asked.latency)))?;
    control.set_latency(latency);
    Ok(done(StatusCode::OK, &control))
}

async fn callbacks(control: Data<Control>, body: Bytes) -> Result<HttpResponse, Wrong> {
    let asked: CallbackOrder = order(&body)?;
    if !asked.url.starts_with("http://") && !asked.url.starts_with("https://") {
        return Err(Wrong::order("url is no http or https address"));
    }
    let style = if asked.bearer { TokenStyle::Bearer } else { TokenStyle::Raw };
    control.deliver_callbacks_to(&asked.url, &asked.token, style);
    Ok(done(StatusCode::OK, &control))
}

async fn add_movement(control: Data<Control>, number: Path<String>, body: Bytes) -> Result<HttpResponse, Wrong> {
    let asked: MovementOrder = order(&body)?;
    let now = control.clock().now();
    let date = asked.date.unwrap_or_else(|| now.date_naive());
    let id = control
        .add_movement(&number, date, &asked.text)
        .ok_or_else(|| Wrong { status: StatusCode::NOT_FOUND, ..Wrong::order("the sandbox knows no such process") })?;
    if asked.verify != Some(false) {
        control.verify(&number, now);
    }
    Ok(HttpResponse::Created().json(json!({"id": id, "data": date, "conteudo": asked.text})))
}
