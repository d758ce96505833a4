//! One request to the vendor: admitted, sent, read within its bounds, judged, and repeated where that may be.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use thiserror::Error;
use tokio::time::timeout_at;

use super::outcome::{self, Repeat, Setback, Verdict};
use super::retry::{self, RetryPolicy, Tries};
use super::tally::Tally;
use super::wire::{ErrorBody, WrongShape};
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::fetcher::FetcherSettings;
use crate::domain::caller::Lane;
use crate::domain::snapshot::Provider;
use crate::fetcher::messages::Failure;
use crate::fetcher::pace::{Held, Limiter, Pace};
use crate::fetcher::tls::install_cryptography;
use crate::resilience::backoff::Backoff;
use crate::resilience::deadline::Deadline;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::UpstreamLabels;

/// What an answer cost, in centavos of a real.
const COST: HeaderName = HeaderName::from_static("creditos-utilizados");

/// Without it the vendor's framework may answer an error with a page or a redirect.
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Bytes of JSON that are read in a few milliseconds.
const READ_IN_PLACE: usize = 512 * 1024;

/// An error's body is worth this much, in bytes and in waiting: its status has said the essential.
const ERROR_BODY: usize = 64 * 1024;
const ERROR_BODY_WAIT: Duration = Duration::from_secs(1);

/// Why no client can be made of the settings.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The key cannot stand in a header.
    #[error("the key holds characters that no header can carry; copy ESCAVADOR_API_KEY again, without line breaks")]
    Key,
    /// The address is none.
    #[error(
        "the address is no http or https one with a host; set ESCAVADOR_BASE_URL to something like https://api.escavador.com"
    )]
    BaseUrl,
    /// The HTTP client refuses to be built; without certificates on the machine, above all.
    #[error("the http client cannot be built (are the machine's certificates, ca-certificates, installed?)")]
    Http(#[source] reqwest::Error),
}

impl SetupError {
    /// What every fetch fails with until the settings are right.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Key => Failure::Unauthorized,
            Self::BaseUrl | Self::Http(_) => Failure::Unreachable,
        }
    }
}

/// The vendor's routes that are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Cover,
    Movements,
}

impl Endpoint {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cover => "cover",
            Self::Movements => "movements",
        }
    }
}

/// An answer that stands.
#[derive(Debug)]
pub(super) enum Reply<T> {
    /// What was asked for, the JSON it was read from, and when it arrived.
    Found { content: T, raw: String, at: DateTime<Utc> },
    /// The vendor has no such thing.
    Absent,
}

/// The HTTP client of one account. Its connections live on the arbiter that made it.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Base,
    limiter: Limiter,
    policy: RetryPolicy,
    max_body: usize,
    clock: SharedClock,
    random: SharedRandom,
    metrics: Metrics,
}

impl Client {
    pub(super) fn new(
        key: &SecretString,
        settings: FetcherSettings,
        pace: Arc<Pace>,
        clock: SharedClock,
        random: SharedRandom,
        metrics: Metrics,
    ) -> Result<Self, SetupError> {
        let base = Base::parse(&settings.base_url)?;
        let http = http_client(key, &settings, &base)?;
        let limiter = Limiter::new(pace, settings.max_in_flight, Arc::clone(&clock));
        let policy = RetryPolicy {
            max_attempts: settings.max_attempts,
            backoff: Backoff { base: settings.retry_base, cap: settings.retry_cap, ..Backoff::default() },
            longest_wait: settings.retry_cap,
            full_try: settings.request_timeout,
        };
        Ok(Self { http, base, limiter, policy, max_body: settings.max_body, clock, random, metrics })
    }

