//! The way to a copy: what is held and good enough is taken, otherwise the fallback chain asks the vendor, in the background lane.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::plan::Seen;
use crate::ambient::SharedClock;
use crate::config::warm::WarmSettings;
use crate::coordinator::Coordinators;
use crate::coordinator::messages::{Demand, Lookup, LookupError, Reach, Served};
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::served::Freshness;
use crate::resilience::Deadline;

/// Whoever looks a process up.
pub trait Looker: Send + Sync {
    /// Looks a process up, unless a fresh copy is held, or one that was fetched after `since`.
    fn look_up(&self, cnj: Cnj, since: DateTime<Utc>) -> BoxFuture<'_, Seen>;
}

/// The fallback chain as a [`Looker`].
#[derive(Clone)]
pub struct Chain {
    coordinators: Coordinators,
    clock: SharedClock,
    held_within: Duration,
    lookup_within: Duration,
    follow_every: Duration,
}

impl Chain {
    /// Over all shards.
    #[must_use]
    pub fn new(coordinators: Coordinators, clock: SharedClock, settings: &WarmSettings) -> Self {
        let WarmSettings { held_within, lookup_within, follow_every, .. } = *settings;
        Self { coordinators, clock, held_within, lookup_within, follow_every }
    }

    async fn find(&self, cnj: Cnj, since: DateTime<Utc>) -> Seen {
        if let Some(served) = self.held(cnj, since).await {
            let fetched_since = served.entry.header().version.fetched_at >= since;
            return Seen::Held { from: served.from, fetched_since };
        }
        let deadline = self.deadline(self.lookup_within);
        // Nobody waits, so the fetch is waited for to its end: what it cost is told to whoever is there then.
        let demand = Demand { patient: true, ..Demand::default() };
        let lookup = Lookup { cnj, demand, caller: Caller::Service, deadline, allowance: None };
        let seen = match self.coordinators.lookup(lookup).await {
            Ok(Served { from, freshness, cost_centavos, .. }) => Seen::Served { from, freshness, cost_centavos },
            Err(error) => Seen::Refused(error),
        };
        // A shard that was replaced leaves its fetch behind; what it buys is stored all the same.
        if seen.may_be_under_way() { self.follow(cnj, since, deadline).await.unwrap_or(seen) } else { seen }
    }

    /// Waits for a fetch that goes on by itself. Only copies are looked at: to ask again might be to buy again.
    async fn follow(&self, cnj: Cnj, since: DateTime<Utc>, deadline: Deadline) -> Option<Seen> {
        while !deadline.is_over(self.clock.monotonic()) {
            sleep(self.follow_every.min(deadline.remaining(self.clock.monotonic()))).await;
            if let Some(Served { from, .. }) = self.held(cnj, since).await {
                // Its cost was the fetch's, and is in the ledger.
                return Some(Seen::Followed(from));
            }
        }
        None
    }

    async fn held(&self, cnj: Cnj, since: DateTime<Utc>) -> Option<Served> {
        let deadline = self.deadline(self.held_within);
        let demand = Demand { reach: Reach::Held, ..Demand::default() };
        let lookup = Lookup { cnj, demand, caller: Caller::Service, deadline, allowance: None };
        let served: Result<Served, LookupError> = self.coordinators.lookup(lookup).await;
        served
            .ok()
            .filter(|served| served.freshness == Freshness::Fresh || served.entry.header().version.fetched_at >= since)
    }

    fn deadline(&self, within: Duration) -> Deadline {
        Deadline::after(self.clock.monotonic(), within)
    }
}

impl Looker for Chain {
    fn look_up(&self, cnj: Cnj, since: DateTime<Utc>) -> BoxFuture<'_, Seen> {
        self.find(cnj, since).boxed()
    }
}
