//! The tiers as a shard sees them: each is asked within its patience, and whatever happens becomes a word of the plan.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::time::timeout;

use super::messages::Renewal;
use super::plan::Said;
use super::trail::Tier;
use crate::ambient::SharedClock;
use crate::config::coordinator::CoordinatorSettings;
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::codec::{CodecError, Envelope, Kind};
use crate::domain::entry::Entry;
use crate::domain::render;
use crate::domain::version::{Version, later};
use crate::fetcher::Fetcher;
use crate::fetcher::messages::{Failure, Fetch, FetchError, Fetched};
use crate::journal::Journal;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages as postgres;
use crate::redis_tier::actor::RedisTier;
use crate::redis_tier::messages as redis;
use crate::resilience::{Allowance, Deadline};
use crate::supervision::{ActorRef, AskError};
use crate::telemetry::Metrics;

/// Bytes that are unpacked in well under a millisecond.
const UNPACKED_IN_PLACE: usize = 512 * 1024;

/// How long an answer may take from the fetcher to us.
const HAND_OVER: Duration = Duration::from_secs(2);

/// Who can be asked.
#[derive(Clone)]
pub struct Tiers {
    /// Absent when no `REDIS_URL` is set.
    pub redis: Option<ActorRef<RedisTier>>,
    /// The durable tier.
    pub postgres: ActorRef<PostgresTier>,
    /// The way to the vendor.
    pub fetcher: ActorRef<Fetcher>,
    /// Where a paid answer goes when PostgreSQL cannot take it.
    pub journal: Journal,
}

/// Asks them.
pub(super) struct Desk {
    tiers: Tiers,
    settings: CoordinatorSettings,
    clock: SharedClock,
    metrics: Metrics,
}

impl Desk {
    pub(super) fn new(tiers: Tiers, settings: CoordinatorSettings, clock: SharedClock, metrics: Metrics) -> Self {
        Self { tiers, settings, clock, metrics }
    }

    pub(super) async fn ask_redis(&self, cnj: Cnj) -> Said {
        let Some(redis) = self.tiers.redis.as_ref().filter(|_| !self.settings.redis_ttl.is_zero()) else {
            return Said::Off;
        };
        match redis.ask(redis::Read { cnj }, self.within(self.settings.redis_patience)).await {
            Ok(Ok(Some(bytes))) => {
                let envelope = Envelope::open(bytes).map(|envelope| self.bounded(envelope));
                self.read(Tier::Redis, envelope, None).await
            }
            Ok(Ok(None)) => Said::Nothing,
            Ok(Err(error)) => Said::Failed(error.as_str()),
            Err(error) => Said::Failed(error.as_str()),
        }
    }

    /// Asks PostgreSQL. What it has not got may wait for it in the journal: that is paid for already.
    pub(super) async fn ask_postgres(&self, cnj: Cnj) -> Said {
        let patience = self.within(self.settings.postgres_patience);
        let said = match self.tiers.postgres.ask(postgres::Read { cnj }, patience).await {
            Ok(Ok(Some(stored))) => self.read_stored(stored).await,
            Ok(Ok(None)) => Said::Nothing,
            Ok(Err(error)) => Said::Failed(error.as_str()),
            Err(error) => Said::Failed(error.as_str()),
        };
        if matches!(said, Said::Nothing | Said::Failed(_))
            && self.tiers.journal.pending() > 0
            && let Ok(Ok(Some(envelope))) = timeout(self.settings.postgres_patience, self.tiers.journal.get(cnj)).await
        {
            return self.read(Tier::Postgres, Ok(envelope), None).await;
        }
        said
    }

    /// An absence hides the stored copy for as long as it is believed; afterwards the copy is a fallback again, no fresher than
    /// the absence was.
    async fn read_stored(&self, stored: postgres::StoredProcess) -> Said {
        let version = stored.version;
        let fresh_until = match stored.absent_until {
            Some(until) if self.clock.now() < until || stored.envelope.is_none() => {
                return Said::Absent { version, until };
            }
            Some(_) => stored.fresh_until.min(version.fetched_at),
            // A shorter setting takes effect for what is stored already.
            None => stored.fresh_until.min(later(version.fetched_at, self.settings.longest_stored())),
        };
        match stored.envelope {
            Some(bytes) => {
                let envelope = Envelope::open(bytes).map(|envelope| renewed(envelope, fresh_until));
                self.read(Tier::Postgres, envelope, Some(version)).await
            }
            None => Said::Nothing,
        }
    }

    pub(super) async fn ask_vendor(
        &self,
        cnj: Cnj,
        caller: Caller,
        (held, insist): (Option<Arc<Entry>>, bool),
        allowance: Option<Allowance>,
    ) -> Result<Fetched, FetchError> {
        let limit = self.settings.fetch_limit.max(self.settings.patience.hard);
        let fetch = Fetch { cnj, lane: caller.lane(), caller, held, insist, deadline: self.within(limit), allowance };
        // A little longer than the fetch itself: what arrives in its last moment is paid for.
        let answer = self.tiers.fetcher.ask(fetch, self.within(limit + HAND_OVER)).await;
        answer.unwrap_or_else(|error| {
            let failure = match error {
                AskError::TimedOut => Failure::TimedOut,
                AskError::Overloaded => Failure::RateLimited,
                AskError::Unavailable | AskError::Crashed => Failure::Unreachable,
            };
            tracing::warn!(%cnj, %error, "the fetcher gave no answer");
            Err(FetchError { failure, retry_after: None, cost_centavos: 0 })
        })
    }

