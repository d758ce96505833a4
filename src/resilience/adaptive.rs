//! How many calls to let be on their way at once, learnt from how they are answered.
//!
//! Additive increase, multiplicative decrease, as TCP does: while answers come about as quickly as the best of late, one more call for
//! every round of answers; when they take twice as long, or fail in a way that speaks of overload, fewer at once. What was best is
//! forgotten after a while, so that a service that became slower for good is not held to what it once was.

use std::time::{Duration, Instant};

/// The bounds of an [`Adaptive`] limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdaptiveSettings {
    /// Never fewer: what keeps learning possible while nothing comes back. Zero counts as one.
    pub floor: usize,
    /// Never more; wins over the floor.
    pub ceiling: usize,
}

/// What an answer says about how much the other side can bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// It bears this much. An error that is about the request and not about load is such an answer.
    Well,
    /// It does not: a timeout, a 5xx, a 429.
    Badly,
}

/// How long the best latency counts as the measure, at least; at most twice as long.
const EPOCH: Duration = Duration::from_secs(30);

/// Latencies below this are no sign of overload, however they compare: scheduling and the network alone make such differences.
const NOISE_US: u64 = 50_000;

/// Limits are counted in thousandths, so that a part of a call can be added for each answer.
const WHOLE: u64 = 1_000;

/// A limit that follows what the other side can bear. Pure: time is passed in.
#[derive(Debug, Clone)]
pub struct Adaptive {
    floor: u64,
    ceiling: u64,
    limit: u64,
    /// Grows by one for every answer until it was cut for the first time.
    unproven: bool,
    /// Average of the last few latencies, in microseconds.
    recent: Option<u64>,
    /// The lowest such average of this epoch and of the one before.
    best: [Option<u64>; 2],
    epoch_began: Option<Instant>,
    cut_at: Option<Instant>,
}

impl Adaptive {
    /// A limit that begins at a quarter of the ceiling.
    #[must_use]
    pub fn new(settings: AdaptiveSettings) -> Self {
        let thousandths = |calls: usize| u64::try_from(calls).unwrap_or(u64::MAX).saturating_mul(WHOLE);
        let ceiling = thousandths(settings.ceiling.max(1));
        let floor = thousandths(settings.floor.max(1)).min(ceiling);
        let limit = (ceiling / 4).max(floor);
        Self { floor, ceiling, limit, unproven: true, recent: None, best: [None; 2], epoch_began: None, cut_at: None }
    }

    /// How many calls may be on their way.
    #[must_use]
    pub fn limit(&self) -> usize {
        usize::try_from(self.limit / WHOLE).unwrap_or(usize::MAX)
    }

    /// Learns from one answer that came at `now` after `took`, when `busy` calls, itself included, were on their way.
    pub fn answered(&mut self, now: Instant, took: Duration, verdict: Answered, busy: usize) {
        match verdict {
            // How long a failure took says nothing about how long an answer takes.
            Answered::Badly => self.cut(now, took, 700),
            Answered::Well => {
                let (recent, best) = self.note(now, took);
                let slow = recent.saturating_sub(best);
                if slow > best && slow > NOISE_US {
                    self.cut(now, took, 850);
                } else if slow <= best / 2 || slow <= NOISE_US {
                    self.grow(busy);
                }
            }
        }
    }

