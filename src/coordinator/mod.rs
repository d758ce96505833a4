//! The fallback chain: near copies, Redis, PostgreSQL, the vendor, and what a reader gets when some of them are gone.
//!
//! - `plan`: the chain as a pure function of what is known and what just happened.
//! - `reader`: what one reader gets, and when, as a pure function of how far its flight is.
//! - `near`: the copies in this process.
//! - `shard`, `actor`, `handlers`: one shard; carries out what the plan intends.
//! - `tiers`: how a shard asks Redis, PostgreSQL, the journal and the fetcher.
//! - `trail`: which tiers were asked.
//! - `freshness`: how long a copy counts as fresh.
//! - `reads`: how often each process is read. `early`: which read has a copy refreshed before it expires.
//! - `amendment`, `amending`: what the vendor tells us without being asked, and how it gets into every tier.

pub mod actor;
pub mod amending;
pub mod amendment;
pub mod early;
pub mod freshness;
mod handlers;
pub mod messages;
pub mod near;
pub mod plan;
pub mod reader;
pub mod reads;
mod shard;
pub mod tiers;
pub mod trail;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use xxhash_rust::xxh3::xxh3_64;

use self::actor::Coordinator;
use self::amending::{Amend, AmendError};
use self::amendment::{Amended, Amendment};
use self::messages::{Board, Demand, Lookup, LookupError, Served};
use self::reader::RECOVERY_RETRY;
use self::reads::Reads;
pub use self::shard::Shared;
use crate::ambient::SharedClock;
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::served::{Freshness, ServedFrom};
use crate::resilience::Deadline;
use crate::supervision::{ActorRef, AskError};

/// All shards, and the near copies they share, behind one face: every process has its own shard, so one flight at a time needs
/// no lock.
#[derive(Clone)]
pub struct Coordinators {
    shared: Shared,
    reads: Arc<Reads>,
    shards: Arc<[ActorRef<Coordinator>]>,
    clock: SharedClock,
}

impl Coordinators {
    /// Puts shards behind one face.
    #[must_use]
    pub fn new(shared: Shared, shards: Vec<ActorRef<Coordinator>>, clock: SharedClock) -> Self {
        Self { shared, reads: Arc::default(), shards: shards.into(), clock }
    }

    /// How often each process was read.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The answer to a reader whom a near copy satisfies, on the reader's own thread.
    #[must_use]
    pub fn near(&self, cnj: &Cnj, demand: &Demand) -> Option<Result<Served, LookupError>> {
        self.near_for(Caller::Anonymous, cnj, demand)
    }

    fn near_for(&self, caller: Caller, cnj: &Cnj, demand: &Demand) -> Option<Result<Served, LookupError>> {
        let wall = self.clock.now();
        let answer = self.shared.near.answer(cnj, demand, self.clock.monotonic(), wall)?;
        if let Ok(served) = &answer {
            self.note(caller, cnj, served, wall);
        }
        Some(answer)
    }

    /// Counts what a reader was served, and has it renewed in time. What the service asks for by itself is nobody's interest.
    fn note(&self, caller: Caller, cnj: &Cnj, served: &Served, wall: DateTime<Utc>) {
        if caller == Caller::Service {
            return;
        }
        self.reads.note(cnj);
        if served.freshness == Freshness::Fresh && served.from != ServedFrom::Api {
            self.shared.early.consider(cnj, served.entry.header().fresh_until, wall);
        }
    }

    /// Answers from the near copies, or asks the process's shard. A shard that is being replaced is waited for, and asked once
    /// more after a crash: a lookup may be repeated, and a copy that was bought in the meantime is found.
    ///
    /// # Errors
    /// As [`LookupError`] says.
    pub async fn lookup(&self, lookup: Lookup) -> Result<Served, LookupError> {
        let Lookup { cnj, caller, deadline, .. } = lookup;
        if let Some(answer) = self.near_for(caller, &cnj, &lookup.demand) {
            return answer;
        }
        let Some(shard) = self.shard(&cnj) else {
            return Err(LookupError::Recovering { retry_after: RECOVERY_RETRY });
        };
        // Dropped with this future, that is, when the reader hangs up.
        let (_presence, present) = watch::channel(());
        let answer = shard.ask_again(Board { lookup, present }, deadline).await.unwrap_or_else(|error| {
            Err(match error {
                AskError::Overloaded => LookupError::Overloaded { retry_after: RECOVERY_RETRY },
                AskError::Unavailable | AskError::TimedOut | AskError::Crashed => {
                    LookupError::Recovering { retry_after: RECOVERY_RETRY }
                }
            })
        });
        if let Ok(served) = &answer {
            self.note(caller, &cnj, served, self.clock.now());
        }
        answer
    }

    /// Brings what the vendor tells of a process into every tier, after the flight that is under way, if any. Costs nothing and asks no
    /// vendor; doing it twice is doing it once.
    ///
    /// # Errors
    /// As [`AmendError`] says: try again later.
    pub async fn amend(&self, cnj: Cnj, amendment: Amendment, deadline: Deadline) -> Result<Amended, AmendError> {
        let shard = self.shard(&cnj).ok_or(AmendError::Recovering)?;
        let answer = shard.ask_again(Amend { cnj, amendment, deadline }, deadline).await;
        answer.unwrap_or(Err(AmendError::Recovering))
    }

    fn shard(&self, cnj: &Cnj) -> Option<&ActorRef<Coordinator>> {
        let count = u64::try_from(self.shards.len()).unwrap_or(1).max(1);
        self.shards.get(usize::try_from(xxh3_64(cnj.bytes()) % count).unwrap_or(0))
    }
}

#[cfg(test)]
#[path = "face_tests.rs"]
mod tests;
