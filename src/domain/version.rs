//! Which of two copies of a process is newer, decided the same way in every tier.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The age of a copy on two clocks: when the vendor last looked at the court, then when we fetched.
///
/// The derived order compares the vendor's clock first, so a slow old fill never beats a newer one. A version without the
/// vendor's clock is older than any with it; [`Version::after`] keeps that from happening to a later fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// When the vendor last verified the process at the court (`data_ultima_verificacao`; documented as always present,
    /// but tolerated as null).
    pub verified_at: Option<DateTime<Utc>>,
    /// When the vendor's answer reached us.
    pub fetched_at: DateTime<Utc>,
}

impl Version {
    /// A version with both clocks cut to microseconds, the resolution of PostgreSQL, so that a copy compares equal to itself
    /// after any round trip.
    #[must_use]
    pub fn new(verified_at: Option<DateTime<Utc>>, fetched_at: DateTime<Utc>) -> Self {
        Self { verified_at: verified_at.map(|at| at.trunc_subsecs(6)), fetched_at: fetched_at.trunc_subsecs(6) }
    }

    /// This version, made later than `previous` on both clocks: what the vendor verified once stays verified even when a later
    /// answer leaves the field null, and what is fetched later is newer even when our own clock went back.
    #[must_use]
    pub fn after(self, previous: Option<Version>) -> Self {
        let Some(previous) = previous else { return self };
        let next = previous.fetched_at.checked_add_signed(TimeDelta::microseconds(1)).unwrap_or(previous.fetched_at);
        Self { verified_at: self.verified_at.max(previous.verified_at), fetched_at: self.fetched_at.max(next) }
    }
}

/// An instant later by a duration, or the end of time: when what is of `at` stops being fresh.
#[must_use]
pub fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(second, 0).unwrap()
    }

    #[test]
    fn the_vendors_clock_decides_before_ours() {
        let slow_old_fill = Version::new(Some(at(10)), at(99));
        let newer = Version::new(Some(at(20)), at(30));
        assert!(newer > slow_old_fill);
        assert!(Version::new(Some(at(20)), at(31)) > newer);
    }

    #[test]
    fn a_later_answer_without_the_vendors_clock_still_wins() {
        let stored = Version::new(Some(at(10)), at(20));
        let later = Version::new(None, at(30));
        assert!(later < stored);
        assert!(later.after(Some(stored)) > stored);
        assert_eq!(later.after(None), later);
    }

    /// A clock that was set back, another node's that is ahead, a row with a time in the future: none may lock a process up.
    #[test]
    fn an_answer_fetched_after_a_version_of_the_future_still_wins() {
        let future = Version::new(Some(at(10)), at(9_999));
        assert!(Version::new(Some(at(10)), at(30)).after(Some(future)) > future);
        assert!(Version::new(None, at(30)).after(Some(future)) > future);
    }
}
