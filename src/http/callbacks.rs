//! The door for the vendor's callbacks. It stands before the body: nothing of what a stranger sends is read, stored or logged.
//!
//! The vendor documents `Authorization: <token>`; third parties have seen `Authorization: Bearer <token>`. Both are taken.

use std::fmt;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use secrecy::{ExposeSecret, SecretString};

use super::boundary::only;
use super::problem::{Kind, Problem};
use super::tokens::TokenDigest;

/// Knows the token, as a digest only. Whoever guesses is not slowed: behind a proxy all callers have one address, and a stranger must
/// not be able to shut the vendor out. The vendor makes tokens that nobody guesses.
pub struct CallbackDoor {
    token: Option<TokenDigest>,
}

/// Without the digest: a short token could be found from it.
impl fmt::Debug for CallbackDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackDoor").field("is_open", &self.token.is_some()).finish_non_exhaustive()
    }
}

/// No token, not the token, or there is none that would open. The sender does not learn which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stranger;

impl Stranger {
    /// The word for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        "unauthorized"
    }
}

impl CallbackDoor {
    /// A door for this token; without one nobody passes.
    #[must_use]
    pub fn new(token: Option<&SecretString>) -> Self {
        Self { token: token.map(|token| TokenDigest::of(token.expose_secret().as_bytes())) }
    }

    /// Lets a request pass or not. A stranger leaves nothing behind.
    ///
    /// # Errors
    /// [`Stranger`].
    pub fn knock(&self, headers: &HeaderMap) -> Result<(), Stranger> {
        let given = only(headers, &AUTHORIZATION).map(|value| value.as_bytes().trim_ascii());
        let given = given.filter(|given| !given.is_empty()).ok_or(Stranger)?;
        // Both spellings are always compared: which one fits shows in nothing.
        let is_right = self.token.as_ref().is_some_and(|token| token.is_of(given) | token.is_of(without_scheme(given)));
        if is_right { Ok(()) } else { Err(Stranger) }
    }
}

impl From<Stranger> for Problem {
    fn from(_: Stranger) -> Self {
        Self::new(
            Kind::Unauthorized,
            "Este endereço só aceita avisos do fornecedor com o token combinado no cabeçalho \"Authorization\".",
        )
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

    fn knock(door: &CallbackDoor, line: &str) -> Result<(), Stranger> {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_str(line).unwrap());
        door.knock(&headers)
    }

    #[test]
    fn both_documented_spellings_open_and_nothing_else_does() {
        let door = CallbackDoor::new(Some(&"t0ken".into()));
        for line in ["t0ken", " t0ken ", "Bearer t0ken", "bearer   t0ken", "BEARER t0ken"] {
            assert_eq!(knock(&door, line), Ok(()), "{line}");
        }
        for line in ["t0ke", "t0ken.", "T0ken", "Bearer", "Bearer ", "Bearer Bearer t0ken", "Basic t0ken", "é"] {
            assert_eq!(knock(&door, line), Err(Stranger), "{line}");
        }
        assert_eq!(door.knock(&HeaderMap::new()), Err(Stranger));
        let mut twice = HeaderMap::new();
        twice.append(AUTHORIZATION, HeaderValue::from_static("t0ken"));
        twice.append(AUTHORIZATION, HeaderValue::from_static("t0ken"));
        assert_eq!(door.knock(&twice), Err(Stranger));
        assert!(!format!("{door:?}").contains("t0ken"));
    }

    #[test]
    fn without_a_token_nobody_passes() {
        let door = CallbackDoor::new(None);
        for line in ["", "t0ken", "Bearer "] {
            assert_eq!(knock(&door, line), Err(Stranger), "{line}");
        }
    }

    #[test]
    fn whoever_guesses_does_not_shut_the_vendor_out() {
        let door = CallbackDoor::new(Some(&"t0ken".into()));
        for _ in 0..100 {
            assert_eq!(knock(&door, "wrong"), Err(Stranger));
        }
        assert_eq!(knock(&door, "t0ken"), Ok(()));
    }
}
