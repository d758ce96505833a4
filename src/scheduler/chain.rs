//! The fallback chain as a [`Refresher`], until the chain itself draws from the allowance: everything that was set aside counts as sent.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::refresher::{Refresh, RefreshFailure, Refreshed, Refresher};
use crate::coordinator::Coordinators;
use crate::coordinator::messages::{Demand, Lookup, LookupError, Reach, Served};
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::served::{Freshness, StaleReason};
use crate::fetcher::messages::Failure;
use crate::resilience::{Allowance, Deadline};

/// The chain, asked past every copy.
#[derive(Clone)]
pub struct Chain {
    coordinators: Coordinators,
}

impl Chain {
    /// Over all shards.
    #[must_use]
    pub fn new(coordinators: Coordinators) -> Self {
        Self { coordinators }
    }
}

impl Refresher for Chain {
    fn refresh(&self, cnj: Cnj, allowance: Allowance, deadline: Deadline) -> BoxFuture<'_, Refresh> {
        async move {
            while allowance.draw() {}
            let demand = Demand { reach: Reach::Refresh, ..Demand::default() };
            judge(self.coordinators.lookup(Lookup { cnj, demand, caller: Caller::Service, deadline }).await)
        }
        .boxed()
    }
}

fn judge(answer: Result<Served, LookupError>) -> Refresh {
    let failed = |failure, retry_after| Err(RefreshFailure::Failed { failure, retry_after });
    match answer {
        Ok(Served { freshness, cost_centavos, .. }) => {
            let outcome = match freshness {
                Freshness::Fresh => Ok(Refreshed::News { events: 1 }),
                Freshness::Stale(Some(StaleReason::UpstreamTimeout)) => Err(RefreshFailure::NotYet),
                Freshness::Stale(reason) => failed(blamed(reason), None),
            };
            Refresh { outcome, cost_centavos }
        }
        Err(LookupError::Unknown) => Refresh { outcome: Err(RefreshFailure::Unknown), cost_centavos: 0 },
        Err(LookupError::Upstream { failure, retry_after, cost_centavos }) => {
            Refresh { outcome: failed(failure, Some(retry_after)), cost_centavos }
        }
        Err(LookupError::Recovering { .. } | LookupError::Overloaded { .. } | LookupError::NotHeld) => {
            Refresh { outcome: failed(Failure::Unreachable, Some(Duration::from_secs(1))), cost_centavos: 0 }
        }
    }
}

fn blamed(reason: Option<StaleReason>) -> Failure {
    match reason {
        Some(StaleReason::NoProvider) => Failure::NoProvider,
        Some(StaleReason::CreditsExhausted) => Failure::NoCredit,
        Some(StaleReason::BudgetExhausted) => Failure::BudgetExhausted,
        Some(StaleReason::RateLimited) => Failure::RateLimited,
        _ => Failure::ServerError,
    }
}