    /// Notes a latency; returns the average of late and the best of it.
    fn note(&mut self, now: Instant, took: Duration) -> (u64, u64) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let recent = self.recent.map_or(took, |recent| recent - recent / 8 + took / 8);
        self.recent = Some(recent);
        let [current, previous] = self.best;
        let over = self.epoch_began.is_none_or(|began| now.saturating_duration_since(began) >= EPOCH);
        self.best =
            if over { [Some(recent), current] } else { [Some(current.unwrap_or(recent).min(recent)), previous] };
        if over {
            self.epoch_began = Some(now);
        }
        let best = self.best.iter().flatten().min().copied().unwrap_or(recent);
        (recent, best)
    }

    /// A limit that is not used teaches nothing about a higher one.
    fn grow(&mut self, busy: usize) {
        if busy.saturating_mul(2) < self.limit() {
            return;
        }
        let step = if self.unproven { WHOLE } else { WHOLE.div_ceil((self.limit / WHOLE).max(1)) };
        self.limit = self.limit.saturating_add(step).min(self.ceiling);
    }

    /// Once for each round: calls that were sent before the last cut say nothing about what came after it.
    fn cut(&mut self, now: Instant, took: Duration, to_thousandths: u64) {
        let age = self.cut_at.map(|cut_at| now.saturating_duration_since(cut_at));
        if age.is_some_and(|age| took >= age) {
            return;
        }
        self.unproven = false;
        self.cut_at = Some(now);
        self.limit = (self.limit / WHOLE * to_thousandths).max(self.floor);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ambient::{Clock, SystemClock};

    const BOUNDS: AdaptiveSettings = AdaptiveSettings { floor: 4, ceiling: 64 };
    const QUICK: Duration = Duration::from_millis(200);

    /// A vendor that is always asked as much as allowed, and time that passes with its answers.
    struct Busy {
        limit: Adaptive,
        now: Instant,
    }

    impl Busy {
        fn new() -> Self {
            Self { limit: Adaptive::new(BOUNDS), now: SystemClock.monotonic() }
        }

        /// Rounds of as many answers as are on their way.
        fn rounds(&mut self, rounds: u32, took: Duration, verdict: Answered) -> usize {
            for _ in 0..rounds {
                self.now += took;
                for _ in 0..self.limit.limit() {
                    let busy = self.limit.limit();
                    self.limit.answered(self.now, took, verdict, busy);
                }
            }
            self.limit.limit()
        }
    }

    #[test]
    fn it_grows_to_the_ceiling_while_answers_are_quick() {
        let mut busy = Busy::new();
        assert_eq!(busy.limit.limit(), 16);
        assert_eq!(busy.rounds(4, QUICK, Answered::Well), 64);
    }

    #[test]
    fn a_failed_round_cuts_once_and_failing_on_ends_at_the_floor() {
        let mut busy = Busy::new();
        busy.rounds(5, QUICK, Answered::Well);
        assert_eq!(busy.rounds(1, QUICK, Answered::Badly), 44, "64 failures, one cut");
        assert_eq!(busy.rounds(20, QUICK, Answered::Badly), 4);
        assert_eq!(busy.rounds(1, QUICK, Answered::Well), 5, "one more a round");
        assert_eq!(busy.rounds(80, QUICK, Answered::Well), 64, "and all of it in time");
    }

    #[test]
    fn it_shrinks_when_answers_take_twice_as_long_and_recovers() {
        let mut busy = Busy::new();
        busy.rounds(5, QUICK, Answered::Well);
        assert!(busy.rounds(20, QUICK * 5, Answered::Well) < 20);
        assert_eq!(busy.rounds(120, QUICK, Answered::Well), 64);
    }

    #[test]
    fn a_vendor_that_is_slower_for_good_becomes_the_measure() {
        let mut busy = Busy::new();
        busy.rounds(5, QUICK, Answered::Well);
        busy.rounds(20, QUICK * 5, Answered::Well);
        assert_eq!(busy.rounds(150, QUICK * 5, Answered::Well), 64);
    }

    #[test]
    fn differences_that_are_noise_do_not_shrink_it() {
        let mut busy = Busy::new();
        busy.rounds(6, Duration::from_millis(1), Answered::Well);
        assert_eq!(busy.rounds(10, Duration::from_millis(40), Answered::Well), 64);
    }

    #[test]
    fn what_is_not_used_does_not_grow() {
        let mut limit = Adaptive::new(BOUNDS);
        for _ in 0..1_000 {
            limit.answered(SystemClock.monotonic(), QUICK, Answered::Well, 3);
        }
        assert_eq!(limit.limit(), 16);
    }

    #[test]
    fn a_ceiling_below_the_floor_wins() {
        assert_eq!(Adaptive::new(AdaptiveSettings { floor: 4, ceiling: 3 }).limit(), 3);
        assert_eq!(Adaptive::new(AdaptiveSettings { floor: 0, ceiling: 0 }).limit(), 1);
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(answers in prop::collection::vec((0_u64..5_000, 0_u64..60_000, any::<bool>(), 0_usize..80), 0..500)) {
            let mut limit = Adaptive::new(BOUNDS);
            let mut now = SystemClock.monotonic();
            for (pause, took, well, busy) in answers {
                now += Duration::from_millis(pause);
                let verdict = if well { Answered::Well } else { Answered::Badly };
                limit.answered(now, Duration::from_millis(took), verdict, busy);
                prop_assert!((4..=64).contains(&limit.limit()));
            }
        }
    }
}
