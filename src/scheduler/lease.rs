//! The lead, as the node that has it sees it.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A lead that ends by itself. The database decides who leads; this keeps a node that cannot ask it from going on for longer than the
/// lease that it was given, by its own monotonic clock.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) epoch: u64,
    length: Duration,
    good_until: Cell<Instant>,
    lost: Cell<bool>,
}

impl Lease {
    /// Granted in answer to a question that was sent at `asked_at`.
    pub(super) fn new(epoch: u64, length: Duration, asked_at: Instant) -> Self {
        let lease = Self { epoch, length, good_until: Cell::new(asked_at), lost: Cell::new(false) };
        lease.renewed(asked_at);
        lease
    }

    /// Granted once more. The question's moment counts and not the answer's, less a fifth for clocks that do not run alike.
    pub(super) fn renewed(&self, asked_at: Instant) {
        let counted = self.length - self.length / 5;
        self.good_until.set(asked_at.checked_add(counted).unwrap_or(asked_at));
    }

    /// Another node leads, or we resigned.
    pub(super) fn lose(&self) {
        self.lost.set(true);
    }

    /// Whether anything new may be begun.
    pub(super) fn holds(&self, now: Instant) -> bool {
        !self.lost.get() && now < self.good_until.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::{Clock, SystemClock};

    #[test]
    fn it_ends_by_itself_and_for_good_when_it_is_lost() {
        let start = SystemClock.monotonic();
        let second = Duration::from_secs(1);
        let lease = Lease::new(7, 10 * second, start);
        assert!(lease.holds(start + 7 * second));
        assert!(!lease.holds(start + 8 * second), "a fifth is not counted on");
        lease.renewed(start + 5 * second);
        assert!(lease.holds(start + 12 * second));
        lease.lose();
        lease.renewed(start + 6 * second);
        assert!(!lease.holds(start + 6 * second));
    }
}
