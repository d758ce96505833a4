//! One search in one index: admitted by the account, sent, read within its bounds, judged, repeated where that helps.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};
use serde_json::Value;
use tokio::time::timeout_at;

use super::alias::Alias;
use super::outcome::{self, Patience, Setback, Verdict};
use super::pages::{Pages, Step};
use super::wire::{Answer, ErrorBody, Hit, WrongShape};
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::datajud::DatajudSettings;
use crate::domain::cnj::Cnj;
use crate::fetcher::account::{Account, End, Errand, Session};
use crate::fetcher::messages::Failure;
use crate::fetcher::transport::{self, Base, Broken, SetupError};
use crate::ledger::call::{CallOutcome, Charge, Endpoint};
use crate::resilience::backoff::Backoff;
use crate::resilience::deadline::Deadline;

/// Bytes of JSON that are read in a few milliseconds.
const READ_IN_PLACE: usize = 512 * 1024;

/// An error's body is waited for no longer: its status has said the essential.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(1);

/// Idle connections that are kept: fetches from here are few.
const IDLE_CONNECTIONS: usize = 4;

/// What a search in one index brought.
#[derive(Debug)]
pub(super) enum Reply {
    /// All its hits (perhaps none), and when the first page arrived.
    Hits { hits: Vec<Hit>, at: DateTime<Utc> },
    /// There is no such index.
    NoSuchIndex,
}

/// What one fetch has used up so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Requests sent, retries included.
    pub(super) requests: u32,
    /// Centavos of a real, as far as the account knows: the service is free.
    pub(super) cost_centavos: u64,
}

/// The HTTP client of the service. Its connections live on the arbiter that made it.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Base,
    session: Session,
    patience: Patience,
    settings: DatajudSettings,
    clock: SharedClock,
    random: SharedRandom,
}

/// One answered attempt.
enum Page {
    Found { answer: Answer, at: DateTime<Utc> },
    NoSuchIndex,
}

impl Client {
    pub(super) fn new(
        settings: DatajudSettings,
        account: Arc<Account>,
        clock: SharedClock,
        random: SharedRandom,
    ) -> Result<Self, SetupError> {
        const KEY: &str = "DATAJUD_API_KEY";
        let key = settings.api_key.as_ref().ok_or(SetupError::NoKey { variable: KEY })?;
        let base = Base::parse(&settings.base_url, "DATAJUD_BASE_URL")?;
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, transport::authorization("APIKey", key, KEY)?),
            (ACCEPT, HeaderValue::from_static("application/json")),
        ]);
        let http = transport::http_client(&base, headers, settings.connect_timeout, IDLE_CONNECTIONS)?;
        let patience = Patience {
            max_attempts: settings.max_attempts,
            backoff: Backoff { base: settings.retry_base, cap: settings.retry_cap, ..Backoff::default() },
            longest_wait: settings.retry_cap,
        };
        let session = Session::new(account);
        Ok(Self { http, base, session, patience, settings, clock, random })
    }

    /// Finds every hit of a number in one index; everything sent is tallied.
    ///
    /// # Errors
    /// The [`Setback`] that ended it. What was read until then is dropped: a process with a hole in it would be served for whole.
    pub(super) async fn search(
        &self,
        alias: &Alias,
        cnj: &Cnj,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<Reply, Setback> {
        let url = self.base.join(&alias.path()).ok_or(Setback::lasting(Failure::Unreadable))?;
        let mut pages = Pages::new(cnj, self.settings.page_size, self.settings.max_pages);
        let (mut query, mut hits, mut first_at) = (pages.query(), Vec::new(), None);
        loop {
            let is_first = pages.is_at_first();
            let (answer, at) = match self.ask(&url, &query, errand, tally).await? {
                Page::Found { answer, at } => (answer, at),
                Page::NoSuchIndex if is_first => return Ok(Reply::NoSuchIndex),
                // It was there a moment ago: what we have is no whole process.
                Page::NoSuchIndex => return Err(Setback::lasting(Failure::Unreadable)),
            };
            let at = *first_at.get_or_insert(at);
            let step = pages.after(&answer).map_err(Setback::lasting)?;
            hits.extend(answer.hits);
            match step {
                Step::Whole => return Ok(Reply::Hits { hits, at }),
                Step::Ask(next) => query = next,
            }
        }
    }

    async fn ask(&self, url: &Url, query: &Value, errand: &Errand, tally: &mut Tally) -> Result<Page, Setback> {
        let mut failed = 0_u32;
        let mut last = None;
        self.session.account().tried();
        loop {
            // What the service did says more than that we could not ask it again.
            let begun = self.session.begin(Endpoint::Search, errand, tally.requests > 0).await;
            let permit = begun.map_err(|refusal| last.unwrap_or(Setback::from(refusal)))?;
            if errand.deadline.is_over(self.clock.monotonic()) {
                let outcome = CallOutcome::TimedOut;
                permit.end(End { outcome, status: None, charge: Charge::NotSent, retry_after: None }).await;
                return Err(last.unwrap_or(Setback::lasting(Failure::TimedOut)));
            }
            tally.requests = tally.requests.saturating_add(1);
            let (status, attempt) = self.attempt(url.clone(), query, errand.deadline).await;
            let cost = permit.end(ended(status, &attempt)).await;
            tally.cost_centavos = tally.cost_centavos.saturating_add(cost.centavos());
            let setback = match attempt {
                Ok(page) => return Ok(page),
                Err(setback) => setback,
            };
            failed = failed.saturating_add(1);
            let (remaining, fraction) = (errand.deadline.remaining(self.clock.monotonic()), self.random.fraction());
            match self.patience.pause(failed, &setback, remaining, fraction) {
                Some(pause) if self.session.account().may_retry() => tokio::time::sleep(pause).await,
                _ => return Err(setback),
            }
            last = Some(setback);
        }
    }

    async fn attempt(&self, url: Url, query: &Value, deadline: Deadline) -> (Option<u16>, Result<Page, Setback>) {
        let until = deadline.cap(self.clock.monotonic(), self.settings.request_timeout);
        let mut status = None;
        let exchange = timeout_at(until.instant().into(), self.exchange(url, query, &mut status)).await;
        let attempt = exchange.unwrap_or(Err(Setback::lasting(Failure::TimedOut)));
        (status, attempt)
    }

    async fn exchange(&self, url: Url, query: &Value, status: &mut Option<u16>) -> Result<Page, Setback> {
        let response = self.http.post(url).json(query).send().await.map_err(|error| setback_in_sending(&error))?;
        let at = self.clock.now();
        let code = response.status().as_u16();
        *status = Some(code);
        if response.status().is_success() {
            let answer = self.read(response).await?;
            if answer.is_partial() {
                tracing::debug!(
                    failed_shards = answer.failed_shards,
                    "datajud answers without having asked everywhere"
                );
                return Err(outcome::partial(answer.timed_out));
            }
            return Ok(Page::Found { answer, at });
        }
        let retry_after =
            transport::header(&response, &RETRY_AFTER).and_then(|advice| transport::retry_after(advice, at));
        let until = Deadline::after(self.clock.monotonic(), ERROR_BODY_WAIT);
        let body = transport::read_error_body(response, until).await;
        explain(code, &body);
        match outcome::judge(code, retry_after, &body) {
            Verdict::NoSuchIndex => Ok(Page::NoSuchIndex),
            // Success was dealt with above.
            Verdict::Usable => Err(Setback::lasting(Failure::Unreadable)),
            Verdict::Failed(setback) => Err(setback),
        }
    }

    /// Reads a whole body, a large one beside the arbiter: the other fetches, and the heartbeat, go on meanwhile.
    async fn read(&self, response: Response) -> Result<Answer, Setback> {
        let body =
            transport::read_body(response, self.settings.max_body).await.map_err(|(_part, broken)| match broken {
                Broken::TooLarge => Setback::lasting(Failure::Unreadable),
                Broken::CutOff => Setback::passing(Failure::Unreadable),
            })?;
        if body.len() <= READ_IN_PLACE {
            return understand(&body);
        }
        let read = tokio::task::spawn_blocking(move || understand(&body)).await;
        read.unwrap_or_else(|_panic| Err(Setback::lasting(Failure::Unreadable)))
    }
}

