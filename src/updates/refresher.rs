//! The way to our own copy: once the vendor has looked at the court, the process is bought again through the fallback chain, so that
//! every tier gets the news.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ambient::SharedClock;
use crate::coordinator::Coordinators;
use crate::coordinator::messages::{Demand, Lookup, LookupError, Reach};
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::served::{Freshness, StaleReason};
use crate::resilience::Deadline;

/// Our copy is what the vendor has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refreshed {
    /// Centavos that it cost; zero if somebody else had bought it since.
    pub cost_centavos: u64,
}

/// Why our copy is what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshError {
    /// The vendor does not know the process, although it has looked.
    Unknown,
    /// Not in this attempt.
    NotYet {
        /// When the vendor would have us come back.
        retry_after: Option<Duration>,
        /// Centavos spent all the same, as far as known.
        cost_centavos: u64,
        /// Whether it may have been paid for: it was, or nobody knows yet.
        paid: bool,
    },
}

/// Whoever renews our copy.
pub trait Refresher: Send + Sync {
    /// Renews our copy of a process, unless one that was fetched after `since` is held.
    fn refresh(
        &self,
        cnj: Cnj,
        since: DateTime<Utc>,
        deadline: Deadline,
    ) -> BoxFuture<'_, Result<Refreshed, RefreshError>>;
}

/// The fallback chain as a [`Refresher`].
#[derive(Clone)]
pub struct Chain {
    coordinators: Coordinators,
    clock: SharedClock,
}

impl Chain {
    /// Over all shards.
    #[must_use]
    pub fn new(coordinators: Coordinators, clock: SharedClock) -> Self {
        Self { coordinators, clock }
    }

    async fn renew(&self, cnj: Cnj, since: DateTime<Utc>, deadline: Deadline) -> Result<Refreshed, RefreshError> {
        // Somebody may have bought it meanwhile, perhaps our own last attempt, which outlives our wait for it. Looked up apart,
        // because a refresh passes every copy by, and anything less believes a remembered "no such process".
        let max_age = (self.clock.now() - since).to_std().unwrap_or_default();
        let held =
            Demand { reach: Reach::Held, max_age: Some(max_age), max_stale: Some(Duration::ZERO), patient: false };
        if let Ok(served) = self
            .coordinators
            .lookup(Lookup { cnj, demand: held, caller: Caller::Service, deadline, allowance: None })
            .await
            && served.entry.header().version.fetched_at >= since
        {
            return Ok(Refreshed { cost_centavos: 0 });
        }
        let demand = Demand { reach: Reach::Refresh, ..Demand::default() };
        judge(
            self.coordinators
                .lookup(Lookup { cnj, demand, caller: Caller::Service, deadline, allowance: None })
                .await
                .map(|served| Bought { freshness: served.freshness, cost_centavos: served.cost_centavos }),
        )
    }
}

impl Refresher for Chain {
    fn refresh(
        &self,
        cnj: Cnj,
        since: DateTime<Utc>,
        deadline: Deadline,
    ) -> BoxFuture<'_, Result<Refreshed, RefreshError>> {
        self.renew(cnj, since, deadline).boxed()
    }
}

/// What counts of an answer to a forced lookup.
#[derive(Debug, Clone, Copy)]
struct Bought {
    freshness: Freshness,
    cost_centavos: u64,
}

/// A forced lookup is fresh only if the vendor answered it; a stale copy is what it gives otherwise.
fn judge(answer: Result<Bought, LookupError>) -> Result<Refreshed, RefreshError> {
    let not_yet = |retry_after, cost_centavos, paid| Err(RefreshError::NotYet { retry_after, cost_centavos, paid });
    match answer {
        Ok(Bought { freshness: Freshness::Fresh, cost_centavos }) => Ok(Refreshed { cost_centavos }),
        // It goes on behind us and may still be paid.
        Ok(Bought { freshness: Freshness::Stale(Some(StaleReason::UpstreamTimeout)), cost_centavos }) => {
            not_yet(None, cost_centavos, true)
        }
        Ok(Bought { cost_centavos, .. }) => not_yet(None, cost_centavos, cost_centavos > 0),
        Err(LookupError::Unknown) => Err(RefreshError::Unknown),
        Err(LookupError::Upstream { failure, retry_after, cost_centavos }) => {
            let open_end = failure.stale_reason() == StaleReason::UpstreamTimeout;
            not_yet(Some(retry_after), cost_centavos, open_end || cost_centavos > 0)
        }
        Err(LookupError::Recovering { retry_after }) => not_yet(Some(retry_after), 0, true),
        Err(LookupError::Overloaded { retry_after }) => not_yet(Some(retry_after), 0, false),
        Err(LookupError::NotHeld) => not_yet(None, 0, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetcher::messages::Failure;

    #[test]
    fn only_the_vendors_own_answer_renews_and_doubt_counts_as_paid() {
        let bought = |freshness, cost_centavos| Ok(Bought { freshness, cost_centavos });
        let stale = |reason| Freshness::Stale(Some(reason));
        let wait = Duration::from_secs(3);
        let upstream =
            |failure, cost_centavos| Err(LookupError::Upstream { failure, retry_after: wait, cost_centavos });
        let not_yet = |retry_after, cost_centavos, paid| Err(RefreshError::NotYet { retry_after, cost_centavos, paid });
        for (answer, expected) in [
            (bought(Freshness::Fresh, 27), Ok(Refreshed { cost_centavos: 27 })),
            (bought(stale(StaleReason::UpstreamTimeout), 0), not_yet(None, 0, true)),
            (bought(stale(StaleReason::UpstreamUnavailable), 0), not_yet(None, 0, false)),
            (bought(stale(StaleReason::UpstreamUnavailable), 5), not_yet(None, 5, true)),
            (bought(stale(StaleReason::BudgetExhausted), 0), not_yet(None, 0, false)),
            (Err(LookupError::Unknown), Err(RefreshError::Unknown)),
            (upstream(Failure::TimedOut, 0), not_yet(Some(wait), 0, true)),
            (upstream(Failure::NoCredit, 0), not_yet(Some(wait), 0, false)),
            (upstream(Failure::ServerError, 9), not_yet(Some(wait), 9, true)),
            (Err(LookupError::Recovering { retry_after: wait }), not_yet(Some(wait), 0, true)),
            (Err(LookupError::Overloaded { retry_after: wait }), not_yet(Some(wait), 0, false)),
        ] {
            assert_eq!(judge(answer.clone()), expected, "{answer:?}");
        }
    }
}