    /// Gets one path and reads it with `decode`, repeating what may be repeated; everything sent is tallied.
    ///
    /// # Errors
    /// The last [`Setback`].
    pub(super) async fn get<T: Send + 'static>(
        &self,
        endpoint: Endpoint,
        path: &str,
        decode: fn(Value) -> Result<T, WrongShape>,
        deadline: Deadline,
        tally: &mut Tally,
    ) -> Result<Reply<T>, Setback> {
        let url = self.base.join(path)?;
        let mut tries = Tries::default();
        let mut last = None;
        loop {
            // What the vendor did says more than that we could not ask it again.
            let admission = self
                .limiter
                .admit(Lane::Interactive, deadline)
                .await
                .map_err(|held| last.unwrap_or(setback_of(held)))?;
            if deadline.is_over(self.clock.monotonic()) {
                return Err(last.unwrap_or(Setback::of(Failure::TimedOut, Repeat::Never)));
            }
            let attempt = self.attempt(endpoint, url.clone(), decode, deadline, tally).await;
            drop(admission);
            self.count(endpoint, &attempt);
            let setback = match attempt {
                Ok(reply) => return Ok(reply),
                Err(setback) => setback,
            };
            tries.note(&setback);
            let (remaining, fraction) = (deadline.remaining(self.clock.monotonic()), self.random.fraction());
            match self.policy.pause(tries, &setback, remaining, fraction) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(self.advised(setback)),
            }
            last = Some(setback);
        }
    }

    async fn attempt<T: Send + 'static>(
        &self,
        endpoint: Endpoint,
        url: Url,
        decode: fn(Value) -> Result<T, WrongShape>,
        deadline: Deadline,
        tally: &mut Tally,
    ) -> Result<Reply<T>, Setback> {
        let until = deadline.cap(self.clock.monotonic(), self.policy.full_try);
        tally.count_request();
        match timeout_at(until.instant().into(), self.exchange(endpoint, url, decode, tally)).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(Setback::timed_out()),
        }
    }

    async fn exchange<T: Send + 'static>(
        &self,
        endpoint: Endpoint,
        url: Url,
        decode: fn(Value) -> Result<T, WrongShape>,
        tally: &mut Tally,
    ) -> Result<Reply<T>, Setback> {
        let response = self.http.get(url).send().await.map_err(|error| setback_in_sending(&error))?;
        let at = self.clock.now();
        // Before the body: an answer that breaks off was charged as well.
        tally.charge(header(&response, &COST));
        let status = response.status();
        if status.is_success() {
            let body = read(response, self.max_body).await.map_err(|(_part, setback)| setback)?;
            let (content, raw) = understand_beside(body, decode).await?;
            return Ok(Reply::Found { content, raw, at });
        }
        let retry_after = header(&response, &RETRY_AFTER).and_then(|advice| outcome::retry_after(advice, at));
        let body = read_error(response, Deadline::after(self.clock.monotonic(), ERROR_BODY_WAIT)).await;
        match outcome::judge(status.as_u16(), retry_after, &body) {
            Verdict::Absent => Ok(Reply::Absent),
            // Success was dealt with above.
            Verdict::Usable => Err(Setback::unreadable()),
            Verdict::Failed(setback) => {
                explain(endpoint, status.as_u16(), &body);
                Err(setback)
            }
        }
    }

    fn count<T>(&self, endpoint: Endpoint, attempt: &Result<Reply<T>, Setback>) {
        let outcome = match attempt {
            Ok(Reply::Found { .. }) => "ok",
            Ok(Reply::Absent) => "unknown",
            Err(setback) => setback.failure.as_str(),
        };
        let labels = UpstreamLabels { provider: Provider::Escavador.as_str(), endpoint: endpoint.as_str(), outcome };
        self.metrics.upstream_requests.get_or_create(&labels).inc();
    }

    /// A limit without a date is one until the next minute.
    fn advised(&self, setback: Setback) -> Setback {
        if setback.failure == Failure::RateLimited && setback.retry_after.is_none() {
            let advice = retry::next_minute(self.clock.now(), self.random.fraction());
            return Setback { retry_after: Some(advice), ..setback };
        }
        setback
    }
}

/// Scheme, host and port that every request goes to, and no other.
#[derive(Debug)]
struct Base {
    /// Without a slash at its end.
    text: String,
    url: Url,
}

impl Base {
    fn parse(text: &str) -> Result<Self, SetupError> {
        let text = text.trim().trim_end_matches('/').to_owned();
        let url = Url::parse(&text).map_err(|_not_an_address| SetupError::BaseUrl)?;
        let plain = url.username().is_empty() && url.password().is_none();
        let bare = url.query().is_none() && url.fragment().is_none();
        let usable = matches!(url.scheme(), "http" | "https") && url.has_host() && plain && bare;
        usable.then_some(Self { text, url }).ok_or(SetupError::BaseUrl)
    }

    fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The address of a path. That it is still ours is checked once more here, whoever put the path together.
    fn join(&self, path: &str) -> Result<Url, Setback> {
        let url = Url::parse(&format!("{}{path}", self.text)).ok();
        url.filter(|url| path.starts_with('/') && url.origin() == self.url.origin())
            .ok_or(Setback::of(Failure::EndlessPages, Repeat::Never))
    }
}

fn http_client(key: &SecretString, settings: &FetcherSettings, base: &Base) -> Result<reqwest::Client, SetupError> {
    install_cryptography();
    let bearer = format!("Bearer {}", key.expose_secret().trim());
    let mut bearer = HeaderValue::from_str(&bearer).map_err(|_no_header| SetupError::Key)?;
    bearer.set_sensitive(true);
    let headers = HeaderMap::from_iter([
        (AUTHORIZATION, bearer),
        (ACCEPT, HeaderValue::from_static("application/json")),
        (REQUESTED_WITH, HeaderValue::from_static("XMLHttpRequest")),
    ]);
    let builder = reqwest::Client::builder()
        .default_headers(headers)
        .user_agent(concat!("juscache/", env!("CARGO_PKG_VERSION")))
        // A redirect would carry the key to wherever it points.
        .redirect(reqwest::redirect::Policy::none())
        // Repeating is decided in one place, and counted.
        .retry(reqwest::retry::never())
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(settings.max_in_flight)
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

fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Reads a body piece by piece, so that none larger than `cap` is ever held; with what was read when it breaks off.
async fn read(mut response: Response, cap: usize) -> Result<Vec<u8>, (Vec<u8>, Setback)> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > cap => {
                return Err((body, Setback::unreadable()));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "the vendor's answer breaks off");
                return Err((body, Setback::cut_off()));
            }
        }
    }
}