/// What the account is told.
fn ended(status: Option<u16>, attempt: &Result<Page, Setback>) -> End {
    let (outcome, retry_after) = match attempt {
        Ok(Page::Found { answer, .. }) if answer.hits.is_empty() => (CallOutcome::Unknown, None),
        Ok(Page::Found { .. }) => (CallOutcome::Ok, None),
        Ok(Page::NoSuchIndex) => (CallOutcome::Refused, None),
        Err(setback) => (setback.call(), setback.retry_after),
    };
    // The service is free, whatever it answers.
    End { outcome, status, charge: Charge::Said(0), retry_after }
}

/// Reads a whole body. One that ends too early may come whole the next time; one of another form would come again.
fn understand(body: &[u8]) -> Result<Answer, Setback> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        if error.is_eof() { Setback::passing(Failure::Unreadable) } else { Setback::lasting(Failure::Unreadable) }
    })?;
    Answer::decode(value).map_err(|WrongShape| Setback::lasting(Failure::Unreadable))
}

/// Whatever broke before there was a status. A connection that was not made in time counts as unreachable: nothing was asked yet.
fn setback_in_sending(error: &reqwest::Error) -> Setback {
    if error.is_connect() {
        tracing::debug!("datajud cannot be connected to");
        Setback::passing(Failure::Unreachable)
    } else if error.is_timeout() {
        Setback::lasting(Failure::TimedOut)
    } else {
        tracing::debug!("datajud closes the connection without an answer");
        Setback::passing(Failure::Unreachable)
    }
}

/// Says which error it was, for whoever has to find out why.
fn explain(status: u16, body: &[u8]) {
    let error = ErrorBody::decode(body);
    let kind = error.as_ref().and_then(|error| error.kind.as_deref()).unwrap_or("none");
    if status == 401 {
        tracing::warn!(
            kind,
            "datajud refuses the key (key rotated?): the current one is on \
             https://datajud-wiki.cnj.jus.br/api-publica/acesso, set DATAJUD_API_KEY to it"
        );
    } else {
        tracing::debug!(status, kind, "datajud answers with an error");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_ends_early_is_told_from_one_of_another_form() {
        let repeat = |body: &[u8]| understand(body).unwrap_err().repeat;
        assert!(repeat(br#"{"hits":{"hits":[{"_id""#));
        assert!(repeat(b""));
        assert!(!repeat(b"<html>"));
        assert!(!repeat(b"{}"));
        assert!(!repeat(b"{\"a\":\"\xff\"}"));
    }
}
