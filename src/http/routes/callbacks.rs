//! `POST /webhooks/escavador`: the vendor's callbacks in. Stored as they came before the vendor is told 200; worked off afterwards.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use actix_web::web::{self, Bytes, BytesMut, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, Resource};
use futures_util::StreamExt;
use tokio::time::{timeout, timeout_at};

use super::{momentary, request_id};
use crate::callbacks::Receipt;
use crate::callbacks::event::Malformed;
use crate::http::problem::{Kind, Problem};
use crate::http::state::{CallbacksAway, HttpState};
use crate::resilience::Deadline;

/// Where the vendor posts to.
pub(in crate::http) const CALLBACKS: &str = "/webhooks/escavador";

/// Bytes of the largest callback: a movement's text may be a whole decision; the largest gazettes publish stays far below.
const MOST: usize = 1024 * 1024;
/// How long a body may take: what the vendor posts is a packet or two.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// What storing may take, a little more than the desk's own patience; the vendor's own is not known.
const STORED_WITHIN: Duration = Duration::from_secs(8);
/// A database is rarely back sooner. The vendor keeps its own times: 2^n minutes after the n-th attempt.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// What a 401 asks for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"juscache-callbacks\"");

/// The page; it takes POST only.
pub(super) fn intake_page() -> Resource {
    web::resource(CALLBACKS).route(web::post().to(receive)).default_service(web::to(only_posts))
}

async fn only_posts(request: HttpRequest) -> HttpResponse {
    Problem::method_not_allowed("POST").respond(&request_id(&request))
}

async fn receive(request: HttpRequest, body: Payload, state: Data<HttpState>) -> HttpResponse {
    match take(&request, body, &state).await {
        Ok(()) => momentary(StatusCode::OK, "application/json", Bytes::from_static(b"{\"received\":true}")),
        Err(problem) => {
            let mut response = problem.respond(&request_id(&request));
            if problem.kind() == Kind::Unauthorized {
                response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
            }
            response
        }
    }
}

async fn take(request: &HttpRequest, body: Payload, state: &HttpState) -> Result<(), Problem> {
    let now = state.clock.monotonic();
    state.services.callback_door.knock(request.headers()).map_err(|stranger| {
        state.metrics.count_callback("none", stranger.as_str());
        Problem::from(stranger)
    })?;
    let body = whole(body, Deadline::after(now, BODY_WITHIN)).await.inspect_err(|problem| {
        let is_large = problem.kind() == Kind::PayloadTooLarge;
        state.metrics.count_callback("none", if is_large { "too-large" } else { "broken-off" });
    })?;
    let receipt = tokio::select! {
        biased;
        receipt = timeout(STORED_WITHIN, state.services.callbacks.take(body)) => receipt.unwrap_or(Err(CallbacksAway)),
        () = state.closed() => Err(CallbacksAway),
    };
    match receipt? {
        Receipt::Accepted | Receipt::Repeated | Receipt::Ignored => Ok(()),
        Receipt::Malformed(malformed) => Err(malformed.into()),
    }
}

async fn whole(mut body: Payload, deadline: Deadline) -> Result<Bytes, Problem> {
    let unreadable = || Problem::new(Kind::InvalidParameter, "O corpo da requisição não pôde ser lido até o fim.");
    let mut read = BytesMut::new();
    loop {
        let next = timeout_at(deadline.instant().into(), body.next()).await;
        match next.map_err(|_late| unreadable())? {
            None => return Ok(read.freeze()),
            Some(chunk) => {
                let chunk = chunk.map_err(|_broken| unreadable())?;
                if read.len().saturating_add(chunk.len()) > MOST {
                    return Err(Problem::payload_too_large(MOST));
                }
                read.extend_from_slice(&chunk);
            }
        }
    }
}

impl From<CallbacksAway> for Problem {
    fn from(_: CallbacksAway) -> Self {
        Self::new(
            Kind::Overloaded,
            "Os avisos do fornecedor não podem ser guardados nem lidos agora, porque o banco de dados não responde; os que \
             faltarem serão lidos depois da lista do fornecedor.",
        )
        .retry_after(RETRY_AFTER)
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        let what = match malformed {
            Malformed::NotJson => "O corpo do aviso não é JSON.",
            Malformed::NoObject => "O corpo do aviso não é um objeto JSON.",
            Malformed::NoEvent => "Falta ao aviso o nome do evento, no campo \"event\".",
            Malformed::NoNumber => "Falta ao aviso o número do processo, com 20 algarismos.",
            Malformed::NoMovement => "Falta ao aviso a movimentação, com o seu \"id\".",
            Malformed::NoMoment => "Falta ao aviso o momento da verificação, em \"verificado_em\".",
        };
        Self::new(Kind::InvalidParameter, format!("{what} Ele foi guardado para exame e não teve efeito."))
    }
}
