//! Escavador's API, version 2 (the vendor's documentation of 2026-03).
//!
//! A whole process is its cover (`GET processos/numero_cnj/{n}`) and its movements, page by page
//! (`GET processos/numero_cnj/{n}/movimentacoes`). The parties come with the cover.

mod client;
mod convert;
mod outcome;
mod pages;
mod retry;
mod tally;
mod walk;
mod wire;

#[cfg(test)]
mod vendor_tests;

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::SecretString;

use self::client::Client;
pub use self::client::SetupError;
use self::tally::Tally;
use super::messages::{Answer, Fetch, FetchError, Fetched};
use super::pace::Pace;
use super::provider::Provider;
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::fetcher::FetcherSettings;
use crate::domain::caller::Lane;
use crate::domain::cnj::Cnj;
use crate::domain::snapshot;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::LaneLabel;

/// The vendor's account that one key opens.
#[derive(Debug)]
pub struct Escavador {
    client: Client,
    max_pages: u32,
    clock: SharedClock,
    metrics: Metrics,
}

impl Escavador {
    /// A client of its own for this key; it must be made on the arbiter that will use it.
    ///
    /// # Errors
    /// [`SetupError`] when the key, the address or the machine's certificates make a client impossible.
    pub fn new(
        key: &SecretString,
        settings: FetcherSettings,
        pace: Arc<Pace>,
        clock: SharedClock,
        random: SharedRandom,
        metrics: Metrics,
    ) -> Result<Self, SetupError> {
        let max_pages = settings.max_pages;
        let client = Client::new(key, settings, pace, Arc::clone(&clock), random, metrics.clone())?;
        Ok(Self { client, max_pages, clock, metrics })
    }

    async fn buy(&self, fetch: Fetch) -> Result<Fetched, FetchError> {
        let Fetch { cnj, lane, deadline, .. } = fetch;
        let began = self.clock.monotonic();
        let spent = self.metrics.upstream_cost.get_or_create(&LaneLabel { lane: lane.as_str() }).clone();
        let mut tally = Tally::new(spent);
        let outcome = walk::process(&self.client, cnj, self.max_pages, deadline, &mut tally).await;
        match outcome {
            Ok(answer) => {
                self.report(cnj, lane, &tally, word_for(&answer), began);
                Ok(Fetched { answer, cost_centavos: tally.cost_centavos, requests: tally.requests, stand_in: false })
            }
            Err(setback) => {
                self.report_failure(cnj, lane, &tally, setback.failure.as_str(), began);
                let cost_centavos = tally.cost_centavos;
                Err(FetchError { failure: setback.failure, retry_after: setback.retry_after, cost_centavos })
            }
        }
    }

    fn report(&self, cnj: Cnj, lane: Lane, tally: &Tally, outcome: &'static str, began: Instant) {
        let (lane, requests, cost_centavos) = (lane.as_str(), tally.requests, tally.cost_centavos);
        let duration_ms = self.milliseconds_since(began);
        tracing::debug!(cnj = cnj.masked(), lane, requests, cost_centavos, outcome, duration_ms, "process fetched");
    }

    fn report_failure(&self, cnj: Cnj, lane: Lane, tally: &Tally, outcome: &'static str, began: Instant) {
        let (lane, requests, cost_centavos) = (lane.as_str(), tally.requests, tally.cost_centavos);
        let duration_ms = self.milliseconds_since(began);
        tracing::warn!(cnj = cnj.masked(), lane, requests, cost_centavos, outcome, duration_ms, "process not fetched");
    }

    fn milliseconds_since(&self, began: Instant) -> u64 {
        let took = self.clock.monotonic().saturating_duration_since(began);
        u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Provider for Escavador {
    fn id(&self) -> snapshot::Provider {
        snapshot::Provider::Escavador
    }

    fn process(&self, fetch: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        self.buy(fetch).boxed()
    }
}

fn word_for(answer: &Answer) -> &'static str {
    match answer {
        Answer::Found(_) => "found",
        Answer::Current { .. } => "current",
        Answer::Unknown => "unknown",
    }
}
