//! What the coordinator is asked, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use actix::Message;
use thiserror::Error;
use tokio::sync::watch;

use super::trail::Trail;
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::entry::Entry;
use crate::domain::served::{Freshness, ServedFrom};
use crate::fetcher::messages::Failure;
use crate::postgres_tier::messages as postgres;
use crate::resilience::allowance::Allowance;
use crate::resilience::deadline::Deadline;

/// Asks for the best copy of one process that the reader's demand allows.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The process.
    pub cnj: Cnj,
    /// What the reader accepts.
    pub demand: Demand,
    /// Who it is, should it cost something.
    pub caller: Caller,
    /// When the reader stops waiting.
    pub deadline: Deadline,
    /// How many requests to the vendors it may cause; none: as many as it takes, as for every reader.
    pub allowance: Option<Allowance>,
}

/// A lookup on its way to the process's shard.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Served, LookupError>")]
pub struct Board {
    /// The lookup.
    pub lookup: Lookup,
    /// Closes when the reader has gone: what runs in an actor does not learn it otherwise.
    pub present: watch::Receiver<()>,
}

/// What a reader accepts. The default: a fresh copy from anywhere, a stale one rather than none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Where the answer may come from.
    pub reach: Reach,
    /// No copy fetched longer ago than this (`Cache-Control: max-age`).
    pub max_age: Option<Duration>,
    /// A stale copy is welcome at once, if it expired no longer ago than this (`max-stale`; [`Duration::MAX`] for any).
    pub max_stale: Option<Duration>,
    /// Nobody waits for a copy, so only the flight's end counts, however long that takes: no copy past its freshness in the meantime, and
    /// none in the vendor's place.
    pub patient: bool,
}

/// How far a lookup may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// To the vendor, if no fresh copy is held.
    #[default]
    Vendor,
    /// Past every copy to the vendor, which is first asked for free whether it has anything newer, and nothing is bought if not. For the
    /// service itself: readers cannot ask for it over HTTP.
    Revalidate,
    /// Past every copy to the vendor (`force_refresh`, `Cache-Control: no-cache`).
    Refresh,
    /// Not beyond the copies held (`only-if-cached`): nothing is spent.
    Held,
}

impl Reach {
    /// Whether the vendor is asked whatever is held.
    #[must_use]
    pub fn passes_copies(self) -> bool {
        matches!(self, Self::Revalidate | Self::Refresh)
    }
}

/// What the vendor made of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// It has nothing newer: the copy in hand is as of now.
    Confirmed,
    /// It was bought, and this is what PostgreSQL found new in it.
    Bought(postgres::Novelty),
    /// It was bought, and PostgreSQL did not take it: it was away, so that the copy waits in the journal, or it holds a newer one.
    BoughtUnstored,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Served {
    /// The copy.
    pub entry: Arc<Entry>,
    /// Which tier's copy it is.
    pub from: ServedFrom,
    /// Whether it is fresh, and if not, why it was given.
    pub freshness: Freshness,
    /// Which tiers were asked, and what they said.
    pub trail: Trail,
    /// The reader joined a lookup that another reader had begun.
    pub collapsed: bool,
    /// Centavos that this reader's lookup spent: zero for whoever joined another's.
    pub cost_centavos: u64,
    /// What the vendor made of the copy; none if it was not asked, or gave no answer.
    pub renewal: Option<Renewal>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LookupError {
    /// The vendor does not know the process.
    #[error("the vendor does not know this process")]
    Unknown,
    /// No copy is held, and the reader wants none but a held one.
    #[error("no copy is held")]
    NotHeld,
    /// Too many readers wait for this process, or for everything.
    #[error("too many readers are waiting")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
    /// No copy is held and the vendor gave none.
    #[error("no copy is held, and {failure}")]
    Upstream {
        /// What the vendor, or the way to it, did.
        failure: Failure,
        /// When to come back.
        retry_after: Duration,
        /// Centavos spent all the same: a page may have been paid before the next one failed. Zero for whoever joined.
        cost_centavos: u64,
    },
    /// The service itself did not manage in time (an actor is being replaced).
    #[error("the service is recovering")]
    Recovering {
        /// When to come back.
        retry_after: Duration,
    },
}
