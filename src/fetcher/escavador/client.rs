//! One request to the vendor: permitted by the account, sent, read within its bounds, judged, written down, and repeated where that
//! may be.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Url};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::timeout_at;

use super::body::understand_beside;
use super::outcome::{self, Repeat, Setback, Verdict};
use super::retry::{self, RetryPolicy, Tries};
use super::tally::Tally;
use super::wire::{ErrorBody, WrongShape};
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::fetcher::FetcherSettings;
use crate::fetcher::account::{Account, End, Errand, Session};
use crate::fetcher::messages::Failure;
use crate::fetcher::transport::{self, Base, Broken, SetupError};
use crate::ledger::call::{CallOutcome, Charge, Endpoint};
use crate::resilience::backoff::Backoff;
use crate::resilience::deadline::Deadline;

/// The variables that a client is made of, for whoever has to put them right.
const KEY: &str = "ESCAVADOR_API_KEY";
const BASE_URL: &str = "ESCAVADOR_BASE_URL";

/// Without it the vendor's framework may answer an error with a page or a redirect.
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// An error's body is waited for no longer: its status has said the essential.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(1);

/// What an answer cost, in centavos of a real.
const COST: HeaderName = HeaderName::from_static("creditos-utilizados");

/// An answer that stands.
#[derive(Debug)]
pub(super) enum Reply<T> {
    /// What was asked for, the JSON it was read from, and when it arrived.
    Found { content: T, raw: String, at: DateTime<Utc> },
    /// The vendor has no such thing.
    Absent,
    /// The vendor is at it already; what it says of the earlier request.
    Busy(Option<Value>),
}

/// What is asked, and how the answer is read.
pub(super) struct Question<'a, T> {
    pub(super) endpoint: Endpoint,
    /// From `/api/` on.
    pub(super) path: &'a str,
    pub(super) decode: fn(Value) -> Result<T, WrongShape>,
}

/// What was heard of an answer, however far it came.
struct Heard {
    status: Option<u16>,
    charge: Charge,
}

/// The HTTP client of one account. Its connections live on the arbiter that made it.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Base,
    session: Session,
    policy: RetryPolicy,
    max_body: usize,
    clock: SharedClock,
    random: SharedRandom,
}

