//! What one reader of a flight gets, and when: a pure decision over how far the flight is.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::messages::{Demand, LookupError, Reach, Renewal, Served};
use super::plan::{Held, InHand, Landing, Want};
use super::trail::Trail;
use crate::config::coordinator::Patience;
use crate::domain::served::{Freshness, StaleReason};
use crate::fetcher::messages::Failure;

/// The least a reader is told to wait before asking again.
pub const LEAST_RETRY: Duration = Duration::from_secs(2);

/// When the service recovers, it has usually done so by then.
pub(super) const RECOVERY_RETRY: Duration = Duration::from_secs(1);

/// How far a flight is, as its readers see it.
#[derive(Debug, Clone)]
pub enum Progress {
    /// The tiers are being asked.
    Searching,
    /// No tier holds a copy that satisfies everyone; the vendor is being asked.
    Asking {
        /// The best copy in hand.
        hand: Option<InHand>,
        /// Since when.
        since: Instant,
        /// The tiers asked so far.
        trail: Trail,
    },
    /// The flight is over.
    Landed {
        /// How.
        landing: Landing,
        /// The best copy in hand besides.
        hand: Option<InHand>,
        /// The tiers asked.
        trail: Trail,
        /// Centavos spent.
        cost_centavos: u64,
        /// What the vendor made of the copy.
        renewal: Option<Renewal>,
    },
    /// The flight's task died; nobody will land.
    Lost,
}

/// What a reader does now.
#[derive(Debug)]
pub enum Decision {
    /// Takes this answer and leaves.
    Answer(Box<Result<Served, LookupError>>),
    /// Waits for the flight's next step, at the longest until then.
    Wait(Option<Instant>),
}

/// One reader of a flight.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// What it accepts.
    pub demand: Demand,
    /// Since when it waits.
    pub since: Instant,
    /// It made the flight go to the vendor.
    pub payer: bool,
    /// It joined another's flight.
    pub collapsed: bool,
}

/// Decides for one reader.
#[must_use]
pub fn decide(
    reader: &Reader,
    progress: &Progress,
    patience: Patience,
    (now, wall): (Instant, DateTime<Utc>),
) -> Decision {
    let Reader { demand, payer, collapsed, .. } = reader;
    let serve = |held: &Held, freshness: Freshness, trail: &Trail, (cost, renewal): (u64, Option<Renewal>)| {
        Decision::Answer(Box::new(Ok(Served {
            entry: std::sync::Arc::clone(&held.entry),
            from: held.served_from(freshness == Freshness::Fresh),
            freshness,
            trail: *trail,
            collapsed: *collapsed,
            cost_centavos: if *payer { cost } else { 0 },
            renewal,
        })))
    };
    let refuse = |error: LookupError| Decision::Answer(Box::new(Err(error)));
    match progress {
        Progress::Searching => Decision::Wait(None),
        Progress::Lost => refuse(LookupError::Recovering { retry_after: RECOVERY_RETRY }),
        Progress::Asking { hand, since, trail } => {
            if let Some((held, freshness)) = hand.as_ref().and_then(|hand| at_once(demand, hand, wall)) {
                return serve(held, freshness, trail, (0, None));
            }
            if demand.reach == Reach::Held {
                return refuse(LookupError::NotHeld);
            }
            // With a copy in hand the wait is counted once a flight; without one each reader has its own.
            if demand.patient {
                return Decision::Wait(None);
            }
            let patience_ends = match hand {
                Some(_) => *since + patience.soft,
                None => reader.since.max(*since) + patience.hard,
            };
            match hand {
                _ if now < patience_ends => Decision::Wait(Some(patience_ends)),
                Some(InHand { held, .. }) => {
                    serve(held, Freshness::Stale(Some(StaleReason::UpstreamTimeout)), trail, (0, None))
                }
                None => refuse(LookupError::Upstream {
                    failure: Failure::TimedOut,
                    retry_after: LEAST_RETRY,
                    cost_centavos: 0,
                }),
            }
        }
        Progress::Landed { landing, hand, trail, cost_centavos, renewal } => match landing {
            Landing::Copy(copy) => serve(copy, Freshness::Fresh, trail, (*cost_centavos, *renewal)),
            Landing::Unknown => refuse(LookupError::Unknown),
            Landing::NotAsked | Landing::Failed(_) => {
                if let Some((held, freshness)) = hand.as_ref().and_then(|hand| without_asking(demand, hand, wall)) {
                    return serve(held, freshness, trail, (0, None));
                }
                let fallback = hand.as_ref().filter(|_| !demand.patient);
                match (landing, fallback) {
                    (Landing::Failed(error), Some(InHand { held, .. })) if demand.reach != Reach::Held => {
                        let reason = error.failure.stale_reason();
                        serve(held, Freshness::Stale(Some(reason)), trail, (*cost_centavos, None))
                    }
                    (Landing::Failed(error), None) if demand.reach != Reach::Held => refuse(LookupError::Upstream {
                        failure: error.failure,
                        cost_centavos: if *payer { *cost_centavos } else { 0 },
                        retry_after: error.retry_after.unwrap_or(LEAST_RETRY).max(LEAST_RETRY),
                    }),
                    _ => refuse(LookupError::NotHeld),
                }
            }
        },
    }
}

/// What a reader takes while the vendor is being asked: what it would take without asking, or a stale copy that it welcomes.
fn at_once<'a>(demand: &Demand, hand: &'a InHand, wall: DateTime<Utc>) -> Option<(&'a Held, Freshness)> {
    let welcomes = demand.reach == Reach::Vendor && demand.max_stale.is_some() && !demand.patient;
    let welcome = welcomes && accepts(demand, &hand.held, wall);
    let revalidating = welcome.then_some((&hand.held, Freshness::Stale(Some(StaleReason::Revalidating))));
    without_asking(demand, hand, wall).or(revalidating)
}

/// What a reader takes without the vendor: a copy that satisfies it, or, if it wants held copies only, one that it accepts. No
/// reason is due then, nobody was asked.
fn without_asking<'a>(demand: &Demand, hand: &'a InHand, wall: DateTime<Utc>) -> Option<(&'a Held, Freshness)> {
    let InHand { held, believed } = hand;
    let is_fresh = *believed && wall < held.entry.header().fresh_until;
    if demand.reach == Reach::Held && accepts(demand, held, wall) {
        let freshness = if is_fresh { Freshness::Fresh } else { Freshness::Stale(None) };
        return Some((held, freshness));
    }
    let satisfied = *believed && Want::of(demand, wall).satisfied_by(&held.entry, wall);
    satisfied.then_some((held, Freshness::Fresh))
}

/// Whether a copy is within the reader's own limits on age and staleness. Held copies may be stale for any time unless the
/// reader names one.
fn accepts(demand: &Demand, held: &Held, wall: DateTime<Utc>) -> bool {
    let header = held.entry.header();
    let expired_for = wall - header.fresh_until;
    let young_enough = Want::of(demand, wall).not_before.is_none_or(|limit| header.version.fetched_at >= limit);
    let within = |limit: Duration| TimeDelta::from_std(limit).map_or(true, |limit| expired_for <= limit);
    young_enough && demand.max_stale.is_none_or(within)
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
