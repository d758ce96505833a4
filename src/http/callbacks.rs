//! The door for the vendor's callbacks. It stands before the body: nothing of what a stranger sends is read, stored or logged.
//!
//! The vendor documents `Authorization: <token>`; third parties have seen `Authorization: Bearer <token>`. Both are taken.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use secrecy::{ExposeSecret, SecretString};

use super::boundary::only;
use super::problem::{Kind, Problem};
use super::tokens::{TokenDigest, WrongTokens};

/// Knows the token, as a digest only, and how often each peer was wrong.
pub struct CallbackDoor {
    token: Option<TokenDigest>,
    wrong: Mutex<WrongTokens>,
}

/// Without the digest: a short token could be found from it.
impl fmt::Debug for CallbackDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackDoor").field("is_open", &self.token.is_some()).finish_non_exhaustive()
    }
}

/// Why a callback does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// No token, not the token, or there is none that would open. The sender does not learn which.
    Unauthorized,
    /// Too many wrong tokens; this one was not looked at.
    TooMany {
        /// When to come back.
        retry_after: Duration,
    },
}

impl Stranger {
    /// The word for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::TooMany { .. } => "rate-limited",
        }
    }
}

impl CallbackDoor {
    /// A door for this token; without one nobody passes.
    #[must_use]
    pub fn new(token: Option<&SecretString>) -> Self {
        let token = token.map(|token| TokenDigest::of(token.expose_secret().as_bytes()));
        Self { token, wrong: Mutex::default() }
    }

    /// Lets a request pass or not.
    ///
    /// # Errors
    /// Says why not.
    pub fn knock(&self, peer: Option<IpAddr>, headers: &HeaderMap, now: Instant) -> Result<(), Stranger> {
        let given = only(headers, &AUTHORIZATION).map(|value| value.as_bytes().trim_ascii());
        let given = given.filter(|given| !given.is_empty()).ok_or(Stranger::Unauthorized)?;
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the comparison: if the right token still passed, guessing would not be slowed at all.
        if let Some(retry_after) = wrong.wait(peer, now) {
            return Err(Stranger::TooMany { retry_after });
        }
        // Both spellings are always compared: which one fits shows in nothing.
        let is_right = self.token.as_ref().is_some_and(|token| token.is_of(given) | token.is_of(without_scheme(given)));
        if is_right {
            return Ok(());
        }
        // Who it was is said nowhere: a counter is all that a stranger leaves behind.
        let _reached_the_limit = wrong.note(peer, now);
        Err(Stranger::Unauthorized)
    }
}

impl From<Stranger> for Problem {
    fn from(stranger: Stranger) -> Self {
        match stranger {
            Stranger::Unauthorized => Self::new(
                Kind::Unauthorized,
                "Este endereço só aceita avisos do fornecedor com o token combinado no cabeçalho \"Authorization\".",
            ),
            Stranger::TooMany { retry_after } => Self::new(
                Kind::RateLimited,
                "Houve tentativas demais com um token errado; espere o tempo indicado em Retry-After.",
            )
            .retry_after(retry_after),
        }
    }
}

/// What follows `Bearer`, or all of it.
fn without_scheme(given: &[u8]) -> &[u8] {
    match given.split_at_checked("bearer ".len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
        _ => given,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;
    use crate::ambient::{Clock, SystemClock};
    use crate::http::tokens::ATTEMPTS;

    fn knock(door: &CallbackDoor, line: &str) -> Result<(), Stranger> {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_str(line).unwrap());
        door.knock(None, &headers, SystemClock.monotonic())
    }

    #[test]
    fn both_documented_spellings_open_and_nothing_else_does() {
        let door = CallbackDoor::new(Some(&"t0ken".into()));
        for line in ["t0ken", " t0ken ", "Bearer t0ken", "bearer   t0ken", "BEARER t0ken"] {
            assert_eq!(knock(&door, line), Ok(()), "{line}");
        }
        for line in ["t0ke", "t0ken.", "T0ken", "Bearer", "Bearer ", "Bearer Bearer t0ken", "Basic t0ken", "é"] {
            assert_eq!(knock(&door, line), Err(Stranger::Unauthorized), "{line}");
        }
        assert_eq!(door.knock(None, &HeaderMap::new(), SystemClock.monotonic()), Err(Stranger::Unauthorized));
        let mut twice = HeaderMap::new();
        twice.append(AUTHORIZATION, HeaderValue::from_static("t0ken"));
        twice.append(AUTHORIZATION, HeaderValue::from_static("t0ken"));
        assert_eq!(door.knock(None, &twice, SystemClock.monotonic()), Err(Stranger::Unauthorized));
        assert!(!format!("{door:?}").contains("t0ken"));
    }

    #[test]
    fn without_a_token_nobody_passes() {
        let door = CallbackDoor::new(None);
        for line in ["", "t0ken", "Bearer "] {
            assert_eq!(knock(&door, line), Err(Stranger::Unauthorized), "{line}");
        }
    }

    #[test]
    fn whoever_guesses_is_slowed() {
        let door = CallbackDoor::new(Some(&"t0ken".into()));
        for _ in 0..ATTEMPTS {
            assert_eq!(knock(&door, "wrong"), Err(Stranger::Unauthorized));
        }
        assert!(matches!(knock(&door, "t0ken"), Err(Stranger::TooMany { .. })));
    }
}
