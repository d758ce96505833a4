//! Carries one message to a subscriber: one attempt, bounded, to nowhere else.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use secrecy::SecretString;
use tokio::time::timeout;

use super::signature;
use super::target::{self, Gate, TargetError};
use crate::fetcher::tls::install_cryptography;

static WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
static WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
static WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Connections to one subscriber that are kept for the next message, and for how long: less than servers keep them.
const IDLE_EACH: usize = 2;
const IDLE: Duration = Duration::from_secs(20);

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 2xx.
    Taken(u16),
    /// 410: it wants nothing any more.
    Gone(u16),
    /// A redirect, which is not followed: its target was checked by nobody.
    Redirected(u16),
    /// Any other status.
    Refused(u16),
    /// No answer in time.
    TimedOut,
    /// No connection, or it broke.
    Unreachable,
    /// The address leads to where webhooks may not go.
    Forbidden,
    /// The address or the secret, as stored, is none.
    Unusable,
}

impl Outcome {
    /// The word for the metric, the table and logs.
    #[must_use]
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Taken(_) => "delivered",
            Self::Gone(_) => "gone",
            Self::Redirected(_) => "redirected",
            Self::Refused(_) => "refused",
            Self::TimedOut => "timed-out",
            Self::Unreachable => "unreachable",
            Self::Forbidden => "forbidden-address",
            Self::Unusable => "unusable",
        }
    }

    /// The answer's status, if there was an answer.
    #[must_use]
    pub(super) fn status(self) -> Option<u16> {
        match self {
            Self::Taken(status) | Self::Gone(status) | Self::Redirected(status) | Self::Refused(status) => Some(status),
            Self::TimedOut | Self::Unreachable | Self::Forbidden | Self::Unusable => None,
        }
    }

    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            taken @ 200..=299 => Self::Taken(taken),
            410 => Self::Gone(410),
            redirected @ 300..=399 => Self::Redirected(redirected),
            refused => Self::Refused(refused),
        }
    }
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Letter<'a> {
    /// The `webhook-id`.
    pub(super) id: &'a str,
    /// Where to.
    pub(super) url: &'a str,
    /// What to sign with.
    pub(super) secret: &'a SecretString,
    /// Seconds since 1970, of this attempt.
    pub(super) timestamp: i64,
    /// The body.
    pub(super) body: Bytes,
}

/// Sends messages.
pub(super) struct Postman {
    client: Option<reqwest::Client>,
    gate: Gate,
    within: Duration,
}

impl Postman {
    /// One that gives every attempt so long.
    #[must_use]
    pub(super) fn new(gate: Gate, within: Duration) -> Self {
        install_cryptography();
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("juscache/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                // It would look names up itself, and speak to whoever it is told.
                .no_proxy()
                .dns_resolver(gate.clone())
                .connect_timeout(within)
                .pool_max_idle_per_host(IDLE_EACH)
                .pool_idle_timeout(IDLE)
        };
        // A bare machine has no certificates: plain addresses work there all the same.
        let client = builder().build().or_else(|error| {
            tracing::warn!(%error, "no certificates on this machine; webhooks reach http addresses only");
            builder().tls_certs_only(std::iter::empty()).build()
        });
        if let Err(error) = &client {
            tracing::error!(%error, "the http client of the webhooks cannot be built");
        }
        Self { client: client.ok(), gate, within }
    }

