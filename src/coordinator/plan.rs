//! The fallback chain as a pure function: what a lookup knows, plus what just happened, gives what to do next.
//!
//! ```text
//! Redis ─miss→ PostgreSQL ─miss or stale→ vendor ─answer→ store → fill → land
//!   └─fresh────────┴──fresh→ fill the tiers above → land
//! ```
//! A copy that a reader may have fresh ends the search. A copy past its freshness is kept in hand: it is what readers get
//! when the vendor fails, or is slow.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::messages::{Demand, Reach};
use super::trail::{Finding, Tier, Trail};
use crate::domain::cnj::Cnj;
use crate::domain::entry::Entry;
use crate::domain::served::ServedFrom;
use crate::domain::version::Version;
use crate::fetcher::messages::FetchError;

/// What all readers of one flight want, taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// The farthest that any of them may go.
    pub reach: Reach,
    /// No copy fetched before this.
    pub not_before: Option<DateTime<Utc>>,
}

impl Want {
    /// What one reader wants.
    #[must_use]
    pub fn of(demand: &Demand, now: DateTime<Utc>) -> Self {
        let not_before = demand.max_age.map(|age| {
            chrono::TimeDelta::from_std(age)
                .ok()
                .and_then(|age| now.checked_sub_signed(age))
                .unwrap_or(DateTime::UNIX_EPOCH)
        });
        Self { reach: demand.reach, not_before }
    }

    /// What a reader asks of the flight it boards. One who goes no further than the copies held asks nothing more of it: its
    /// limit on age must not send others to the vendor.
    #[must_use]
    pub fn of_flight(self) -> Self {
        if self.reach == Reach::Held { Self { not_before: None, ..self } } else { self }
    }

    /// Adds another reader's wish. Readers who want less are served by the same answer.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |reach| match reach {
            Reach::Held => 0,
            Reach::Vendor => 1,
            Reach::Revalidate => 2,
            Reach::Refresh => 3,
        };
        let reach = if rank(other.reach) > rank(self.reach) { other.reach } else { self.reach };
        Self { reach, not_before: self.not_before.max(other.not_before) }
    }

    /// Whether a copy ends the search.
    #[must_use]
    pub fn satisfied_by(&self, entry: &Entry, now: DateTime<Utc>) -> bool {
        let header = entry.header();
        let young_enough = self.not_before.is_none_or(|limit| header.version.fetched_at >= limit);
        !self.reach.passes_copies() && young_enough && now < header.fresh_until
    }
}

/// A copy in hand and where it was found.
#[derive(Debug, Clone)]
pub struct Held {
    /// The copy.
    pub entry: Arc<Entry>,
    /// The tier.
    pub tier: Tier,
}

impl Held {
    /// The word for this copy in an answer.
    #[must_use]
    pub fn served_from(&self, fresh: bool) -> ServedFrom {
        match self.tier {
            Tier::Near => ServedFrom::Memory,
            Tier::Redis => ServedFrom::Redis,
            Tier::Postgres if fresh => ServedFrom::Database,
            Tier::Postgres => ServedFrom::DatabaseFallback,
            Tier::Upstream => ServedFrom::Api,
        }
    }
}

/// The copy that readers get if nothing better comes.
#[derive(Debug, Clone)]
pub struct InHand {
    /// The copy.
    pub held: Held,
    /// Whether it may count as fresh while it is within its freshness.
    pub believed: bool,
}

