//! Whether this process has anything under way that may cost money, and since when it has not. Pure.

use std::time::{Duration, Instant};

/// What is seen at one look. `sent` is read first, then what is open, then what is pending: whatever is counted has by then ended if
/// nothing is open, and is stored if nothing is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Requests sent since the start.
    pub sent: u64,
    /// Whether any is open, or not stored yet.
    pub is_busy: bool,
    /// When.
    pub at: Instant,
}

/// See the module.
#[derive(Debug)]
pub struct Calm {
    after: Duration,
    sent: u64,
    stirs: u64,
    stirred_at: Option<Instant>,
}

/// What the looks so far come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Requests sent since the start.
    pub sent: u64,
    /// How often something had changed: the same number twice means that nothing happened in between.
    pub stirs: u64,
    /// Nothing is under way or unstored, and nothing has been for the time that the vendor may take to charge for what we gave up.
    pub is_quiet: bool,
}

impl Calm {
    /// `after`: how long nothing must have happened. `stirred_at`: when something may have happened before the first look; none for a
    /// process that starts with nothing to take over.
    #[must_use]
    pub fn new(after: Duration, stirred_at: Option<Instant>) -> Self {
        Self { after, sent: 0, stirs: 0, stirred_at }
    }

    /// Something happens.
    pub fn stir(&mut self, at: Instant) {
        self.stirs = self.stirs.wrapping_add(1);
        self.stirred_at = Some(at);
    }

    /// Takes in one look.
    pub fn see(&mut self, look: Look) -> Sighting {
        if look.is_busy || look.sent != self.sent {
            self.sent = look.sent;
            self.stir(look.at);
        }
        let since = self.stirred_at.map(|at| look.at.saturating_duration_since(at));
        let is_quiet = !look.is_busy && since.is_none_or(|since| since >= self.after);
        Sighting { sent: look.sent, stirs: self.stirs, is_quiet }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::{Clock, SystemClock};

    const AFTER: Duration = Duration::from_secs(10);

    #[test]
    fn it_is_quiet_some_time_after_the_last_stir() {
        let start = SystemClock.monotonic();
        let mut calm = Calm::new(AFTER, None);
        let mut see = |sent, is_busy, seconds| {
            calm.see(Look { sent, is_busy, at: start + Duration::from_secs(seconds) }).is_quiet
        };
        assert!(see(0, false, 0), "nothing was ever sent");
        assert!(!see(0, true, 1), "under way, not yet counted");
        assert!(!see(1, false, 2), "counted since");
        assert!(!see(1, false, 11));
        assert!(see(1, false, 12));
        assert!(!see(2, false, 13), "sent and stored between two looks");
        assert!(!see(2, true, 30) && !see(2, false, 39) && see(2, false, 40));
    }

    #[test]
    fn what_a_predecessor_left_may_still_be_charged() {
        let start = SystemClock.monotonic();
        let mut calm = Calm::new(AFTER, Some(start));
        let mut see = |seconds| calm.see(Look { sent: 0, is_busy: false, at: start + Duration::from_secs(seconds) });
        assert!(!see(9).is_quiet && see(10).is_quiet);
        assert_eq!(see(11).stirs, see(12).stirs);
    }
}