/// As much of an error's body as comes at once.
async fn read_error(response: Response, until: Deadline) -> Vec<u8> {
    match timeout_at(until.instant().into(), read(response, ERROR_BODY)).await {
        Ok(Ok(body)) | Ok(Err((body, _))) => body,
        Err(_elapsed) => Vec::new(),
    }
}

/// Reads a whole body, a large one beside the arbiter: the other fetches, and the heartbeat, go on meanwhile.
async fn understand_beside<T: Send + 'static>(
    body: Vec<u8>,
    decode: fn(Value) -> Result<T, WrongShape>,
) -> Result<(T, String), Setback> {
    if body.len() <= READ_IN_PLACE {
        return understand(body, decode);
    }
    tokio::task::spawn_blocking(move || understand(body, decode))
        .await
        .unwrap_or_else(|_panic| Err(Setback::unreadable()))
}

/// Reads a whole body. One that ends too early may come whole the next time; one of another form would come again.
fn understand<T>(body: Vec<u8>, decode: fn(Value) -> Result<T, WrongShape>) -> Result<(T, String), Setback> {
    let raw = String::from_utf8(body).map_err(|_not_text| Setback::unreadable())?;
    let value: Value = serde_json::from_str(&raw)
        .map_err(|error| if error.is_eof() { Setback::cut_off() } else { Setback::unreadable() })?;
    let content = decode(value).map_err(|WrongShape| Setback::unreadable())?;
    Ok((content, raw))
}

fn setback_of(held: Held) -> Setback {
    match held {
        Held::Paced { retry_after } => {
            Setback { retry_after: Some(retry_after), ..Setback::of(Failure::RateLimited, Repeat::Never) }
        }
        // All our requests are at the vendor and none comes back: it is slow.
        Held::Full => Setback::of(Failure::TimedOut, Repeat::Never),
    }
}

/// Whatever broke before there was a status. A connection that was not made in time counts as unreachable: nothing was asked yet.
fn setback_in_sending(error: &reqwest::Error) -> Setback {
    if error.is_connect() {
        tracing::debug!("the vendor cannot be connected to");
        Setback::of(Failure::Unreachable, Repeat::Freely)
    } else if error.is_timeout() {
        Setback::timed_out()
    } else {
        // The connection closed without an answer, perhaps after the request was served.
        tracing::debug!("the vendor closes the connection without an answer");
        Setback::of(Failure::Unreachable, Repeat::Once)
    }
}

/// Says which error it was, for whoever has to find out why. The vendor's sentences stay out of the log.
fn explain(endpoint: Endpoint, status: u16, body: &[u8]) {
    let error = ErrorBody::decode(body);
    let code = error.as_ref().and_then(|error| error.code.as_deref()).unwrap_or("none");
    let fields = error.as_ref().map(|error| error.fields.join(",")).unwrap_or_default();
    tracing::debug!(endpoint = endpoint.as_str(), status, code, fields, "the vendor answers with an error");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_scheme_and_host_and_perhaps_a_path() {
        for text in ["https://api.escavador.com", "http://127.0.0.1:9/", " http://proxy.example/escavador/ "] {
            assert!(Base::parse(text).is_ok(), "{text:?}");
        }
        for text in [
            "",
            "api.escavador.com",
            "ftp://x",
            "https://",
            "https://k:p@x",
            "https://x/?a=1",
            "https://x#a",
            "file:///x",
        ] {
            assert!(Base::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn no_path_leaves_the_base() {
        let base = Base::parse("https://api.example/").unwrap();
        assert_eq!(base.join("/api/v2/x?a=1").unwrap().as_str(), "https://api.example/api/v2/x?a=1");
        assert_eq!(base.join("/api/v2/../../y").unwrap().host_str(), Some("api.example"));
        for path in [".evil.example/api/v2/x", "@evil.example/api/v2/x", ":9/api/v2/x", "", "\t.evil.example/"] {
            assert_eq!(base.join(path).unwrap_err().failure, Failure::EndlessPages, "{path:?}");
        }
    }

    #[test]
    fn a_body_that_ends_early_is_told_from_one_of_another_form() {
        let repeat = |body: &[u8]| understand(body.to_vec(), Ok::<Value, WrongShape>).unwrap_err().repeat;
        assert_eq!(repeat(br#"{"items":[{"id":1,"#), Repeat::Once);
        assert_eq!(repeat(b""), Repeat::Once);
        assert_eq!(repeat(b"<html>"), Repeat::Never);
        assert_eq!(repeat(b"{\"a\":\"\xff\"}"), Repeat::Never);
        assert_eq!(understand(b"{}".to_vec(), |_| Err::<(), _>(WrongShape)).unwrap_err().repeat, Repeat::Never);
    }
}
