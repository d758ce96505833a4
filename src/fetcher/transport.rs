//! What every vendor's client needs of HTTP: one address that nothing leaves, a key that no log shows, bodies with an end.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::time::timeout_at;

use super::messages::Failure;
use super::tls::install_cryptography;
use crate::resilience::deadline::Deadline;

/// An error's body is worth this many bytes: its status has said the essential.
const ERROR_BODY: usize = 64 * 1024;

/// Advice to come back later than this is cut to it: a mistake in a header must not stop a process from ever being asked again.
const LONGEST_ADVICE: Duration = Duration::from_secs(24 * 60 * 60);

/// Why no client can be made of the settings. Each names the variable to set.
#[derive(Debug, Error)]
pub enum SetupError {
    /// There is no key.
    #[error("there is no key; set {variable}")]
    NoKey {
        /// The variable.
        variable: &'static str,
    },
    /// The key cannot stand in a header.
    #[error("the key holds characters that no header can carry; copy {variable} again, without line breaks")]
    Key {
        /// The variable.
        variable: &'static str,
    },
    /// The address is none.
    #[error("the address is no http or https one with a host; set {variable} to something like https://host")]
    BaseUrl {
        /// The variable.
        variable: &'static str,
    },
    /// The HTTP client refuses to be built; without certificates on the machine, above all.
    #[error("the http client cannot be built (are the machine's certificates, ca-certificates, installed?)")]
    Http(#[source] reqwest::Error),
}

impl SetupError {
    /// What every fetch fails with until the settings are right.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::NoKey { .. } => Failure::NoProvider,
            Self::Key { .. } => Failure::Unauthorized,
            Self::BaseUrl { .. } | Self::Http(_) => Failure::Unreachable,
        }
    }
}

/// Scheme, host and port that every request of a client goes to, and no other.
#[derive(Debug)]
pub(super) struct Base {
    /// Without a slash at its end.
    text: String,
    url: Url,
}

impl Base {
    /// Reads an address; `variable` is where it came from.
    ///
    /// # Errors
    /// [`SetupError::BaseUrl`] unless it is http or https with a host, without credentials, query or fragment.
    pub(super) fn parse(text: &str, variable: &'static str) -> Result<Self, SetupError> {
        let text = text.trim().trim_end_matches('/').to_owned();
        let url = Url::parse(&text).map_err(|_not_an_address| SetupError::BaseUrl { variable })?;
        let plain = url.username().is_empty() && url.password().is_none();
        let bare = url.query().is_none() && url.fragment().is_none();
        let usable = matches!(url.scheme(), "http" | "https") && url.has_host() && plain && bare;
        usable.then_some(Self { text, url }).ok_or(SetupError::BaseUrl { variable })
    }

    /// The address of a path; `None` if it would not be ours any more, whoever put the path together.
    pub(super) fn join(&self, path: &str) -> Option<Url> {
        let url = Url::parse(&format!("{}{path}", self.text)).ok();
        url.filter(|url| path.starts_with('/') && url.origin() == self.url.origin())
    }

    fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// `<scheme> <key>` as a header that is never shown.
///
/// # Errors
/// [`SetupError::Key`].
pub(super) fn authorization(
    scheme: &str,
    key: &SecretString,
    variable: &'static str,
) -> Result<HeaderValue, SetupError> {
    let text = format!("{scheme} {}", key.expose_secret().trim());
    let mut value = HeaderValue::from_str(&text).map_err(|_no_header| SetupError::Key { variable })?;
    value.set_sensitive(true);
    Ok(value)
}

/// How long a connection is kept that nobody uses: less than servers keep one (60 s and more). A request on a connection that the other
/// side is just closing ends without an answer, and counts as perhaps charged.
const IDLE: Duration = Duration::from_secs(30);

/// A client for `base` that follows no redirect and repeats nothing by itself.
///
/// # Errors
/// [`SetupError::Http`].
pub(super) fn http_client(
    base: &Base,
    headers: HeaderMap,
    connect_timeout: Duration,
    idle_connections: usize,
) -> Result<reqwest::Client, SetupError> {
    install_cryptography();
    let builder = reqwest::Client::builder()
        .default_headers(headers)
        .user_agent(concat!("juscache/", env!("CARGO_PKG_VERSION")))
        // A redirect would carry the key to wherever it points.
        .redirect(reqwest::redirect::Policy::none())
        // Repeating is decided in one place, and counted.
        .retry(reqwest::retry::never())
        .connect_timeout(connect_timeout)
        .pool_max_idle_per_host(idle_connections)
        .pool_idle_timeout(IDLE)
        .https_only(base.is_encrypted());
    let builder = if base.is_encrypted() {
        builder
    } else {
        // A plain address is a sandbox or a proxy of one's own: it needs no certificates, which a bare machine may not have, and no
        // proxy from the environment, which would see the key.
        builder.tls_certs_only(std::iter::empty()).no_proxy()
    };
    builder.build().map_err(SetupError::Http)
}

/// How a request came to nothing before there was a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// No connection was made, in time or at all: nothing was asked.
    NotConnected,
    /// No answer in time.
    TimedOut,
    /// The connection closed without an answer, perhaps after the request was served.
    Closed,
}

