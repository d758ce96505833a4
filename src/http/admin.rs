//! The door before everything below `/api/v1/admin`: who may pass, and what the others are told. It stands before the routes,
//! so nobody learns without the token which pages there are.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::Error;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, FORWARDED, HeaderMap, HeaderValue, VIA, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::web::Data;
use secrecy::{ExposeSecret, SecretString};

use super::boundary::only;
use super::problem::{Kind, Problem};
use super::routes::request_id;
use super::state::HttpState;
use super::tokens::{TokenDigest, WrongTokens};
use crate::ambient::Random;

/// What a 401 asks for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"juscache-admin\"");
/// Whoever sends one of these speaks for somebody else: a proxy on this machine must not open the door to the world.
const SPEAKS_FOR_OTHERS: [&str; 4] = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Knows the token, as a digest only, and how often each peer was wrong.
pub struct AdminDoor {
    token: TokenDigest,
    /// The token was made at the start and is good on this machine only.
    is_generated: bool,
    wrong: Mutex<WrongTokens>,
}

/// Without the digest: a short token could be found from it.
impl fmt::Debug for AdminDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminDoor").field("is_generated", &self.is_generated).finish_non_exhaustive()
    }
}

/// Why somebody does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No token, or none that can be read.
    NoToken,
    /// Not the token.
    WrongToken,
    /// The token that was made at the start, but not from this machine.
    NotFromHere,
    /// Too many wrong tokens; this one was not looked at.
    TooMany {
        /// When to come back.
        retry_after: Duration,
    },
}

impl AdminDoor {
    /// A door for this token.
    #[must_use]
    pub fn new(token: &SecretString) -> Self {
        Self { token: TokenDigest::of(token.expose_secret().as_bytes()), is_generated: false, wrong: Mutex::default() }
    }

    /// A door for a new token of 128 random bits, and that token. It opens to this machine only.
    #[must_use]
    pub fn with_new_token(random: &dyn Random) -> (Self, SecretString) {
        let token = SecretString::from(format!("{:032x}", random.bits()));
        (Self { is_generated: true, ..Self::new(&token) }, token)
    }

    /// Lets a request pass or not.
    ///
    /// # Errors
    /// Says why not.
    pub fn knock(&self, peer: Option<IpAddr>, headers: &HeaderMap, now: Instant) -> Result<(), Refusal> {
        let given = token_of(headers).ok_or(Refusal::NoToken)?;
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the comparison: if the right token still passed, guessing would not be slowed at all.
        if let Some(retry_after) = wrong.wait(peer, now) {
            return Err(Refusal::TooMany { retry_after });
        }
        if !self.token.is_of(given) {
            if let Some(peer) = wrong.note(peer, now) {
                tracing::warn!(%peer, "too many wrong admin tokens; further ones are refused for a minute");
            }
            return Err(Refusal::WrongToken);
        }
        if self.is_generated && !is_from_here(peer, headers) {
            return Err(Refusal::NotFromHere);
        }
        Ok(())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoToken => Self::new(
                Kind::Unauthorized,
                "Esta página exige o token de administração; envie-o no cabeçalho \"Authorization: Bearer <token>\".",
            ),
            Refusal::WrongToken => Self::new(
                Kind::Unauthorized,
                "O token enviado não é o de administração deste serviço; confira o valor de JUSCACHE_ADMIN_TOKEN.",
            ),
            Refusal::NotFromHere => Self::new(
                Kind::Forbidden,
                "O token gerado na partida só vale para conexões diretas da própria máquina; para administrar o serviço de \
                 fora, defina JUSCACHE_ADMIN_TOKEN e reinicie-o.",
            ),
            Refusal::TooMany { retry_after } => Self::new(
                Kind::RateLimited,
                "Houve tentativas demais com um token errado; espere o tempo indicado em Retry-After e confira o token.",
            )
            .retry_after(retry_after),
        }
    }
}

/// The middleware around the admin pages.
///
/// # Errors
/// Those of the page behind it.
pub async fn door<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let refused = match request.app_data::<Data<HttpState>>() {
        Some(state) => {
            let peer = request.peer_addr().map(|address| address.ip());
            state.door.knock(peer, request.headers(), state.clock.monotonic()).err().map(Problem::from)
        }
        // A door without a house stays shut.
        None => Some(Problem::internal()),
    };
    let Some(problem) = refused else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    let mut response = problem.respond(&request_id(request.request()));
    if problem.kind() == Kind::Unauthorized {
        response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
    }
    Ok(request.into_response(response).map_into_right_body())
}

/// The token of the only `Authorization`, if it is a Bearer's.
fn token_of(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = only(headers, &AUTHORIZATION)?.as_bytes().split_at_checked("bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// Whether a request comes from this machine, for itself.
fn is_from_here(peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    let speaks_for_others = [FORWARDED, VIA].iter().any(|name| headers.contains_key(name))
        || SPEAKS_FOR_OTHERS.iter().any(|name| headers.contains_key(*name));
    !speaks_for_others && peer.is_some_and(|peer| peer.to_canonical().is_loopback())
}

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
