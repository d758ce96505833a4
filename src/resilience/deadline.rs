//! The moment after which nobody waits any more.

use std::time::{Duration, Instant};

/// A moment on the monotonic clock by which an answer must be there.
///
/// It is made once, where a request comes in, and travels with every message it causes: a callee never waits longer than its
/// caller does. Durations would add up on the way; a moment does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline at `instant`.
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The deadline `wait` after `now`; a wait too long to be represented counts as a day.
    #[must_use]
    pub fn after(now: Instant, wait: Duration) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self(now.checked_add(wait).or_else(|| now.checked_add(DAY)).unwrap_or(now))
    }

    /// The moment itself, for timers.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// What is left at `now`: zero once it is over.
    #[must_use]
    pub fn remaining(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether it has been reached.
    #[must_use]
    pub fn is_over(self, now: Instant) -> bool {
        now >= self.0
    }

    /// The earlier of two deadlines.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }

    /// This deadline, or `wait` after `now` where that is sooner: what one step may take out of the whole.
    #[must_use]
    pub fn cap(self, now: Instant, wait: Duration) -> Self {
        self.earlier(Self::after(now, wait))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ambient::{Clock, SystemClock};

    fn now() -> Instant {
        SystemClock.monotonic()
    }

    #[test]
    fn it_is_over_exactly_when_nothing_remains() {
        let start = now();
        let deadline = Deadline::after(start, Duration::from_secs(1));
        assert_eq!(deadline.remaining(start), Duration::from_secs(1));
        assert!(!deadline.is_over(start));
        assert!(deadline.is_over(start + Duration::from_secs(1)));
        assert_eq!(deadline.remaining(start + Duration::from_secs(2)), Duration::ZERO);
    }

    #[test]
    fn an_endless_wait_is_still_a_deadline() {
        let start = now();
        assert!(Deadline::after(start, Duration::MAX).remaining(start) >= Duration::from_secs(60));
    }

    proptest! {
        #[test]
        fn a_cap_never_prolongs(whole in 0..10_000_u64, step in 0..10_000_u64) {
            let start = now();
            let deadline = Deadline::after(start, Duration::from_millis(whole));
            let capped = deadline.cap(start, Duration::from_millis(step));
            prop_assert_eq!(capped.remaining(start), Duration::from_millis(whole.min(step)));
        }
    }
}