impl From<&reqwest::Error> for Unanswered {
    fn from(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            tracing::debug!("the vendor cannot be connected to");
            Self::NotConnected
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            tracing::debug!("the vendor closes the connection without an answer");
            Self::Closed
        }
    }
}

/// A header's text.
pub(super) fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Reads a `Retry-After`: whole seconds or an HTTP date, counted from `now`; a date gone by is no wait.
pub(super) fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let header = header.trim();
    let wait = match header.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_not_seconds) => {
            let date = DateTime::<Utc>::from(httpdate::parse_http_date(header).ok()?);
            (date - now).to_std().unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST_ADVICE))
}

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// It is larger than it may be.
    TooLarge,
    /// The connection ended first.
    CutOff,
}

/// Reads a body piece by piece, so that none larger than `cap` bytes is ever held.
///
/// # Errors
/// What was read until it broke, and how.
pub(super) async fn read_body(mut response: Response, cap: usize) -> Result<Vec<u8>, (Vec<u8>, Broken)> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > cap => return Err((body, Broken::TooLarge)),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "the vendor's answer breaks off");
                return Err((body, Broken::CutOff));
            }
        }
    }
}

/// As much of an error's body as comes until a moment, and never much.
pub(super) async fn read_error_body(response: Response, until: Deadline) -> Vec<u8> {
    match timeout_at(until.instant().into(), read_body(response, ERROR_BODY)).await {
        Ok(Ok(body) | Err((body, _))) => body,
        Err(_elapsed) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn a_base_is_scheme_and_host_and_perhaps_a_path() {
        for text in ["https://api.example", "http://127.0.0.1:9/", " http://proxy.example/datajud/ "] {
            assert!(Base::parse(text, "X").is_ok(), "{text:?}");
        }
        for text in ["", "api.example", "ftp://x", "https://", "https://k:p@x", "https://x/?a=1", "https://x#a"] {
            assert!(matches!(Base::parse(text, "X"), Err(SetupError::BaseUrl { variable: "X" })), "{text:?}");
        }
    }

    #[test]
    fn no_path_leaves_the_base() {
        let base = Base::parse("https://api.example/", "X").unwrap();
        assert_eq!(base.join("/a/_search").unwrap().as_str(), "https://api.example/a/_search");
        assert_eq!(base.join("/a/../../y").unwrap().host_str(), Some("api.example"));
        for path in [".evil.example/x", "@evil.example/x", ":9/x", "", "\t.evil.example/"] {
            assert_eq!(base.join(path), None, "{path:?}");
        }
    }

    #[test]
    fn a_key_is_trimmed_hidden_and_refused_with_a_line_break_in_it() {
        let value = authorization("APIKey", &" k== \n".into(), "X").unwrap();
        assert_eq!((value.to_str().unwrap(), value.is_sensitive()), ("APIKey k==", true));
        assert!(matches!(authorization("APIKey", &"a\nb".into(), "X"), Err(SetupError::Key { variable: "X" })));
    }

    #[test]
    fn advice_comes_in_seconds_or_as_a_date() {
        let now = Utc.with_ymd_and_hms(2026, 8, 21, 12, 0, 0).unwrap();
        let seconds = |text: &str| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(seconds(" 30 "), Some(30));
        assert_eq!(seconds("Fri, 21 Aug 2026 12:01:30 GMT"), Some(90));
        assert_eq!(seconds("Fri, 21 Aug 2026 11:00:00 GMT"), Some(0));
        assert_eq!(seconds("99999999999"), Some(LONGEST_ADVICE.as_secs()));
        for nonsense in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(seconds(nonsense), None, "{nonsense:?}");
        }
    }
}
