//! Which tiers a lookup asked and what each said: the matter of `Cache-Status` and `Server-Timing`.

use std::time::Duration;

/// A place where a copy may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// In this process.
    Near,
    /// Redis.
    Redis,
    /// PostgreSQL.
    Postgres,
    /// The vendor.
    Upstream,
}

impl Tier {
    /// The word for headers, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::Upstream => "upstream",
        }
    }
}

/// What a tier said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It held a fresh copy.
    Hit,
    /// It held a copy past its freshness, or older than the reader accepts.
    Stale,
    /// It held none.
    Miss,
    /// The reader wanted no held copy.
    Bypassed,
    /// It could not be asked or its copy was unreadable; the word says why.
    Failed(&'static str),
}

/// One tier's part in a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// The tier.
    pub tier: Tier,
    /// What it said.
    pub finding: Finding,
    /// How long it took to say so.
    pub took: Duration,
}

/// The visits of one lookup, nearest tier first. At most one a tier, so it lives on the stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trail {
    visits: [Option<Visit>; 4],
}

impl Trail {
    /// Adds the next visit; a second one to a tier replaces the first.
    pub fn record(&mut self, tier: Tier, finding: Finding, took: Duration) {
        let visit = Visit { tier, finding, took };
        let free = self.visits.iter_mut().find(|slot| slot.is_none_or(|held| held.tier == tier));
        if let Some(slot) = free {
            *slot = Some(visit);
        }
    }

    /// The visits, nearest tier first.
    pub fn visits(&self) -> impl DoubleEndedIterator<Item = Visit> + '_ {
        self.visits.iter().filter_map(|slot| *slot)
    }
}
