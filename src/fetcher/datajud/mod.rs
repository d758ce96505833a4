//! DataJud, the CNJ's public API (its wiki of 2025-09): free, and poorer than what is paid for.
//!
//! It has no parties and no texts, only the names of the CNJ's tables; it lags behind the courts by a day to a week; and what it does
//! not know may exist all the same. A process is searched for in its court's index (`POST api_publica_<court>/_search`) and
//! comes as one hit for each degree, class and judging body.

mod alias;
mod client;
mod convert;
mod outcome;
mod pages;
mod wire;

#[cfg(test)]
mod vendor_tests;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use self::alias::{DoubtfulAliases, aliases};
use self::client::{Client, Reply};
pub(super) use self::convert::ID_PREFIX;
use self::convert::Received;
use super::account::{Account, Errand};
use super::messages::{Answer, Failure, Fetch, FetchError, Fetched};
use super::provider::Provider;
use super::setback::Setback;
use super::tally::Tally;
use super::transport::SetupError;
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::datajud::DatajudSettings;
use crate::domain::cnj::Cnj;
use crate::domain::snapshot;

/// The service, as the one key opens it that everybody shares.
#[derive(Debug)]
pub struct Datajud {
    client: Client,
    doubtful: DoubtfulAliases,
    clock: SharedClock,
}

impl Datajud {
    /// A client of its own; it must be made on the arbiter that will use it. `account` is that of DataJud, not of the paid vendor.
    ///
    /// # Errors
    /// [`SetupError`] when the key, the address or the machine's certificates make a client impossible.
    pub fn new(
        settings: DatajudSettings,
        account: Arc<Account>,
        clock: SharedClock,
        random: SharedRandom,
    ) -> Result<Self, SetupError> {
        let client = Client::new(settings, account, Arc::clone(&clock), random)?;
        Ok(Self { client, doubtful: DoubtfulAliases::default(), clock })
    }

    /// The same with other names for the indices that nobody could tell for certain.
    #[cfg(test)]
    fn with_aliases(self, doubtful: DoubtfulAliases) -> Self {
        Self { doubtful, ..self }
    }

    async fn find(&self, fetch: Fetch) -> Result<Fetched, FetchError> {
        let Fetch { cnj, lane, caller, deadline, allowance, .. } = fetch;
        let began = self.clock.monotonic();
        let errand = Errand { cnj: Some(cnj), lane, caller, deadline, allowance };
        let mut tally = Tally::default();
        let outcome = self.look(cnj, &errand, &mut tally).await;
        let took = self.clock.monotonic().saturating_duration_since(began);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let Tally { requests, cost_centavos } = tally;
        let (number, lane) = (cnj.masked(), lane.as_str());
        match outcome {
            Ok(answer) => {
                let outcome = if matches!(answer, Answer::Found(_)) { "found" } else { "unknown" };
                tracing::debug!(cnj = number, lane, requests, outcome, duration_ms, "datajud asked");
                Ok(Fetched { answer, cost_centavos, requests, stand_in: false })
            }
            Err(setback) => {
                let outcome = setback.failure.as_str();
                tracing::warn!(cnj = number, lane, requests, outcome, duration_ms, "datajud gave no answer");
                Err(FetchError { failure: setback.failure, retry_after: setback.retry_after, cost_centavos })
            }
        }
    }

    /// Asks one index after the other until one has the process. Unknown is only what an index said that was asked in whole:
    /// without an index for that court nothing was asked, and with nothing but names that do not exist neither.
    async fn look(&self, cnj: Cnj, errand: &Errand, tally: &mut Tally) -> Result<Answer, Setback> {
        let candidates = aliases(&cnj, &self.doubtful);
        if candidates.is_empty() {
            return Err(Setback::lasting(Failure::NoProvider));
        }
        let mut none_here = false;
        for alias in candidates {
            match self.client.search(&alias, &cnj, errand, tally).await? {
                Reply::Hits { hits, at } => {
                    let received = Received { sigla: alias.sigla, hits, at };
                    if let Some(snapshot) = convert::snapshot(cnj, received) {
                        return Ok(Answer::Found(Box::new(snapshot)));
                    }
                    none_here = true;
                }
                Reply::NoSuchIndex => tracing::warn!(alias = alias.name(), "datajud has no index of this name"),
            }
        }
        if none_here { Ok(Answer::Unknown) } else { Err(Setback::lasting(Failure::Refused)) }
    }
}

impl Provider for Datajud {
    fn id(&self) -> snapshot::Provider {
        snapshot::Provider::Datajud
    }

    fn process(&self, fetch: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        self.find(fetch).boxed()
    }
}