impl Client {
    pub(super) fn new(
        key: &SecretString,
        settings: &FetcherSettings,
        account: Arc<Account>,
        clock: SharedClock,
        random: SharedRandom,
    ) -> Result<Self, SetupError> {
        let base = Base::parse(&settings.base_url, BASE_URL)?;
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, transport::authorization("Bearer", key, KEY)?),
            (ACCEPT, HeaderValue::from_static("application/json")),
            (REQUESTED_WITH, HeaderValue::from_static("XMLHttpRequest")),
        ]);
        let http = transport::http_client(&base, headers, settings.connect_timeout, settings.max_in_flight)?;
        let policy = RetryPolicy {
            max_attempts: settings.max_attempts,
            backoff: Backoff { base: settings.retry_base, cap: settings.retry_cap, ..Backoff::default() },
            longest_wait: settings.retry_cap,
            full_try: settings.request_timeout,
        };
        Ok(Self { http, base, session: Session::new(account), policy, max_body: settings.max_body, clock, random })
    }

    pub(super) fn account(&self) -> &Account {
        self.session.account()
    }

    /// Gets one path, repeating what may be repeated; everything sent is tallied.
    ///
    /// # Errors
    /// The last [`Setback`].
    pub(super) async fn get<T: Send + 'static>(
        &self,
        question: &Question<'_, T>,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<Reply<T>, Setback> {
        let url = self.address(question.path)?;
        let mut tries = Tries::default();
        let mut last = None;
        self.session.account().tried();
        loop {
            let request = self.http.request(Method::GET, url.clone());
            let setback = match self.attempt(question, request, errand, tally).await {
                Ok(reply) => return Ok(reply),
                // What the vendor did says more than that we could not ask it again.
                Err(Stopped::Refused(refusal)) => return Err(last.unwrap_or(refusal)),
                Err(Stopped::Failed(setback)) => setback,
            };
            tries.note(&setback);
            let (remaining, fraction) = (errand.deadline.remaining(self.clock.monotonic()), self.random.fraction());
            match self.policy.pause(tries, &setback, remaining, fraction) {
                Some(pause) if self.session.account().may_retry() => tokio::time::sleep(pause).await,
                _ => return Err(self.advised(setback)),
            }
            last = Some(setback);
        }
    }

    /// A path that would leave our own base leads nowhere.
    fn address(&self, path: &str) -> Result<Url, Setback> {
        self.base.join(path).ok_or(Setback::of(Failure::EndlessPages, Repeat::Never))
    }

    /// Posts to one path, once: whether a second time would be a second order, nobody can tell.
    ///
    /// # Errors
    /// The [`Setback`].
    pub(super) async fn post<T: Send + 'static>(
        &self,
        question: &Question<'_, T>,
        body: &Value,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<Reply<T>, Setback> {
        let request = self.http.request(Method::POST, self.address(question.path)?).json(body);
        self.session.account().tried();
        self.attempt(question, request, errand, tally).await.map_err(|stopped| match stopped {
            Stopped::Refused(setback) | Stopped::Failed(setback) => self.advised(setback),
        })
    }

    async fn attempt<T: Send + 'static>(
        &self,
        question: &Question<'_, T>,
        request: RequestBuilder,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<Reply<T>, Stopped> {
        let begun = self.session.begin(question.endpoint, errand, tally.requests > 0).await;
        let permit = begun.map_err(|refusal| {
            let setback = Setback::of(refusal.failure, Repeat::Never);
            Stopped::Refused(Setback { retry_after: refusal.retry_after, ..setback })
        })?;
        let until = errand.deadline.cap(self.clock.monotonic(), self.policy.full_try);
        let mut heard = Heard { status: None, charge: Charge::Silent };
        tally.count_request();
        let exchange = self.exchange(question, request, &mut heard);
        let answer = match timeout_at(until.instant().into(), exchange).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Setback::timed_out()),
        };
        let outcome = outcome_of(&answer);
        let retry_after =
            answer.as_ref().err().map(|setback| self.advised(*setback)).and_then(|setback| setback.retry_after);
        let end = End { outcome, status: heard.status, charge: heard.charge, retry_after };
        tally.charge(permit.end(end).await);
        answer.map_err(Stopped::Failed)
    }

    async fn exchange<T: Send + 'static>(
        &self,
        question: &Question<'_, T>,
        request: RequestBuilder,
        heard: &mut Heard,
    ) -> Result<Reply<T>, Setback> {
        let response = request.send().await.map_err(|error| {
            if error.is_connect() {
                heard.charge = Charge::NotSent;
            }
            setback_in_sending(&error)
        })?;
        let at = self.clock.now();
        let status = response.status();
        heard.status = Some(status.as_u16());
        // Before the body: an answer that breaks off was charged as well.
        if let Some(centavos) = transport::header(&response, &COST).and_then(outcome::centavos) {
            heard.charge = Charge::Said(centavos);
        }
        if status.is_success() {
            let body =
                transport::read_body(response, self.max_body).await.map_err(|(_part, broken)| setback_of(broken))?;
            let (content, raw) = understand_beside(body, question.decode).await?;
            return Ok(Reply::Found { content, raw, at });
        }
        let retry_after =
            transport::header(&response, &RETRY_AFTER).and_then(|advice| transport::retry_after(advice, at));
        let until = Deadline::after(self.clock.monotonic(), ERROR_BODY_WAIT);
        let body = transport::read_error_body(response, until).await;
        match outcome::judge(status.as_u16(), retry_after, &body) {
            Verdict::Absent => Ok(Reply::Absent),
            Verdict::Busy => Ok(Reply::Busy(ErrorBody::decode(&body).and_then(|error| error.appends))),
            // Success was dealt with above.
            Verdict::Usable => Err(Setback::unreadable()),
            Verdict::Failed(setback) => {
                explain(question.endpoint, status.as_u16(), &body);
                Err(setback)
            }
        }
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

/// Why an attempt gave no reply.
enum Stopped {
    /// It was not made.
    Refused(Setback),
    /// It failed.
    Failed(Setback),
}

fn outcome_of<T>(answer: &Result<Reply<T>, Setback>) -> CallOutcome {
    match answer {
        Ok(Reply::Found { .. }) => CallOutcome::Ok,
        Ok(Reply::Absent) => CallOutcome::Unknown,
        Ok(Reply::Busy(_)) => CallOutcome::Busy,
        Err(setback) => setback.failure.into(),
    }
}

fn setback_of(broken: Broken) -> Setback {
    match broken {
        Broken::TooLarge => Setback::unreadable(),
        Broken::CutOff => Setback::cut_off(),
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
