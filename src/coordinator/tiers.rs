//! The tiers as a shard sees them: each is asked within its patience, and whatever happens becomes a word of the plan.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::plan::Said;
use super::trail::Tier;
use crate::ambient::SharedClock;
use crate::config::coordinator::CoordinatorSettings;
use crate::domain::cnj::Cnj;
use crate::domain::codec::{CodecError, Envelope, Kind};
use crate::domain::entry::Entry;
use crate::domain::version::Version;
use crate::fetcher::Fetcher;
use crate::fetcher::messages::{Failure, Fetch, FetchError, Fetched, Lane};
use crate::journal::Journal;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages as postgres;
use crate::redis_tier::actor::RedisTier;
use crate::redis_tier::messages as redis;
use crate::resilience::Deadline;
use crate::supervision::{ActorRef, AskError};
use crate::telemetry::Metrics;

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
            Ok(Ok(Some(bytes))) => self.read(Tier::Redis, Envelope::open(bytes), None),
            Ok(Ok(None)) => Said::Nothing,
            Ok(Err(error)) => Said::Failed(error.as_str()),
            Err(error) => Said::Failed(error.as_str()),
        }
    }

    /// Asks PostgreSQL. While it is away, what waits for it in the journal answers in its place: it is paid for already.
    pub(super) async fn ask_postgres(&self, cnj: Cnj) -> Said {
        let patience = self.within(self.settings.postgres_patience);
        let failure = match self.tiers.postgres.ask(postgres::Read { cnj }, patience).await {
            Ok(Ok(Some(stored))) => {
                return match (stored.absent_until, stored.envelope) {
                    (Some(until), _) => Said::Absent { version: stored.version, until },
                    (None, Some(bytes)) => {
                        let envelope = Envelope::open(bytes).map(|envelope| renewed(envelope, stored.fresh_until));
                        self.read(Tier::Postgres, envelope, Some(stored.version))
                    }
                    (None, None) => Said::Nothing,
                };
            }
            Ok(Ok(None)) => return Said::Nothing,
            Ok(Err(error)) => error.as_str(),
            Err(error) => error.as_str(),
        };
        if self.tiers.journal.pending() > 0
            && let Ok(Some(envelope)) = self.tiers.journal.get(cnj).await
        {
            return self.read(Tier::Postgres, Ok(envelope), None);
        }
        Said::Failed(failure)
    }

    pub(super) async fn ask_vendor(&self, cnj: Cnj) -> Result<Fetched, FetchError> {
        let deadline = self.within(self.settings.fetch_limit);
        let fetch = Fetch { cnj, lane: Lane::Interactive, deadline };
        self.tiers.fetcher.ask(fetch, deadline).await.unwrap_or_else(|error| {
            let failure = match error {
                AskError::TimedOut => Failure::TimedOut,
                AskError::Overloaded => Failure::RateLimited,
                AskError::Unavailable | AskError::Crashed => Failure::Unreachable,
            };
            tracing::warn!(%cnj, %error, "the fetcher gave no answer");
            Err(FetchError { failure, retry_after: None, cost_centavos: 0 })
        })
    }

    /// Stores what was paid for, in PostgreSQL or in the journal.
    pub(super) async fn store(&self, cnj: Cnj, entry: &Arc<Entry>, fresh_until: DateTime<Utc>) {
        let store = postgres::Store { entry: Arc::clone(entry), fresh_until };
        let outcome = match self.tiers.postgres.ask(store, self.within(self.settings.store_patience)).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.as_str(),
            Err(error) => error.as_str(),
        };
        match self.tiers.journal.keep(cnj, entry.envelope().bytes().clone()).await {
            Ok(()) => tracing::warn!(%cnj, outcome, "postgresql did not take a paid answer; it is in the journal"),
            Err(error) => tracing::error!(%cnj, outcome, %error, "a paid answer is held in memory and redis only"),
        }
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
    fn read(&self, tier: Tier, envelope: Result<Envelope, CodecError>, version: Option<Version>) -> Said {
        let said = envelope.and_then(|envelope| match envelope.header.kind {
            Kind::Absence => Ok(Said::Absent { version: envelope.header.version, until: envelope.header.fresh_until }),
            Kind::Process => Entry::open(envelope).map(|entry| Said::Copy(Arc::new(entry))),
        });
        said.unwrap_or_else(|error| {
            self.metrics.count_corrupt(tier.as_str(), error.as_str());
            tracing::warn!(tier = tier.as_str(), %error, "a copy cannot be read and is fetched again");
            Said::Corrupt { cause: error.as_str(), version }
        })
    }

    fn within(&self, patience: Duration) -> Deadline {
        Deadline::after(self.clock.monotonic(), patience)
    }
}

/// The envelope under the freshness that its row gives it.
fn renewed(envelope: Envelope, fresh_until: DateTime<Utc>) -> Envelope {
    if envelope.header.fresh_until == fresh_until { envelope } else { envelope.with_fresh_until(fresh_until) }
}