    /// Stores a copy in PostgreSQL.
    ///
    /// # Errors
    /// The word for what kept PostgreSQL from taking it.
    pub(super) async fn store(
        &self,
        entry: &Arc<Entry>,
        fresh_until: DateTime<Utc>,
    ) -> Result<postgres::Stored, &'static str> {
        let store = postgres::Store { entry: Arc::clone(entry), fresh_until };
        match self.tiers.postgres.ask(store, self.within(self.settings.store_patience)).await {
            Ok(Ok(stored)) => Ok(stored),
            Ok(Err(error)) => Err(error.as_str()),
            Err(error) => Err(error.as_str()),
        }
    }

    /// Keeps what was paid for, in PostgreSQL or in the journal.
    pub(super) async fn keep(&self, cnj: Cnj, entry: &Arc<Entry>, fresh_until: DateTime<Utc>) -> Renewal {
        let outcome = match self.store(entry, fresh_until).await {
            Ok(postgres::Stored::Stored(novelty)) => return Renewal::Bought(novelty),
            Ok(postgres::Stored::Outdated) => return Renewal::BoughtUnstored,
            Err(outcome) => outcome,
        };
        let envelope = renewed(entry.envelope().clone(), fresh_until);
        match self.tiers.journal.keep(cnj, envelope.bytes().clone()).await {
            Ok(()) => tracing::warn!(%cnj, outcome, "postgresql did not take a paid answer; it is in the journal"),
            Err(error) => tracing::error!(%cnj, outcome, %error, "a paid answer is held in memory and redis only"),
        }
        Renewal::BoughtUnstored
    }

    pub(super) async fn store_absence(&self, cnj: Cnj, version: Version, until: DateTime<Utc>) {
        let store = postgres::StoreAbsence { cnj, version, until };
        let stored = self.tiers.postgres.ask(store, self.within(self.settings.store_patience)).await;
        if !matches!(stored, Ok(Ok(()))) {
            tracing::debug!(%cnj, "postgresql did not take an absence; a later lookup may cost a call");
        }
    }

    pub(super) async fn write_redis(&self, cnj: Cnj, envelope: Bytes, ttl: Duration) {
        let ttl = ttl.min(self.settings.redis_ttl);
        let Some(redis) = self.tiers.redis.as_ref().filter(|_| !ttl.is_zero()) else { return };
        let write = redis::Write { cnj, envelope, ttl };
        if let Ok(Err(error)) = redis.ask(write, self.within(self.settings.redis_patience)).await {
            tracing::debug!(%cnj, %error, "redis did not take a copy");
        }
    }

    pub(super) async fn drop_from_redis(&self, cnj: Cnj) {
        let Some(redis) = &self.tiers.redis else { return };
        let removed = redis.ask(redis::Remove { cnj }, self.within(self.settings.redis_patience)).await;
        tracing::warn!(%cnj, removed = matches!(removed, Ok(Ok(()))), "corrupt entry dropped from redis");
    }

    /// Reads an envelope that a tier held. `version`: what the tier itself says of it, should it be unreadable.
    async fn read(&self, tier: Tier, envelope: Result<Envelope, CodecError>, version: Option<Version>) -> Said {
        let said = match envelope {
            Ok(envelope) if envelope.header.kind == Kind::Absence => {
                Ok(Said::Absent { version: envelope.header.version, until: envelope.header.fresh_until })
            }
            Ok(envelope) => opened(envelope).await.map(|entry| Said::Copy(Arc::new(entry))),
            Err(error) => Err(error),
        };
        said.unwrap_or_else(|error| {
            self.metrics.count_corrupt(tier.as_str(), error.as_str());
            tracing::warn!(tier = tier.as_str(), %error, "a copy cannot be read");
            match error {
                // A newer node's, in the middle of an upgrade: neither ours to drop nor to buy again under its nose.
                CodecError::UnknownFormat(_) => Said::Failed(error.as_str()),
                _ => Said::Corrupt { cause: error.as_str(), version },
            }
        })
    }

    /// A copy under the freshness that the settings allow now, which may be shorter than when it was written.
    fn bounded(&self, envelope: Envelope) -> Envelope {
        let header = envelope.header;
        match header.kind {
            Kind::Absence => envelope,
            Kind::Process => {
                let limit = later(header.version.fetched_at, self.settings.longest_fresh());
                renewed(envelope, header.fresh_until.min(limit))
            }
        }
    }

    fn within(&self, patience: Duration) -> Deadline {
        Deadline::after(self.clock.monotonic(), patience)
    }
}

/// Unpacks a copy; a large one, or one that must be rendered anew, beside the arbiter.
async fn opened(envelope: Envelope) -> Result<Entry, CodecError> {
    if envelope.unpacked_len() <= UNPACKED_IN_PLACE && envelope.header.revision == render::REVISION {
        return Entry::open(envelope);
    }
    tokio::task::spawn_blocking(move || Entry::open(envelope)).await.unwrap_or(Err(CodecError::Undecodable))
}

/// The envelope under the freshness that its row gives it.
fn renewed(envelope: Envelope, fresh_until: DateTime<Utc>) -> Envelope {
    if envelope.header.fresh_until == fresh_until { envelope } else { envelope.with_fresh_until(fresh_until) }
}
