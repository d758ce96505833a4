//! One request to the vendor: sent, read within its bounds, judged.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use secrecy::SecretString;
use serde_json::Value;

use super::outcome::{self, Verdict};
use super::wire::ErrorBody;
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::fetcher::FetcherSettings;
use crate::fetcher::account::{Account, Errand, Session};
use crate::fetcher::asking::{Asking, ERROR_BODY_WAIT, Exchange, Heard};
use crate::fetcher::body::{Spoilt, read_json};
use crate::fetcher::lenient::WrongShape;
use crate::fetcher::messages::Failure;
use crate::fetcher::retry::{Limit, RetryPolicy};
use crate::fetcher::setback::{Repeat, Setback};
use crate::fetcher::tally::Tally;
use crate::fetcher::transport::{self, Base, SetupError, Unanswered};
use crate::ledger::call::{CallOutcome, Charge, Endpoint};
use crate::resilience::backoff::Backoff;
use crate::resilience::deadline::Deadline;

/// The variables that a client is made of, for whoever has to put them right.
const KEY: &str = "ESCAVADOR_API_KEY";
const BASE_URL: &str = "ESCAVADOR_BASE_URL";

/// Without it the vendor's framework may answer an error with a page or a redirect.
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

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

/// The HTTP client of one account. Its connections live on the arbiter that made it.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Base,
    asking: Asking,
    max_body: usize,
}

/// One request as it is sent.
struct Request<'a, T> {
    client: &'a Client,
    question: &'a Question<'a, T>,
    url: Url,
    how: How<'a>,
}

/// What is done at an address.
#[derive(Clone, Copy)]
enum How<'a> {
    Get,
    Post(&'a Value),
    Delete,
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
            limit: Limit::ByTheMinute,
        };
        let session = Session::new(account);
        let asking = Asking { session, policy, unheard: Charge::Silent, timed_out: Repeat::Once, clock, random };
        Ok(Self { http, base, asking, max_body: settings.max_body })
    }

    pub(super) fn account(&self) -> &Account {
        self.asking.account()
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
        let request = Request { client: self, question, url: self.address(question.path)?, how: How::Get };
        self.asking.ask(&request, errand, tally).await
    }

    /// Posts to one path, once: whether a second time would be a second order, nobody can tell.
    ///
    /// # Errors
    /// The [`Setback`].
    pub(super) async fn post<T: Send + 'static>(
        &self,
        question: &Question<'_, T>,
        order: &Value,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<Reply<T>, Setback> {
        let request = Request { client: self, question, url: self.address(question.path)?, how: How::Post(order) };
        self.asking.ask_once(&request, errand, tally).await
    }

    /// Removes what is at one path, repeating what may be repeated: what is gone cannot be removed twice. The body of a success is not
    /// looked at; `decode` gets null.
    ///
    /// # Errors
    /// The last [`Setback`].
    pub(super) async fn delete<T: Send + 'static>(
        &self,
        question: &Question<'_, T>,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<Reply<T>, Setback> {
        let request = Request { client: self, question, url: self.address(question.path)?, how: How::Delete };
        self.asking.ask(&request, errand, tally).await
    }

    /// A path that would leave our own base leads nowhere.
    fn address(&self, path: &str) -> Result<Url, Setback> {
        self.base.join(path).ok_or(Setback::lasting(Failure::EndlessPages))
    }
}

impl<T: Send + 'static> Exchange for Request<'_, T> {
    type Answer = Reply<T>;

    fn endpoint(&self) -> Endpoint {
        self.question.endpoint
    }

    async fn make(&self, heard: &mut Heard) -> Result<Reply<T>, Setback> {
        let Self { client, question, url, how } = self;
        let request = match how {
            How::Get => client.http.request(Method::GET, url.clone()),
            How::Post(order) => client.http.request(Method::POST, url.clone()).json(order),
            How::Delete => client.http.request(Method::DELETE, url.clone()),
        };
        let response = request.send().await.map_err(|error| {
            let unanswered = Unanswered::from(&error);
            if unanswered == Unanswered::NotConnected {
                heard.charge = Charge::NotSent;
            }
            setback_of(unanswered)
        })?;
        let clock = &client.asking.clock;
        let at = clock.now();
        let status = response.status();
        heard.status = Some(status.as_u16());
        // Before the body: an answer that breaks off was charged as well.
        if let Some(centavos) = transport::header(&response, &COST).and_then(outcome::centavos) {
            heard.charge = Charge::Said(centavos);
        }
        if status.is_success() && matches!(how, How::Delete) {
            // A 204 has none, although the documentation prints one.
            let content = (question.decode)(Value::Null).map_err(|WrongShape| Setback::lasting(Failure::Unreadable))?;
            return Ok(Reply::Found { content, raw: String::new(), at });
        }
        if status.is_success() {
            let (content, raw) = read_json(response, client.max_body, question.decode).await.map_err(spoilt)?;
            return Ok(Reply::Found { content, raw, at });
        }
        let retry_after =
            transport::header(&response, &RETRY_AFTER).and_then(|advice| transport::retry_after(advice, at));
        let until = Deadline::after(clock.monotonic(), ERROR_BODY_WAIT);
        let body = transport::read_error_body(response, until).await;
        match outcome::judge(status.as_u16(), retry_after, &body) {
            Verdict::Absent => Ok(Reply::Absent),
            Verdict::Busy => Ok(Reply::Busy(ErrorBody::decode(&body).and_then(|error| error.appends))),
            // Success was dealt with above.
            Verdict::Usable => Err(Setback::lasting(Failure::Unreadable)),
            Verdict::Failed(setback) => {
                explain(question.endpoint, status.as_u16(), &body);
                Err(setback)
            }
        }
    }

    fn outcome(answer: &Reply<T>) -> CallOutcome {
        match answer {
            Reply::Found { .. } => CallOutcome::Ok,
            Reply::Absent => CallOutcome::Unknown,
            Reply::Busy(_) => CallOutcome::Busy,
        }
    }
}

fn spoilt(spoilt: Spoilt) -> Setback {
    match spoilt {
        Spoilt::EndsEarly => Setback::of(Failure::Unreadable, Repeat::Once),
        Spoilt::OtherForm => Setback::lasting(Failure::Unreadable),
    }
}

fn setback_of(unanswered: Unanswered) -> Setback {
    match unanswered {
        Unanswered::NotConnected => Setback::passing(Failure::Unreachable),
        Unanswered::TimedOut => Setback::of(Failure::TimedOut, Repeat::Once),
        Unanswered::Closed => Setback::of(Failure::Unreachable, Repeat::Once),
    }
}

/// Says which error it was, for whoever has to find out why. The vendor's sentences stay out of the log.
fn explain(endpoint: Endpoint, status: u16, body: &[u8]) {
    let error = ErrorBody::decode(body);
    let code = error.as_ref().and_then(|error| error.code.as_deref()).unwrap_or("none");
    let fields = error.as_ref().map(|error| error.fields.join(",")).unwrap_or_default();
    tracing::debug!(endpoint = endpoint.as_str(), status, code, fields, "the vendor answers with an error");
}
