//! The fallback chain as a [`Refresher`]: past every copy to the vendor, whose free status is read first, and with nobody to be given a stale
//! copy meanwhile.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::refresher::{Refresh, RefreshFailure, Refreshed, Refresher};
use crate::ambient::SharedClock;
use crate::coordinator::Coordinators;
use crate::coordinator::messages::{Demand, Lookup, LookupError, Reach, Renewal};
use crate::coordinator::reader::LEAST_RETRY;
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::fetcher::messages::Failure;
use crate::resilience::{Allowance, Deadline};

/// Over all shards.
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

    async fn renew(&self, cnj: Cnj, allowance: Allowance, deadline: Deadline) -> Refresh {
        if deadline.is_over(self.clock.monotonic()) {
            return judge(Err(LookupError::Recovering { retry_after: LEAST_RETRY }));
        }
        let demand = Demand { reach: Reach::Revalidate, patient: true, ..Demand::default() };
        let lookup = Lookup { cnj, demand, caller: Caller::Service, deadline, allowance: Some(allowance) };
        let answer = self.coordinators.lookup(lookup).await;
        judge(answer.map(|served| Landed { renewal: served.renewal, cost_centavos: served.cost_centavos }))
    }
}

impl Refresher for Chain {
    fn refresh(&self, cnj: Cnj, allowance: Allowance, deadline: Deadline) -> BoxFuture<'_, Refresh> {
        self.renew(cnj, allowance, deadline).boxed()
    }
}

/// What counts of an answer.
#[derive(Debug, Clone, Copy)]
struct Landed {
    renewal: Option<Renewal>,
    cost_centavos: u64,
}

fn judge(answer: Result<Landed, LookupError>) -> Refresh {
    let (outcome, cost_centavos) = match answer {
        Ok(Landed { renewal, cost_centavos }) => (Ok(refreshed(renewal)), cost_centavos),
        Err(LookupError::Unknown) => (Err(RefreshFailure::Unknown), 0),
        Err(LookupError::Upstream { failure, retry_after, cost_centavos }) => {
            // Who asks nothing of us gets the least that a reader is told, which is no advice of the vendor's.
            let retry_after = Some(retry_after).filter(|advice| *advice > LEAST_RETRY);
            (Err(RefreshFailure::Failed { failure, retry_after }), cost_centavos)
        }
        Err(LookupError::Overloaded { retry_after }) => {
            (Err(RefreshFailure::Failed { failure: Failure::RateLimited, retry_after: Some(retry_after) }), 0)
        }
        Err(LookupError::Recovering { .. } | LookupError::NotHeld) => (Err(RefreshFailure::NotYet), 0),
    };
    Refresh { outcome, cost_centavos }
}

fn refreshed(renewal: Option<Renewal>) -> Refreshed {
    match renewal {
        Some(Renewal::Bought(novelty)) if novelty.first_sight => Refreshed::FirstSight,
        Some(Renewal::Bought(novelty)) if novelty.events > 0 => Refreshed::News { events: novelty.events },
        Some(Renewal::BoughtUnstored) => Refreshed::Unstored,
        Some(Renewal::Confirmed | Renewal::Bought(_)) | None => Refreshed::Unchanged,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::postgres_tier::messages::Novelty;

    #[test]
    fn a_refresh_tells_what_it_brought_and_what_it_cost() {
        let landed = |renewal| Ok(Landed { renewal, cost_centavos: 9 });
        let bought =
            |first_sight, events| landed(Some(Renewal::Bought(Novelty { first_sight, events, newest_event: None })));
        let upstream = |seconds| {
            let retry_after = Duration::from_secs(seconds);
            Err(LookupError::Upstream { failure: Failure::RateLimited, retry_after, cost_centavos: 9 })
        };
        let failed = |seconds: Option<u64>| {
            let retry_after = seconds.map(Duration::from_secs);
            Err(RefreshFailure::Failed { failure: Failure::RateLimited, retry_after })
        };
        let wait = Duration::from_secs(1);
        for (answer, outcome, cost_centavos) in [
            (landed(Some(Renewal::Confirmed)), Ok(Refreshed::Unchanged), 9),
            (landed(Some(Renewal::BoughtUnstored)), Ok(Refreshed::Unstored), 9),
            (bought(true, 0), Ok(Refreshed::FirstSight), 9),
            (bought(false, 0), Ok(Refreshed::Unchanged), 9),
            (bought(false, 3), Ok(Refreshed::News { events: 3 }), 9),
            (Err(LookupError::Unknown), Err(RefreshFailure::Unknown), 0),
            (upstream(2), failed(None), 9),
            (upstream(30), failed(Some(30)), 9),
            (Err(LookupError::Overloaded { retry_after: wait }), failed(Some(1)), 0),
            (Err(LookupError::Recovering { retry_after: wait }), Err(RefreshFailure::NotYet), 0),
        ] {
            assert_eq!(judge(answer.clone()), Refresh { outcome, cost_centavos }, "{answer:?}");
        }
    }
}
