//! Escavador's API, version 2 (the vendor's documentation of 2026-03).
//!
//! A whole process is its cover (`GET processos/numero_cnj/{n}`) and its movements, page by page
//! (`GET processos/numero_cnj/{n}/movimentacoes`). The parties come with the cover. Whether there is anything new to buy is asked for
//! free first (`GET processos/numero_cnj/{n}/status-atualizacao`).

mod callback;
mod client;
mod convert;
mod monitors;
mod outcome;
mod pages;
mod walk;
mod wire;

#[cfg(test)]
mod monitor_tests;
#[cfg(test)]
mod vendor_tests;

pub use self::callback::{NoMovement, moment_of_callback, movement_of_callback};

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde_json::{Value, json};

use self::client::{Client, Question, Reply};
use self::wire::update;
use super::account::{Account, Errand, Refusal};
use super::lenient::WrongShape;
use super::messages::{Answer, Failure, Fetch, FetchError, Fetched};
use super::provider::Provider;
use super::setback::{Repeat, Setback};
use super::tally::Tally;
use super::transport::SetupError;
use super::update_messages::{ReadUpdateStatus, RequestUpdate, UpdateRequested, UpdateStatus, VendorUpdate};
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::fetcher::FetcherSettings;
use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
use crate::domain::entry::Entry;
use crate::domain::snapshot;
use crate::ledger::call::Endpoint;
use crate::resilience::deadline::Deadline;

/// The vendor's account that one key opens.
#[derive(Debug)]
pub struct Escavador {
    client: Client,
    max_pages: u32,
    clock: SharedClock,
}

impl Escavador {
    /// A client of its own for this key; it must be made on the arbiter that will use it.
    ///
    /// # Errors
    /// [`SetupError`] when the key, the address or the machine's certificates make a client impossible.
    pub fn new(
        key: &SecretString,
        settings: &FetcherSettings,
        account: Arc<Account>,
        clock: SharedClock,
        random: SharedRandom,
    ) -> Result<Self, SetupError> {
        let client = Client::new(key, settings, account, Arc::clone(&clock), random)?;
        Ok(Self { client, max_pages: settings.max_pages, clock })
    }