    /// Tries once.
    pub(super) async fn send(&self, letter: Letter<'_>) -> Outcome {
        let Ok(url) = target::parse(letter.url) else { return Outcome::Unusable };
        // Such an address passes the client's resolver by.
        if self.gate.check_literal(&url).is_err() {
            return Outcome::Forbidden;
        }
        let signature = signature::sign(letter.secret, letter.id, letter.timestamp, &letter.body);
        let (Some(client), Some(signature)) = (&self.client, signature) else { return Outcome::Unusable };
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(&WEBHOOK_ID, letter.id)
            .header(&WEBHOOK_TIMESTAMP, letter.timestamp)
            .header(&WEBHOOK_SIGNATURE, signature)
            .body(letter.body);
        // The answer's body says nothing to us and is not read.
        match timeout(self.within, request.send()).await {
            Ok(Ok(response)) => Outcome::of_status(response.status()),
            Ok(Err(error)) if is_forbidden(&error) => Outcome::Forbidden,
            Ok(Err(error)) if error.is_timeout() => Outcome::TimedOut,
            Ok(Err(_unreachable)) => Outcome::Unreachable,
            Err(_elapsed) => Outcome::TimedOut,
        }
    }
}

/// Whether the gate is behind an error.
fn is_forbidden(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(TargetError::Forbidden(_))) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;

    use super::super::target::tests::Always;
    use super::*;

    async fn send(postman: &Postman, url: &str) -> Outcome {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
        let letter = Letter { id: "msg_1", url, secret: &secret, timestamp: 1, body: Bytes::from_static(b"{}") };
        postman.send(letter).await
    }

    fn postman(addresses: &'static [&'static str], allows_private: bool) -> Postman {
        Postman::new(Gate::new(Arc::new(Always(addresses)), allows_private), Duration::from_secs(5))
    }

    #[test]
    fn every_status_has_its_meaning() {
        let of = |status| Outcome::of_status(StatusCode::from_u16(status).unwrap());
        assert_eq!((of(200), of(204), of(299)), (Outcome::Taken(200), Outcome::Taken(204), Outcome::Taken(299)));
        assert_eq!((of(301), of(307)), (Outcome::Redirected(301), Outcome::Redirected(307)));
        assert_eq!(
            (of(410), of(404), of(500), of(101)),
            (Outcome::Gone(410), Outcome::Refused(404), Outcome::Refused(500), Outcome::Refused(101))
        );
    }

    #[actix_rt::test]
    #[expect(clippy::disallowed_methods, reason = "the receiver is a thread of the test")]
    async fn a_name_that_leads_inside_is_never_connected_to() {
        let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = receiver.local_addr().unwrap().port();
        let url = format!("http://hooks.example.com:{port}/");
        assert_eq!(send(&postman(&["127.0.0.1"], false), &url).await, Outcome::Forbidden);
        assert_eq!(
            send(&postman(&["127.0.0.1"], false), &format!("http://127.0.0.1:{port}/")).await,
            Outcome::Forbidden
        );
        receiver.set_nonblocking(true).unwrap();
        assert_eq!(receiver.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody came");

        // The same name through an open gate arrives: it was the gate.
        receiver.set_nonblocking(false).unwrap();
        let served = std::thread::spawn(move || {
            let (mut socket, _) = receiver.accept().unwrap();
            let mut head = [0; 2048];
            let read = socket.read(&mut head).unwrap();
            socket.write_all(b"HTTP/1.1 204 X\r\nconnection: close\r\n\r\n").unwrap();
            String::from_utf8_lossy(&head[..read]).to_ascii_lowercase()
        });
        assert_eq!(send(&postman(&["127.0.0.1"], true), &url).await, Outcome::Taken(204));
        let head = served.join().unwrap();
        for line in ["post / http/1.1", "webhook-id: msg_1", "webhook-timestamp: 1", "webhook-signature: v1,"] {
            assert!(head.contains(line), "{head}");
        }
    }

    #[actix_rt::test]
    async fn what_cannot_be_sent_says_why() {
        let postman = postman(&["127.0.0.1"], true);
        assert_eq!(send(&postman, "no address").await, Outcome::Unusable);
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(send(&postman, &format!("http://{closed}/")).await, Outcome::Unreachable);
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let hasty = Postman { within: Duration::from_millis(50), ..postman };
        assert_eq!(send(&hasty, &format!("http://{}/", silent.local_addr().unwrap())).await, Outcome::TimedOut);
    }
}
