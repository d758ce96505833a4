//! The fallback chain: near copies, Redis, PostgreSQL, the vendor, and what a reader gets when some of them are gone.
//!
//! - `plan`: the chain as a pure function of what is known and what just happened.
//! - `reader`: what one reader gets, and when, as a pure function of how far its flight is.
//! - `near`: the copies in this process.
//! - `shard`, `actor`, `handlers`: one shard; carries out what the plan intends.
//! - `tiers`: how a shard asks Redis, PostgreSQL, the journal and the fetcher.
//! - `trail`: which tiers were asked.

pub mod actor;
mod handlers;
pub mod messages;
pub mod near;
pub mod plan;
pub mod reader;
mod shard;
pub mod tiers;
pub mod trail;

use std::sync::Arc;

use tokio::sync::watch;
use xxhash_rust::xxh3::xxh3_64;

use self::actor::Coordinator;
use self::messages::{Board, Demand, Lookup, LookupError, Served};
use self::near::NearCopies;
use self::reader::RECOVERY_RETRY;
use crate::ambient::SharedClock;
use crate::domain::cnj::Cnj;
use crate::supervision::{ActorRef, AskError};

/// All shards, and the near copies they share, behind one face: every process has its own shard, so one flight at a time needs
/// no lock.
#[derive(Clone)]
pub struct Coordinators {
    near: Arc<NearCopies>,
    shards: Arc<[ActorRef<Coordinator>]>,
    clock: SharedClock,
}

impl Coordinators {
    /// Puts shards behind one face.
    #[must_use]
    pub fn new(near: Arc<NearCopies>, shards: Vec<ActorRef<Coordinator>>, clock: SharedClock) -> Self {
        Self { near, shards: shards.into(), clock }
    }

    /// The answer to a reader whom a near copy satisfies, on the reader's own thread.
    #[must_use]
    pub fn near(&self, cnj: &Cnj, demand: &Demand) -> Option<Result<Served, LookupError>> {
        self.near.answer(cnj, demand, self.clock.monotonic(), self.clock.now())
    }

    /// Answers from the near copies, or asks the process's shard. A shard that is being replaced is waited for, and asked once
    /// more after a crash: a lookup may be repeated, and a copy that was bought in the meantime is found.
    ///
    /// # Errors
    /// As [`LookupError`] says.
    pub async fn lookup(&self, lookup: Lookup) -> Result<Served, LookupError> {
        if let Some(answer) = self.near(&lookup.cnj, &lookup.demand) {
            return answer;
        }
        let hash = xxh3_64(lookup.cnj.bytes());
        let count = u64::try_from(self.shards.len()).unwrap_or(1).max(1);
        let index = usize::try_from(hash % count).unwrap_or(0);
        let Some(shard) = self.shards.get(index) else {
            return Err(LookupError::Recovering { retry_after: RECOVERY_RETRY });
        };
        let deadline = lookup.deadline;
        // Dropped with this future, that is, when the reader hangs up.
        let (_presence, present) = watch::channel(());
        shard.ask_again(Board { lookup, present }, deadline).await.unwrap_or_else(|error| {
            Err(match error {
                AskError::Overloaded => LookupError::Overloaded { retry_after: RECOVERY_RETRY },
                AskError::Unavailable | AskError::TimedOut | AskError::Crashed => {
                    LookupError::Recovering { retry_after: RECOVERY_RETRY }
                }
            })
        })
    }
}