/// What a tier said of a process.
#[derive(Debug, Clone)]
pub enum Said {
    /// It holds a copy.
    Copy(Arc<Entry>),
    /// It remembers that the vendor does not know the process.
    Absent {
        /// When the vendor said so.
        version: Version,
        /// Until when that is believed.
        until: DateTime<Utc>,
    },
    /// It holds nothing.
    Nothing,
    /// Its copy cannot be read; it is as if it held nothing, and the copy must be replaced.
    Corrupt {
        /// What is wrong with it.
        cause: &'static str,
        /// The version that the tier names for it, if it does.
        version: Option<Version>,
    },
    /// It could not be asked.
    Failed(&'static str),
    /// It is switched off.
    Off,
}

/// What just happened.
#[derive(Debug)]
pub enum Event {
    /// The lookup begins; `near` is what this process holds, not good enough for the reader.
    Opened {
        /// The near copy past its freshness, or bypassed.
        near: Said,
    },
    /// Redis answered.
    Redis(Said, Duration),
    /// PostgreSQL answered.
    Postgres(Said, Duration),
    /// The vendor delivered a process.
    Bought(Arc<Entry>, Duration),
    /// The vendor does not know the process; believed from and until.
    Unknown {
        /// When the vendor said so.
        version: Version,
        /// Until when that is believed.
        until: DateTime<Utc>,
        /// How long the vendor took.
        took: Duration,
    },
    /// The vendor gave no answer.
    NotBought(FetchError, Duration),
    /// Everything that had to be written was written, or journaled.
    Written,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Intent {
    /// Ask Redis.
    AskRedis,
    /// Ask PostgreSQL.
    AskPostgres,
    /// Tell the readers what is in hand, then ask the vendor.
    AskVendor,
    /// Write what the vendor said to PostgreSQL (or the journal), Redis and the near copies, in this order.
    StoreEverywhere(Arc<Entry>),
    /// The same for an absence.
    StoreAbsence {
        /// When the vendor said so.
        version: Version,
        /// Until when it is believed.
        until: DateTime<Utc>,
    },
    /// Write a copy that a lower tier held to the tiers above it.
    Fill {
        /// The copy.
        entry: Arc<Entry>,
        /// Redis had none, or an older one.
        redis: bool,
    },
    /// Forget a corrupt entry in Redis.
    DropFromRedis,
    /// Answer the readers: the flight is over.
    Land(Landing),
}

/// How a flight ended.
#[derive(Debug, Clone)]
pub enum Landing {
    /// With a copy that satisfies its readers.
    Copy(Held),
    /// The vendor, or a tier that remembers it, says that there is no such process.
    Unknown,
    /// No reader wanted the vendor asked, and no copy is fresh.
    NotAsked,
    /// The vendor was asked and gave no answer.
    Failed(FetchError),
}

/// What a lookup knows so far.
#[derive(Debug)]
pub struct Flight {
    /// The process.
    pub cnj: Cnj,
    /// What its readers want; readers who join raise it.
    pub want: Want,
    /// The best copy in hand.
    pub held: Option<Held>,
    /// Which tiers were asked, and what they said.
    pub trail: Trail,
    /// An absence that a tier remembers.
    absent: Option<(Version, DateTime<Utc>)>,
    /// Redis answered, and holds no copy as good as the one in hand.
    redis_lacks: bool,
    /// PostgreSQL cannot be asked, so a near copy past its near time is as good as there is.
    durable_away: bool,
    /// The newest version that any tier names, readable or not.
    newest: Option<Version>,
    landing: Option<Landing>,
}

impl Flight {
    /// A lookup about to begin.
    #[must_use]
    pub fn new(cnj: Cnj, want: Want) -> Self {
        Self {
            cnj,
            want,
            held: None,
            trail: Trail::default(),
            absent: None,
            redis_lacks: false,
            durable_away: false,
            newest: None,
            landing: None,
        }
    }

    /// The newest version that any tier names for this process: what is bought next must not look older.
    #[must_use]
    pub fn newest_known(&self) -> Option<Version> {
        self.newest
    }

    /// What the vendor is told: the copy in hand, unless an absence has overtaken it, and whether to buy in any case.
    #[must_use]
    pub fn for_the_vendor(&self) -> (Option<Arc<Entry>>, bool) {
        let held = self.held.as_ref().map(|held| Arc::clone(&held.entry));
        let outdated = |entry: &Arc<Entry>| self.absent.is_some_and(|(absence, _)| entry.header().version < absence);
        (held.filter(|entry| !outdated(entry)), self.want.reach == Reach::Refresh)
    }

    /// The copy in hand, and whether it may still be believed: a near copy past its near time only when nobody can confirm it,
    /// and none that is older than the vendor's word that there is no such process.
    #[must_use]
    pub fn in_hand(&self) -> Option<InHand> {
        let held = self.held.clone()?;
        let confirmed = held.tier != Tier::Near || self.durable_away;
        let version = held.entry.header().version;
        let outdated = self.absent.is_some_and(|(absence, _)| version < absence);
        Some(InHand { held, believed: confirmed && !outdated })
    }