    /// How the last update request of a process stands. Documented as free.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn update_status(&self, ask: &ReadUpdateStatus) -> Result<UpdateStatus, FetchError> {
        let mut tally = Tally::default();
        let errand =
            Errand { cnj: Some(ask.cnj), lane: ask.lane, caller: ask.caller, deadline: ask.deadline, allowance: None };
        let status = self.status(ask.cnj, &errand, &mut tally).await;
        status.map_err(|setback| failed(&setback, &tally)).map(|status| status.unwrap_or(NOTHING_KNOWN))
    }

    /// Asks the vendor to look at the court. Sent once.
    ///
    /// # Errors
    /// [`FetchError`]; after a timeout the vendor may have accepted it all the same.
    pub async fn request_update(&self, ask: &RequestUpdate) -> Result<UpdateRequested, FetchError> {
        let mut tally = Tally::default();
        let errand =
            Errand { cnj: Some(ask.cnj), lane: ask.lane, caller: ask.caller, deadline: ask.deadline, allowance: None };
        let path = format!("{}/solicitar-atualizacao", walk::path(ask.cnj));
        let question = Question { endpoint: Endpoint::UpdateRequest, path: &path, decode: update::update };
        // Unused options are left out: their presence is what counts, whatever their value (measured by a third party).
        let options = if ask.callback { json!({"enviar_callback": 1}) } else { json!({}) };
        let reply = self.client.post(&question, &options, &errand, &mut tally).await;
        let cost_centavos = tally.cost_centavos;
        let (update, busy) = match reply.map_err(|setback| failed(&setback, &tally))? {
            Reply::Found { content, .. } => (Some(content), false),
            Reply::Busy(appends) => (appends.and_then(open_update), true),
            Reply::Absent => (None, false),
        };
        Ok(UpdateRequested { update, busy, cost_centavos })
    }

    /// What the account holds, in centavos; none when the vendor's answer does not say. Documented as free.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn balance(&self, deadline: Deadline) -> Result<Option<i64>, FetchError> {
        let mut tally = Tally::default();
        let errand = Errand { cnj: None, lane: Lane::Background, caller: Caller::Service, deadline, allowance: None };
        let question = Question { endpoint: Endpoint::Balance, path: "/api/v1/quantidade-creditos", decode: credits };
        match self.client.get(&question, &errand, &mut tally).await {
            Ok(Reply::Found { content, .. }) => Ok(Some(content)),
            Ok(Reply::Absent | Reply::Busy(_)) => Ok(None),
            Err(setback) if matches!(setback.failure, Failure::Refused | Failure::Unreadable) => Ok(None),
            Err(setback) => Err(failed(&setback, &tally)),
        }
    }

    async fn bring(&self, fetch: Fetch) -> Result<Fetched, FetchError> {
        let Fetch { cnj, lane, caller, deadline, .. } = fetch;
        let allowance = fetch.allowance.clone();
        let began = self.clock.monotonic();
        let errand = Errand { cnj: Some(cnj), lane, caller, deadline, allowance };
        let mut tally = Tally::default();
        let answer = self.answer(&fetch, &errand, &mut tally).await;
        let outcome = match &answer {
            Ok(answer) => word_for(answer),
            Err(setback) => setback.failure.as_str(),
        };
        self.report(&errand, &tally, outcome, began);
        match answer {
            Ok(answer) => {
                Ok(Fetched { answer, cost_centavos: tally.cost_centavos, requests: tally.requests, stand_in: false })
            }
            Err(setback) => Err(failed(&setback, &tally)),
        }
    }

    async fn answer(&self, fetch: &Fetch, errand: &Errand, tally: &mut Tally) -> Result<Answer, Setback> {
        if let Some(held_at) = fetch.held.as_deref().filter(|_| !fetch.insist).and_then(verified_at)
            && self.client.account().is_free(Endpoint::Status)
            && let Some(verified_at) = self.nothing_newer(fetch.cnj, held_at, errand, tally).await?
        {
            return Ok(Answer::Current { verified_at });
        }
        if !errand.allows(LEAST_REQUESTS) {
            return Err(Setback::lasting(Failure::BudgetExhausted));
        }
        let account = self.client.account();
        account.worth_buying(fetch.cnj).map_err(not_sent)?;
        let prepaid = account.prepay(&[Endpoint::Cover, Endpoint::Movements], errand).await;
        let _until_the_end = prepaid.map_err(not_sent)?;
        let answer = walk::process(&self.client, fetch.cnj, self.max_pages, errand, tally).await;
        let outcome = answer.as_ref().map(|_| ()).map_err(|setback| (setback.failure, tally.cost_centavos));
        account.bought(fetch.cnj, outcome);
        answer
    }

    /// When the vendor last looked at the court, if that is no later than what the copy in hand knows: then what it would sell is what we
    /// have. An answer of any other kind decides nothing; a vendor that is out of order ends the fetch.
    async fn nothing_newer(
        &self,
        cnj: Cnj,
        held_at: DateTime<Utc>,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<Option<DateTime<Utc>>, Setback> {
        match self.status(cnj, errand, tally).await {
            Ok(status) => {
                Ok(status.and_then(|status| status.verified_at).filter(|verified_at| *verified_at <= held_at))
            }
            Err(setback) if matches!(setback.failure, Failure::Refused | Failure::Unreadable) => Ok(None),
            Err(setback) => Err(setback),
        }
    }

    async fn status(&self, cnj: Cnj, errand: &Errand, tally: &mut Tally) -> Result<Option<UpdateStatus>, Setback> {
        let path = format!("{}/status-atualizacao", walk::path(cnj));
        let question = Question { endpoint: Endpoint::Status, path: &path, decode: update::status };
        match self.client.get(&question, errand, tally).await? {
            Reply::Found { content, .. } => Ok(Some(content)),
            Reply::Absent | Reply::Busy(_) => Ok(None),
        }
    }

    fn report(&self, errand: &Errand, tally: &Tally, outcome: &'static str, began: Instant) {
        let took = self.clock.monotonic().saturating_duration_since(began);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (lane, requests, cost_centavos) = (errand.lane.as_str(), tally.requests, tally.cost_centavos);
        let cnj = errand.cnj.map(|cnj| cnj.to_string()).unwrap_or_default();
        tracing::debug!(cnj, lane, requests, cost_centavos, outcome, duration_ms, "escavador asked for a process");
    }
}

impl Provider for Escavador {
    fn id(&self) -> snapshot::Provider {
        snapshot::Provider::Escavador
    }

    fn process(&self, fetch: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        self.bring(fetch).boxed()
    }
}

/// A cover and one page of movements: whoever may not send both should not pay for one.
pub const LEAST_REQUESTS: u32 = 2;

/// What a process stands like of which the vendor says nothing.
const NOTHING_KNOWN: UpdateStatus = UpdateStatus { verified_at: None, update: None };

/// When the vendor had looked at the court for a copy that came from it.
fn verified_at(held: &Entry) -> Option<DateTime<Utc>> {
    let header = held.header();
    header.version.verified_at.filter(|_| header.provider == snapshot::Provider::Escavador)
}

fn failed(setback: &Setback, tally: &Tally) -> FetchError {
    FetchError { failure: setback.failure, retry_after: setback.retry_after, cost_centavos: tally.cost_centavos }
}

fn not_sent(refusal: Refusal) -> Setback {
    Setback { retry_after: refusal.retry_after, ..Setback::of(refusal.failure, Repeat::Never) }
}

fn word_for(answer: &Answer) -> &'static str {
    match answer {
        Answer::Found(_) => "found",
        Answer::Current { .. } => "current",
        Answer::Unknown => "unknown",
    }
}

/// The update request that a busy answer names.
fn open_update(appends: Value) -> Option<VendorUpdate> {
    update::update(appends.get("ultima_verificacao")?.clone()).ok()
}

/// `{"quantidade_creditos":99,"saldo":0.99,…}`: credits are centavos.
fn credits(value: Value) -> Result<i64, WrongShape> {
    let credits = value.get("quantidade_creditos").ok_or(WrongShape)?;
    credits.as_i64().or_else(|| credits.as_str()?.trim().parse().ok()).ok_or(WrongShape)
}
