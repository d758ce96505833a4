//! What somebody other than a fetch tells us of a process (the vendor's callbacks), and what becomes of our copy. Pure.

use chrono::{DateTime, Utc};

use super::freshness;
use super::plan::{Held, Said};
use super::trail::Tier;
use crate::config::coordinator::CoordinatorSettings;
use crate::domain::codec::CodecError;
use crate::domain::entry::Entry;
use crate::domain::movement::{Movement, newest_first};
use crate::domain::snapshot::{Provider, Snapshot};
use crate::domain::version::Version;

/// What is told, by the vendor that sells the process. Telling it again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amendment {
    /// The process has this movement.
    Movement(Box<Movement>),
    /// The vendor looked at the court at this time and found nothing new.
    Verified(DateTime<Utc>),
}

/// What became of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amended {
    /// It is amended, in every tier that could be asked.
    Done,
    /// It knew already.
    Already,
    /// No copy of this vendor's is held, or its word since is that there is no such process: nothing to amend.
    NotHeld,
}

impl Amended {
    /// The word for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::NotHeld => "not-held",
        }
    }
}

/// What all tiers together hold of a process.
#[derive(Debug)]
pub(super) struct Holding {
    /// The newest copy.
    pub(super) held: Held,
    /// The newest version that any tier names, readable or not.
    pub(super) newest: Version,
    /// Redis may hold a copy, and holds none as new.
    pub(super) redis_lacks: bool,
}

/// The newest copy that any tier holds, fresh or not: of equal ones the deepest whose freshness counts, because an operator may have
/// changed it there. None if there is none, or if it is older than an absence.
pub(super) fn holding(near: Said, redis: Said, postgres: Said, stored_counts: bool) -> Option<Holding> {
    let redis_is_on = !matches!(redis, Said::Off);
    let (mut held, mut newest, mut absent): (Option<Held>, Option<Version>, Option<Version>) = (None, None, None);
    let mut in_redis = None;
    for (tier, said) in [(Tier::Near, near), (Tier::Redis, redis), (Tier::Postgres, postgres)] {
        match said {
            Said::Copy(entry) => {
                let version = entry.header().version;
                newest = newest.max(Some(version));
                if tier == Tier::Redis {
                    in_redis = Some(version);
                }
                let before = held.as_ref().map(|held| held.entry.header().version);
                let replaces = before.is_none_or(|before| version > before || (version == before && stored_counts));
                if replaces {
                    held = Some(Held { entry, tier });
                }
            }
            Said::Absent { version, .. } => {
                absent = absent.max(Some(version));
                newest = newest.max(Some(version));
            }
            Said::Corrupt { version, .. } => newest = newest.max(version),
            Said::Nothing | Said::Failed(_) | Said::Off => {}
        }
    }
    let held = held?;
    let version = held.entry.header().version;
    let outdated = absent.is_some_and(|absent| version < absent);
    let redis_lacks = redis_is_on && in_redis.is_none_or(|in_redis| in_redis < version);
    (!outdated).then(|| Holding { newest: newest.unwrap_or(version).max(version), held, redis_lacks })
}

/// The copy with what is told, if it did not know; none if it is not this vendor's. Decoding and rendering a large process takes a while:
/// not on an arbiter.
pub(super) fn amended(
    held: &Entry,
    newest: Version,
    amendment: &Amendment,
    settings: &CoordinatorSettings,
    now: DateTime<Utc>,
) -> Result<Change, CodecError> {
    if held.header().provider != Provider::Escavador {
        // The same act has another id and other words there, and would be listed twice; and nobody can say that it is current.
        return Ok(Change::NotOurs);
    }
    match amendment {
        Amendment::Movement(movement) => with_movement(held, newest, movement),
        Amendment::Verified(at) => verified(held, newest, (*at).min(now), settings),
    }
}

/// What becomes of a copy.
#[derive(Debug)]
pub(super) enum Change {
    /// This is what is to be stored.
    Changed(Box<Entry>),
    /// It knew already.
    Already,
    /// Another vendor's.
    NotOurs,
}

/// Its clocks stay where they are, but for the microsecond that makes it newer than what it replaces: nobody has looked at the whole.
fn with_movement(held: &Entry, newest: Version, movement: &Movement) -> Result<Change, CodecError> {
    let before = held.snapshot()?;
    if before.movements.iter().any(|known| known.id == movement.id) {
        return Ok(Change::Already);
    }
    let mut snapshot = Snapshot::clone(&before);
    snapshot.movements.push(movement.clone());
    snapshot.movements.sort_by(newest_first);
    let cover = &mut snapshot.cover;
    cover.declared_total = cover.declared_total.map(|total| total.saturating_add(1));
    cover.last_movement = cover.last_movement.max(movement.date);
    let version = held.header().version;
    snapshot.version = Version::new(version.verified_at, version.fetched_at).after(Some(newest));
    Ok(Change::Changed(Box::new(Entry::new(snapshot, held.header().fresh_until)?)))
}

/// As of when the vendor looked, not of when we hear of it: what is told late says nothing of the time since.
fn verified(
    held: &Entry,
    newest: Version,
    at: DateTime<Utc>,
    settings: &CoordinatorSettings,
) -> Result<Change, CodecError> {
    let header = held.header();
    // Cut to what is kept, or no copy would ever be as new as what is told.
    let told = Version::new(Some(at), at);
    if header.version.verified_at >= told.verified_at {
        return Ok(Change::Already);
    }
    let version = told.after(Some(newest));
    let renewed = freshness::fresh_until(settings, &*held.snapshot()?, version.fetched_at, false);
    let fresh_until = header.fresh_until.max(renewed);
    Ok(Change::Changed(Box::new(Entry::open(held.envelope().stamped(version, fresh_until))?)))
}

#[cfg(test)]
#[path = "amendment_tests.rs"]
mod tests;
