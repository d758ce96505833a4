//! The door before everything below `/api/v1/admin`: who may pass, and what the others are told. It stands before the routes,
//! so nobody learns without the token which pages there are.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::Error;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, FORWARDED, HeaderMap, HeaderValue, VIA, WWW_AUTHENTICATE};
use actix_web::middleware::Next;
use actix_web::web::Data;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::boundary::only;
use super::problem::{Kind, Problem};
use super::routes::request_id;
use super::state::HttpState;
use crate::ambient::Random;

/// Wrong tokens that one peer may try in a [`WINDOW`]: enough for a person with a wrong `.env`, nothing for whoever guesses.
const ATTEMPTS: u32 = 30;
/// How long wrong tokens are remembered.
const WINDOW: Duration = Duration::from_secs(60);
/// Peers whose wrong tokens are counted apart; all others share one count, so that memory has an end.
const PEERS: usize = 1024;
/// Where those others are counted.
const OTHERS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// What a 401 asks for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"juscache-admin\"");
/// Whoever sends one of these speaks for somebody else: a proxy on this machine must not open the door to the world.
const SPEAKS_FOR_OTHERS: [&str; 4] = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Knows the token, as a digest only, and how often each peer was wrong.
pub struct AdminDoor {
    token: [u8; 32],
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
        Self { token: digest(token.expose_secret().as_bytes()), is_generated: false, wrong: Mutex::default() }
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
        if !same(&digest(given), &self.token) {
            wrong.note(peer, now);
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

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Compares every byte, wherever the first difference is: how long it takes says nothing about the token.
fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    left.iter().zip(right).fold(0, |difference, (left, right)| difference | (left ^ right)) == 0
}

/// How often each peer was wrong lately.
#[derive(Debug, Default)]
struct WrongTokens {
    peers: HashMap<IpAddr, Wrong>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    since: Instant,
    count: u32,
}

impl Wrong {
    fn rest(&self, now: Instant) -> Duration {
        WINDOW.saturating_sub(now.saturating_duration_since(self.since))
    }
}

impl WrongTokens {
    /// How long a peer has to wait before another token of its is looked at.
    fn wait(&mut self, peer: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let key = self.key(peer, now);
        let wrong = self.peers.get(&key)?;
        let rest = wrong.rest(now);
        (wrong.count >= ATTEMPTS && !rest.is_zero()).then_some(rest)
    }

    fn note(&mut self, peer: Option<IpAddr>, now: Instant) {
        let key = self.key(peer, now);
        let wrong = self.peers.entry(key).or_insert(Wrong { since: now, count: 0 });
        if wrong.rest(now).is_zero() {
            *wrong = Wrong { since: now, count: 0 };
        }
        wrong.count += 1;
        if wrong.count == ATTEMPTS {
            tracing::warn!(peer = %key, "too many wrong admin tokens; further ones are refused for a minute");
        }
    }

    /// What a peer is counted under. One who can have a whole IPv6 network for himself is still one.
    fn key(&mut self, peer: Option<IpAddr>, now: Instant) -> IpAddr {
        let key = match peer.map_or(OTHERS, |peer| peer.to_canonical()) {
            IpAddr::V6(address) if !address.is_loopback() => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
            }
            address => address,
        };
        if self.peers.contains_key(&key) {
            return key;
        }
        if self.peers.len() >= PEERS {
            self.peers.retain(|_, wrong| !wrong.rest(now).is_zero());
        }
        if self.peers.len() >= PEERS { OTHERS } else { key }
    }
}

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
