//! From an HTTP request to the vendor's answer, or to the misbehaviour that is switched on.

use std::convert::Infallible;
use std::io;
use std::net::Shutdown;
use std::time::Duration;

use actix_web::body::{BodyStream, SizedStream};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderName};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::stream;
use tracing::warn;

use super::answer::Asked;
use super::control::{Call, Control, Outage};
use super::datajud;
use super::fault::Fault;
use super::number::Number;
use super::reply::{Body, Reply};
use super::route::{self, Endpoint};

/// How long a fault that never answers holds a connection whose client does not leave.
const PATIENCE: Duration = Duration::from_secs(600);
const DRIP: Duration = Duration::from_millis(50);

/// The connection under a request, kept so that a fault can close it without an answer.
pub(super) struct Line {
    socket: std::net::TcpStream,
}

impl Line {
    /// A second handle on an accepted connection.
    pub(super) fn of(stream: &actix_web::rt::net::TcpStream) -> io::Result<Self> {
        use std::os::fd::AsFd;
        Ok(Self { socket: std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?) })
    }
}

/// Every request outside the control routes.
pub(super) async fn vendor(request: HttpRequest, body: Bytes, control: Data<Control>) -> HttpResponse {
    let (endpoint, written) = route::read(request.method().as_str(), request.path());
    let authorization = header(&request, &AUTHORIZATION);
    let _visit = control.enter();
    let (ordinal, outage, latency, fault) = {
        let mut state = control.state();
        let escavadors = endpoint != Endpoint::Search;
        let (outage, latency) = (if escavadors { state.outage } else { Outage::None }, state.latency);
        let fault = if outage == Outage::None { state.take_fault(endpoint) } else { None };
        let ordinal = state.record(Call {
            at: control.clock().now(),
            arrived: control.clock().monotonic(),
            method: request.method().to_string(),
            path: request.uri().to_string(),
            endpoint,
            number: number_of(endpoint, written, &body).map(|number| number.masked()),
            status: None,
            centavos: 0,
            authorization: authorization.clone(),
            fault: fault.as_ref().map(Fault::as_str),
        });
        (ordinal, outage, latency, fault)
    };
    match outage {
        Outage::None => {}
        Outage::Reset => return hang_up(&request),
        Outage::ServiceUnavailable => {
            let reply = Reply::html(503, "503 Service Unavailable");
            note(&control, ordinal, &reply, true);
            return build(&reply).body(bytes(&reply));
        }
    }
    if endpoint != Endpoint::Search {
        warn_of_missing_header(&request, &control);
    }
    pause(latency).await;
    if let Some(Fault::Slow(delay)) = &fault {
        pause(*delay).await;
    }
    if fault == Some(Fault::Reset) {
        return hang_up(&request);
    }
    let early =
        |fault: &Fault| if endpoint == Endpoint::Search { datajud::early_reply(fault) } else { fault.early_reply() };
    let reply = fault.as_ref().and_then(early).unwrap_or_else(|| {
        let host = request.connection_info().host().to_owned();
        let base = format!("http://{host}");
        let asked = Asked {
            endpoint,
            number: written,
            query: request.query_string(),
            authorization: authorization.as_deref(),
            body: &body,
            base: &base,
        };
        let mut reply = if endpoint == Endpoint::Search {
            control.search(request.path(), authorization.as_deref(), &body)
        } else {
            control.answer(&asked, fault == Some(Fault::NextRepeatsCursor))
        };
        if let (Some(fault), Body::Json(body), 200 | 201) = (&fault, &mut reply.body, reply.status) {
            fault.spoil(body, &format!("{base}{}", request.uri()));
        }
        reply
    });
    note(&control, ordinal, &reply, fault != Some(Fault::ChargedTimeout));
    deliver(&request, &reply, fault.as_ref()).await
}

fn number_of(endpoint: Endpoint, written: Option<&str>, body: &[u8]) -> Option<Number> {
    match endpoint {
        Endpoint::Search => datajud::asked_for(body),
        Endpoint::MonitorCreate => {
            let asked: serde_json::Value = serde_json::from_slice(body).ok()?;
            asked.get("numero").and_then(serde_json::Value::as_str).and_then(Number::parse)
        }
        _ => written.and_then(Number::parse),
    }
}

fn header(request: &HttpRequest, name: &HeaderName) -> Option<String> {
    request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn warn_of_missing_header(request: &HttpRequest, control: &Control) {
    if !request.headers().contains_key("X-Requested-With") && control.is_first_warning() {
        warn!("a request without x-requested-with: the real vendor may answer its errors in html");
    }
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

fn note(control: &Control, ordinal: u64, reply: &Reply, answered: bool) {
    if let Some(call) = control.state().call_mut(ordinal) {
        call.status = answered.then_some(reply.status);
        call.centavos = reply.centavos.unwrap_or(0);
    }
}

async fn deliver(request: &HttpRequest, reply: &Reply, fault: Option<&Fault>) -> HttpResponse {
    let whole = bytes(reply);
    let mut response = build(reply);
    match fault {
        Some(Fault::Truncated) => {
            let promised = u64::try_from(whole.len()).unwrap_or(u64::MAX);
            let half = whole.slice(..whole.len() / 2);
            let parts = stream::unfold(Some(half), |unsent| async move {
                match unsent {
                    Some(half) => Some((Ok(half), None)),
                    None => {
                        // Without a moment's wait the failure overtakes what is written and nothing leaves at all.
                        tokio::task::yield_now().await;
                        Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), None))
                    }
                }
            });
            response.body(SizedStream::new(promised, Box::pin(parts)))
        }
        Some(Fault::CutJson) => response.body(whole.slice(..whole.len() / 2)),
        Some(Fault::NeverEnds) => {
            let drips = PATIENCE.as_millis() / DRIP.as_millis();
            let drops = stream::unfold(0, move |dripped| async move {
                if dripped >= drips {
                    return None;
                }
                tokio::time::sleep(DRIP).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), dripped + 1))
            });
            response.body(BodyStream::new(Box::pin(drops)))
        }
        Some(Fault::ChargedTimeout) => {
            tokio::time::sleep(PATIENCE).await;
            hang_up(request)
        }
        _ => response.body(whole),
    }
}

fn build(reply: &Reply) -> HttpResponseBuilder {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    match reply.body {
        Body::Json(_) => response.content_type("application/json"),
        Body::Html(_) => response.content_type("text/html; charset=UTF-8"),
        Body::Nothing => &mut response,
    };
    if let Some(centavos) = reply.centavos {
        response.insert_header(("Creditos-Utilizados", centavos.to_string()));
    }
    for (name, value) in &reply.headers {
        response.insert_header((*name, value.as_str()));
    }
    response
}

fn bytes(reply: &Reply) -> Bytes {
    match &reply.body {
        Body::Json(value) => Bytes::from(value.to_string()),
        Body::Html(page) => Bytes::from(page.clone()),
        Body::Nothing => Bytes::new(),
    }
}

/// Closes the connection; the response that this gives back is never seen.
fn hang_up(request: &HttpRequest) -> HttpResponse {
    if let Some(line) = request.conn_data::<Line>() {
        // A connection that the client has closed already is as closed as it can be.
        let _ = line.socket.shutdown(Shutdown::Both);
    }
    HttpResponse::ServiceUnavailable().force_close().finish()
}
