//! How many requests one piece of background work may send, and how many it did: a bound that retries, pages and a caller who stopped
//! waiting cannot get around.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A bound shared by everybody who works on the same thing. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Allowance {
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Counts {
    left: AtomicU32,
    drawn: AtomicU32,
    lifted: AtomicBool,
}

impl Allowance {
    /// For at most so many requests.
    #[must_use]
    pub fn of(most: u32) -> Self {
        let (left, drawn) = (AtomicU32::new(most), AtomicU32::new(0));
        Self { counts: Arc::new(Counts { left, drawn, lifted: AtomicBool::new(false) }) }
    }

    /// Takes one request, just before it is sent. False: there is none left, and nothing may be sent.
    #[must_use]
    pub fn draw(&self) -> bool {
        if self.is_lifted() {
            return true;
        }
        let left = &self.counts.left;
        let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if taken {
            self.counts.drawn.fetch_add(1, Ordering::SeqCst);
        }
        taken
    }

    /// How many may still be taken.
    #[must_use]
    pub fn left(&self) -> u32 {
        if self.is_lifted() { u32::MAX } else { self.counts.left.load(Ordering::SeqCst) }
    }

    /// Ends the bound: somebody who is not bound by it wants the same thing. What is sent from now on is theirs, and not taken from here.
    pub fn lift(&self) {
        self.counts.lifted.store(true, Ordering::SeqCst);
    }

    fn is_lifted(&self) -> bool {
        self.counts.lifted.load(Ordering::SeqCst)
    }

    /// How many were taken so far.
    #[must_use]
    pub fn drawn(&self) -> u32 {
        self.counts.drawn.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_what_it_has_and_no_more_to_all_who_share_it() {
        let allowance = Allowance::of(2);
        let shared = allowance.clone();
        assert!(allowance.draw() && shared.draw());
        assert!(!allowance.draw() && !shared.draw());
        assert_eq!((allowance.drawn(), shared.drawn()), (2, 2));
    }

    #[test]
    fn once_lifted_it_stops_nobody_and_counts_nothing() {
        let allowance = Allowance::of(1);
        assert_eq!(allowance.left(), 1);
        assert!(allowance.draw() && !allowance.draw());
        allowance.clone().lift();
        assert!(allowance.draw() && allowance.draw());
        assert_eq!((allowance.drawn(), allowance.left()), (1, u32::MAX));
    }
}
