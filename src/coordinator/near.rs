//! The copies in this process: the nearest tier. All shards and the coordinator's face share them, so a near hit is answered
//! on the reader's own thread, without a message.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::messages::{Demand, LookupError, Served};
use super::plan::{Said, Want};
use super::trail::{Finding, Tier, Trail};
use crate::domain::cnj::Cnj;
use crate::domain::entry::Entry;
use crate::domain::served::{Freshness, ServedFrom};
use crate::domain::version::Version;

/// What keeping one key costs besides its copy, in bytes.
const OVERHEAD: u64 = 256;
/// A guess at a copy's size, from which the cache sizes its tables.
const USUAL_COPY: u64 = 64 * 1024;

/// Near copies. One past its time stays as a fallback until its bytes are needed.
pub struct NearCopies {
    copies: Option<Cache<Cnj, Slot, ByWeight>>,
    ttl: Duration,
}

#[derive(Clone)]
struct Slot {
    what: What,
    until: Instant,
}

#[derive(Clone)]
enum What {
    Copy(Arc<Entry>),
    Absent { version: Version, until: DateTime<Utc> },
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Cnj, Slot> for ByWeight {
    fn weight(&self, _: &Cnj, slot: &Slot) -> u64 {
        match &slot.what {
            What::Copy(entry) => OVERHEAD + entry.weight(),
            What::Absent { .. } => OVERHEAD,
        }
    }
}

impl What {
    fn version(&self) -> Version {
        match self {
            Self::Copy(entry) => entry.header().version,
            Self::Absent { version, .. } => *version,
        }
    }
}

impl NearCopies {
    /// Room for `bytes`, each copy near for `ttl`; zero of either keeps nothing.
    #[must_use]
    pub fn new(bytes: u64, ttl: Duration) -> Self {
        let on = bytes > 0 && !ttl.is_zero();
        let items = usize::try_from(bytes / USUAL_COPY).unwrap_or(usize::MAX).max(16);
        Self { copies: on.then(|| Cache::with_weighter(items, bytes, ByWeight)), ttl }
    }

    /// The answer to a reader whom a near copy satisfies.
    #[must_use]
    pub fn answer(
        &self,
        cnj: &Cnj,
        demand: &Demand,
        now: Instant,
        wall: DateTime<Utc>,
    ) -> Option<Result<Served, LookupError>> {
        let slot = self.copies.as_ref()?.get(cnj).filter(|slot| now < slot.until)?;
        let want = Want::of(demand, wall);
        match slot.what {
            What::Copy(entry) if want.satisfied_by(&entry, wall) => {
                let mut trail = Trail::default();
                trail.record(Tier::Near, Finding::Hit, Duration::ZERO);
                let (from, freshness) = (ServedFrom::Memory, Freshness::Fresh);
                Some(Ok(Served { entry, from, freshness, trail, collapsed: false, cost_centavos: 0, renewal: None }))
            }
            What::Absent { until, .. } if wall < until && !want.reach.passes_copies() => {
                Some(Err(LookupError::Unknown))
            }
            _ => None,
        }
    }

    /// What is held, whether it is still near enough or not.
    #[must_use]
    pub fn held(&self, cnj: &Cnj) -> Said {
        let Some(copies) = &self.copies else { return Said::Off };
        match copies.peek(cnj).map(|slot| slot.what) {
            None => Said::Nothing,
            Some(What::Copy(entry)) => Said::Copy(entry),
            Some(What::Absent { version, until }) => Said::Absent { version, until },
        }
    }

    /// Keeps a copy, unless a newer one is held.
    pub fn put(&self, cnj: Cnj, entry: Arc<Entry>, now: Instant) {
        self.put_slot(cnj, What::Copy(entry), now);
    }

    /// Remembers an absence, unless something newer is held.
    pub fn put_absent(&self, cnj: Cnj, version: Version, until: DateTime<Utc>, now: Instant) {
        self.put_slot(cnj, What::Absent { version, until }, now);
    }

    /// A process has one shard, so its copies are put one after the other, and comparing before inserting is enough.
    fn put_slot(&self, cnj: Cnj, what: What, now: Instant) {
        let Some(copies) = &self.copies else { return };
        if copies.peek(&cnj).is_none_or(|held| held.what.version() <= what.version()) {
            copies.insert(cnj, Slot { what, until: now + self.ttl });
        }
    }
}
