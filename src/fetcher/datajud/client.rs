//! One search in one index, page by page: sent, read within its bounds, judged.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::Value;

use super::alias::Alias;
use super::outcome::{self, Verdict};
use super::pages::{Pages, Step};
use super::wire::{Answer, ErrorBody, Hit};
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::datajud::DatajudSettings;
use crate::domain::cnj::Cnj;
use crate::fetcher::account::{Account, Errand, Session};
use crate::fetcher::asking::{Asking, ERROR_BODY_WAIT, Exchange, Heard};
use crate::fetcher::body::{Spoilt, read_json};
use crate::fetcher::messages::Failure;
use crate::fetcher::retry::{Limit, RetryPolicy};
use crate::fetcher::setback::{Repeat, Setback};
use crate::fetcher::tally::Tally;
use crate::fetcher::transport::{self, Base, SetupError, Unanswered};
use crate::ledger::call::{CallOutcome, Charge, Endpoint};
use crate::resilience::backoff::Backoff;
use crate::resilience::deadline::Deadline;

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

/// The HTTP client of the service. Its connections live on the arbiter that made it.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Base,
    asking: Asking,
    settings: DatajudSettings,
}

/// One page's search as it is sent.
struct Search<'a> {
    client: &'a Client,
    url: &'a Url,
    query: &'a Value,
}

/// One answered search.
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
        let policy = RetryPolicy {
            max_attempts: settings.max_attempts,
            backoff: Backoff { base: settings.retry_base, cap: settings.retry_cap, ..Backoff::default() },
            longest_wait: settings.retry_cap,
            full_try: settings.request_timeout,
            limit: Limit::Passing,
        };
        let session = Session::new(account);
        // The service is free, whatever it answers; and whoever repeats what timed out adds to the load that caused it.
        let asking = Asking { session, policy, unheard: Charge::Said(0), timed_out: Repeat::Never, clock, random };
        Ok(Self { http, base, asking, settings })
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
            let (answer, at) =
                match self.asking.ask(&Search { client: self, url: &url, query: &query }, errand, tally).await? {
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
}

impl Exchange for Search<'_> {
    type Answer = Page;

    fn endpoint(&self) -> Endpoint {
        Endpoint::Search
    }

    async fn make(&self, heard: &mut Heard) -> Result<Page, Setback> {
        let Self { client, url, query } = *self;
        let sent = client.http.post(url.clone()).json(query).send().await;
        let response = sent.map_err(|error| setback_of(Unanswered::from(&error)))?;
        let clock = &client.asking.clock;
        let at = clock.now();
        let code = response.status().as_u16();
        heard.status = Some(code);
        if response.status().is_success() {
            let (answer, _text) =
                read_json(response, client.settings.max_body, Answer::decode).await.map_err(spoilt)?;
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
        let until = Deadline::after(clock.monotonic(), ERROR_BODY_WAIT);
        let body = transport::read_error_body(response, until).await;
        explain(code, &body);
        match outcome::judge(code, retry_after, &body) {
            Verdict::NoSuchIndex => Ok(Page::NoSuchIndex),
            // Success was dealt with above.
            Verdict::Usable => Err(Setback::lasting(Failure::Unreadable)),
            Verdict::Failed(setback) => Err(setback),
        }
    }

    fn outcome(page: &Page) -> CallOutcome {
        match page {
            Page::Found { answer, .. } if answer.hits.is_empty() => CallOutcome::Unknown,
            Page::Found { .. } => CallOutcome::Ok,
            Page::NoSuchIndex => CallOutcome::Refused,
        }
    }
}

fn spoilt(spoilt: Spoilt) -> Setback {
    match spoilt {
        Spoilt::EndsEarly => Setback::passing(Failure::Unreadable),
        Spoilt::OtherForm => Setback::lasting(Failure::Unreadable),
    }
}

fn setback_of(unanswered: Unanswered) -> Setback {
    match unanswered {
        Unanswered::NotConnected | Unanswered::Closed => Setback::passing(Failure::Unreachable),
        Unanswered::TimedOut => Setback::lasting(Failure::TimedOut),
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