    /// Takes in what happened and says what to do, in order. After [`Intent::Land`] there is nothing left to do.
    pub fn advance(&mut self, event: Event, now: DateTime<Utc>) -> Vec<Intent> {
        match event {
            Event::Opened { near } => {
                self.hear(Tier::Near, near, Duration::ZERO, now);
                vec![Intent::AskRedis]
            }
            Event::Redis(said, took) => {
                let corrupt = matches!(said, Said::Corrupt { .. });
                self.redis_lacks = matches!(said, Said::Nothing | Said::Corrupt { .. });
                let mut intents = Vec::new();
                if corrupt {
                    intents.push(Intent::DropFromRedis);
                }
                self.hear(Tier::Redis, said, took, now);
                match self.settled(now) {
                    Some(landing) => intents.extend(self.fill_then_land(landing)),
                    None => intents.push(Intent::AskPostgres),
                }
                intents
            }
            Event::Postgres(said, took) => {
                self.durable_away = matches!(said, Said::Failed(_) | Said::Off);
                self.hear(Tier::Postgres, said, took, now);
                match self.settled(now) {
                    Some(landing) => self.fill_then_land(landing),
                    None if self.want.reach == Reach::Held => vec![Intent::Land(Landing::NotAsked)],
                    None => vec![Intent::AskVendor],
                }
            }
            Event::Bought(entry, took) => {
                self.trail.record(Tier::Upstream, Finding::Hit, took);
                self.landing = Some(Landing::Copy(Held { entry: Arc::clone(&entry), tier: Tier::Upstream }));
                vec![Intent::StoreEverywhere(entry)]
            }
            Event::Unknown { version, until, took } => {
                self.trail.record(Tier::Upstream, Finding::Miss, took);
                self.landing = Some(Landing::Unknown);
                vec![Intent::StoreAbsence { version, until }]
            }
            Event::NotBought(error, took) => {
                self.trail.record(Tier::Upstream, Finding::Failed(error.failure.as_str()), took);
                vec![Intent::Land(Landing::Failed(error))]
            }
            Event::Written => vec![Intent::Land(self.landing.take().unwrap_or(Landing::NotAsked))],
        }
    }

    /// Notes what a tier said. Of two copies the newer is kept, of equal ones the deeper tier's, which is the more durable.
    fn hear(&mut self, tier: Tier, said: Said, took: Duration, now: DateTime<Utc>) {
        let finding = match said {
            Said::Copy(entry) => {
                let fresh = tier != Tier::Near && self.want.satisfied_by(&entry, now);
                let finding = match (self.want.reach.passes_copies(), fresh) {
                    (true, _) => Finding::Bypassed,
                    (_, true) => Finding::Hit,
                    (_, false) => Finding::Stale,
                };
                self.newest = self.newest.max(Some(entry.header().version));
                let known = self.held.as_ref().map(|held| held.entry.header().version);
                let version = entry.header().version;
                if tier == Tier::Postgres && known.is_none_or(|known| version > known) {
                    self.redis_lacks = true;
                }
                if known.is_none_or(|known| version >= known) {
                    self.held = Some(Held { entry, tier });
                }
                finding
            }
            Said::Absent { version, until } => {
                self.absent = self.absent.max(Some((version, until)));
                self.newest = self.newest.max(Some(version));
                match (self.want.reach.passes_copies(), now < until) {
                    (true, _) => Finding::Bypassed,
                    (_, true) => Finding::Hit,
                    (_, false) => Finding::Stale,
                }
            }
            Said::Nothing => Finding::Miss,
            Said::Corrupt { cause, version } => {
                self.newest = self.newest.max(version);
                Finding::Failed(cause)
            }
            Said::Failed(cause) => Finding::Failed(cause),
            Said::Off => return,
        };
        self.trail.record(tier, finding, took);
    }

    /// Whether what is in hand ends the search.
    fn settled(&self, now: DateTime<Utc>) -> Option<Landing> {
        let held = self.held.as_ref();
        if let Some((version, until)) = self.absent
            && held.is_none_or(|held| held.entry.header().version < version)
        {
            return (!self.want.reach.passes_copies() && now < until).then_some(Landing::Unknown);
        }
        self.in_hand()
            .filter(|hand| hand.believed && self.want.satisfied_by(&hand.held.entry, now))
            .map(|hand| Landing::Copy(hand.held))
    }

    fn fill_then_land(&mut self, landing: Landing) -> Vec<Intent> {
        match landing {
            Landing::Copy(held) => {
                let redis = held.tier == Tier::Postgres && self.redis_lacks;
                let entry = Arc::clone(&held.entry);
                vec![Intent::Fill { entry, redis }, Intent::Land(Landing::Copy(held))]
            }
            other => vec![Intent::Land(other)],
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
