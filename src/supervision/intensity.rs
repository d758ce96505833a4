//! How many restarts are a hiccup, and how many are a fault that restarting does not cure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The bound: at most `max_restarts` in any stretch of time as long as `within`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartIntensity {
    /// How many restarts the window holds.
    pub max_restarts: usize,
    /// How long the window is. It slides: a restart leaves it exactly this long after it happened.
    pub within: Duration,
}

impl Default for RestartIntensity {
    /// Five in ten seconds, as in Erlang/OTP's guidelines for a child that others depend on.
    fn default() -> Self {
        Self { max_restarts: 5, within: Duration::from_secs(10) }
    }
}

/// What a failure means under a [`RestartIntensity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It still fits: restart.
    Restart,
    /// The window is full: restarting again right away will not help.
    Exhausted,
}

/// The failures of one child that are still inside the window. It never holds more than `max_restarts` moments.
#[derive(Debug)]
pub struct RestartWindow {
    intensity: RestartIntensity,
    recent: VecDeque<Instant>,
}

impl RestartWindow {
    /// An empty window.
    #[must_use]
    pub const fn new(intensity: RestartIntensity) -> Self {
        Self { intensity, recent: VecDeque::new() }
    }

    /// Records a failure at `now` (never earlier than the one before) and says what it means.
    ///
    /// An exhausted window keeps counting: the child is well again only after it has failed less often for a whole window.
    pub fn record(&mut self, now: Instant) -> Verdict {
        let within = self.intensity.within;
        self.recent.retain(|failure| now.saturating_duration_since(*failure) < within);
        let verdict =
            if self.recent.len() < self.intensity.max_restarts { Verdict::Restart } else { Verdict::Exhausted };
        self.recent.push_back(now);
        if self.recent.len() > self.intensity.max_restarts {
            self.recent.pop_front();
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ambient::{Clock, SystemClock};

    const WITHIN: Duration = Duration::from_secs(10);

    fn verdicts(max_restarts: usize, gaps_ms: &[u64]) -> Vec<(Instant, Verdict)> {
        let mut window = RestartWindow::new(RestartIntensity { max_restarts, within: WITHIN });
        let mut now = SystemClock.monotonic();
        let mut record = |gap: &u64| {
            now += Duration::from_millis(*gap);
            (now, window.record(now))
        };
        gaps_ms.iter().map(&mut record).collect()
    }

    #[test]
    fn the_failure_after_the_last_allowed_one_exhausts() {
        let verdicts: Vec<Verdict> = verdicts(2, &[0, 1, 1]).into_iter().map(|(_, verdict)| verdict).collect();
        assert_eq!(verdicts, [Verdict::Restart, Verdict::Restart, Verdict::Exhausted]);
    }

    #[test]
    fn the_window_slides_instead_of_starting_over_after_a_pause() {
        let gaps = [0, 9_000, 1_000, 9_000, 1_000, 9_000];
        assert!(verdicts(2, &gaps).iter().all(|(_, verdict)| *verdict == Verdict::Restart));
    }

    #[test]
    fn no_restarts_allowed_means_the_first_failure_exhausts() {
        assert_eq!(verdicts(0, &[0])[0].1, Verdict::Exhausted);
    }

    proptest! {
        #[test]
        fn no_window_holds_more_restarts_than_allowed(
            max_restarts in 0..6_usize,
            gaps in proptest::collection::vec(0..6_000_u64, 0..100),
        ) {
            let verdicts = verdicts(max_restarts, &gaps);
            let restarts: Vec<Instant> =
                verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Restart).map(|(at, _)| *at).collect();
            for first in &restarts {
                let inside = restarts.iter().filter(|at| *at >= first && **at - *first < WITHIN).count();
                prop_assert!(inside <= max_restarts);
            }
        }

        #[test]
        fn failures_rarer_than_the_window_allows_never_exhaust(
            max_restarts in 1..6_usize,
            extra in proptest::collection::vec(0..5_000_u64, 0..100),
        ) {
            let spacing = u64::try_from(WITHIN.as_millis()).unwrap() / u64::try_from(max_restarts).unwrap() + 1;
            let gaps: Vec<u64> = extra.iter().map(|more| spacing + more).collect();
            prop_assert!(verdicts(max_restarts, &gaps).iter().all(|(_, verdict)| *verdict == Verdict::Restart));
        }
    }
}
