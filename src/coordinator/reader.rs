//! What one reader of a flight gets, and when: a pure decision over how far the flight is.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::messages::{Demand, LookupError, Reach, Served};
use super::plan::{Held, Landing, Want};
use super::trail::Trail;
use crate::config::coordinator::Patience;
use crate::domain::served::{Freshness, StaleReason};
use crate::fetcher::messages::Failure;

/// The least a reader is told to wait before asking again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How far a flight is, as its readers see it.
#[derive(Debug, Clone)]
pub enum Progress {
    /// The tiers are being asked.
    Searching,
    /// No tier holds a copy that satisfies everyone; the vendor is being asked.
    Asking {
        /// The best copy in hand.
        held: Option<Held>,
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
        held: Option<Held>,
        /// The tiers asked.
        trail: Trail,
        /// Centavos spent.
        cost_centavos: u64,
    },
}

/// What a reader does now.
#[derive(Debug)]
pub enum Decision {
    /// Takes this answer and leaves.
    Answer(Box<Result<Served, LookupError>>),
    /// Waits for the flight's next step, at the longest until then.
    Wait(Option<Instant>),
}

/// Decides for one reader. `payer`: this reader made the flight go to the vendor; `collapsed`: it joined another's flight.
#[must_use]
pub fn decide(
    demand: &Demand,
    progress: &Progress,
    patience: Patience,
    (now, wall): (Instant, DateTime<Utc>),
    (payer, collapsed): (bool, bool),
) -> Decision {
    let serve = |held: &Held, freshness: Freshness, trail: &Trail, cost: u64| {
        Decision::Answer(Box::new(Ok(Served {
            entry: std::sync::Arc::clone(&held.entry),
            from: held.served_from(freshness == Freshness::Fresh),
            freshness,
            trail: *trail,
            collapsed,
            cost_centavos: if payer { cost } else { 0 },
        })))
    };
    let refuse = |error: LookupError| Decision::Answer(Box::new(Err(error)));
    match progress {
        Progress::Searching => Decision::Wait(None),
        Progress::Asking { held: Some(held), since, trail } => {
            if Want::of(demand, wall).satisfied_by(&held.entry, wall) {
                return serve(held, Freshness::Fresh, trail, 0);
            }
            if demand.reach == Reach::Held {
                return serve(held, own_freshness(held, wall), trail, 0);
            }
            if demand.reach == Reach::Vendor && accepts_stale(demand, held, wall) {
                return serve(held, Freshness::Stale(Some(StaleReason::Revalidating)), trail, 0);
            }
            let patience_ends = *since + patience.soft;
            if now >= patience_ends {
                return serve(held, Freshness::Stale(Some(StaleReason::UpstreamTimeout)), trail, 0);
            }
            Decision::Wait(Some(patience_ends))
        }
        Progress::Asking { held: None, since, .. } => {
            if demand.reach == Reach::Held {
                return refuse(LookupError::NotHeld);
            }
            let patience_ends = *since + patience.hard;
            if now >= patience_ends {
                return refuse(LookupError::Upstream { failure: Failure::TimedOut, retry_after: RETRY_AFTER });
            }
            Decision::Wait(Some(patience_ends))
        }
        Progress::Landed { landing, held, trail, cost_centavos } => match (landing, held) {
            (Landing::Copy(copy), _) => serve(copy, Freshness::Fresh, trail, *cost_centavos),
            (Landing::Unknown, _) => refuse(LookupError::Unknown),
            (Landing::NotAsked, Some(held)) => serve(held, own_freshness(held, wall), trail, 0),
            (Landing::NotAsked, None) => refuse(LookupError::NotHeld),
            (Landing::Failed(_), Some(held)) if demand.reach == Reach::Held => {
                serve(held, own_freshness(held, wall), trail, 0)
            }
            (Landing::Failed(error), Some(held)) => {
                serve(held, Freshness::Stale(Some(error.failure.stale_reason())), trail, *cost_centavos)
            }
            (Landing::Failed(_), None) if demand.reach == Reach::Held => refuse(LookupError::NotHeld),
            (Landing::Failed(error), None) => refuse(LookupError::Upstream {
                failure: error.failure,
                retry_after: error.retry_after.unwrap_or(RETRY_AFTER).max(RETRY_AFTER),
            }),
        },
    }
}

/// For a reader who wants held copies only: no reason is due, nobody was asked.
fn own_freshness(held: &Held, wall: DateTime<Utc>) -> Freshness {
    if wall < held.entry.header().fresh_until { Freshness::Fresh } else { Freshness::Stale(None) }
}

fn accepts_stale(demand: &Demand, held: &Held, wall: DateTime<Utc>) -> bool {
    let expired_for = wall - held.entry.header().fresh_until;
    let young_enough =
        Want::of(demand, wall).not_before.is_none_or(|limit| held.entry.header().version.fetched_at >= limit);
    let within = |limit: Duration| TimeDelta::from_std(limit).map_or(true, |limit| expired_for <= limit);
    young_enough && demand.max_stale.is_some_and(within)
}
