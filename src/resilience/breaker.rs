//! A circuit breaker: after enough failures in a row nobody asks any more, until one trial says that it is worth it again.

use std::time::{Duration, Instant};

/// When a [`Breaker`] opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// How many failures in a row open it; zero counts as one.
    pub threshold: u32,
    /// How long it stays open, and how long a trial may go without a result before another one is let through.
    pub open_for: Duration,
}

/// What a [`Breaker`] says to one who wants to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// All is well: go.
    Pass,
    /// Go, and know that the result of this one call decides: report it.
    Trial,
    /// Do not go; it makes sense to ask again after this long.
    Refused {
        /// Never zero.
        retry_after: Duration,
    },
}

/// Where a [`Breaker`] stands, for a log line, a metric or a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// One trial is let through, or under way.
    HalfOpen,
}

impl BreakerState {
    /// `closed`, `open` or `half-open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Position {
    Closed { failures: u32 },
    Open { until: Instant },
    Trying { until: Instant },
}

/// The state machine, fed with moments and results by its owner.
///
/// * Closed → Open: `threshold` failures in a row.
/// * Open → trying: the first [`admit`](Self::admit) after `open_for`; its caller is the trial, everyone else is refused.
/// * Trying → Closed: the trial succeeded. Trying → Open: it failed.
/// * Trying → trying: the trial was never heard of again within `open_for`; the next caller becomes the trial, so that a caller
///   who went away cannot keep the breaker shut for ever.
///
/// Results that arrive while it is open belong to calls admitted before it opened and change nothing.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: BreakerSettings,
    position: Position,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(settings: BreakerSettings) -> Self {
        Self { settings, position: Position::Closed { failures: 0 } }
    }

    /// Asks whether a call may be made now. Whoever gets `Pass` or `Trial` reports the result.
    pub fn admit(&mut self, now: Instant) -> Admission {
        match self.position {
            Position::Closed { .. } => Admission::Pass,
            Position::Open { until } | Position::Trying { until } if now < until => {
                Admission::Refused { retry_after: until.saturating_duration_since(now) }
            }
            Position::Open { .. } | Position::Trying { .. } => {
                self.position = Position::Trying { until: self.later(now) };
                Admission::Trial
            }
        }
    }

    /// Reports that an admitted call succeeded.
    pub fn succeeded(&mut self, _now: Instant) {
        if !matches!(self.position, Position::Open { .. }) {
            self.position = Position::Closed { failures: 0 };
        }
    }

    /// Reports that an admitted call failed.
    pub fn failed(&mut self, now: Instant) {
        self.position = match self.position {
            Position::Closed { failures } if failures.saturating_add(1) < self.settings.threshold => {
                Position::Closed { failures: failures.saturating_add(1) }
            }
            Position::Closed { .. } | Position::Trying { .. } => Position::Open { until: self.later(now) },
            open @ Position::Open { .. } => open,
        };
    }

    /// Where it stands. Half-open from the moment at which the next caller would be let through as the trial.
    #[must_use]
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.position {
            Position::Closed { .. } => BreakerState::Closed,
            Position::Open { until } if now < until => BreakerState::Open,
            Position::Open { .. } | Position::Trying { .. } => BreakerState::HalfOpen,
        }
    }

    fn later(&self, now: Instant) -> Instant {
        now.checked_add(self.settings.open_for).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ambient::{Clock, SystemClock};

    const OPEN_FOR: Duration = Duration::from_secs(10);

    fn breaker() -> (Breaker, Instant) {
        let settings = BreakerSettings { threshold: 3, open_for: OPEN_FOR };
        (Breaker::new(settings), SystemClock.monotonic())
    }

    fn opened() -> (Breaker, Instant) {
        let (mut breaker, now) = breaker();
        (0..3).for_each(|_| breaker.failed(now));
        (breaker, now)
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let (breaker, now) = opened();
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert_eq!(breaker.clone().admit(now), Admission::Refused { retry_after: OPEN_FOR });
    }

    #[test]
    fn a_success_in_between_starts_the_count_over() {
        let (mut breaker, now) = breaker();
        breaker.failed(now);
        breaker.failed(now);
        breaker.succeeded(now);
        breaker.failed(now);
        breaker.failed(now);
        assert_eq!(breaker.admit(now), Admission::Pass);
    }

    #[test]
    fn one_trial_is_let_through_and_closes_it() {
        let (mut breaker, now) = opened();
        let later = now + OPEN_FOR;
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        assert_eq!(breaker.admit(later), Admission::Trial);
        assert_eq!(breaker.admit(later), Admission::Refused { retry_after: OPEN_FOR });
        breaker.succeeded(later);
        assert_eq!(breaker.admit(later), Admission::Pass);
        assert_eq!(breaker.state(later).as_str(), "closed");
    }

    #[test]
    fn a_failed_trial_opens_it_again_at_once() {
        let (mut breaker, now) = opened();
        let later = now + OPEN_FOR;
        breaker.admit(later);
        breaker.failed(later);
        assert_eq!(breaker.state(later), BreakerState::Open);
    }

    #[test]
    fn a_trial_that_is_never_heard_of_again_does_not_wedge_it() {
        let (mut breaker, now) = opened();
        assert_eq!(breaker.admit(now + OPEN_FOR), Admission::Trial);
        assert_eq!(breaker.admit(now + OPEN_FOR * 2), Admission::Trial);
    }

    #[test]
    fn late_results_of_earlier_calls_do_not_move_an_open_breaker() {
        let (mut breaker, now) = opened();
        breaker.succeeded(now);
        breaker.failed(now + OPEN_FOR / 2);
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert_eq!(breaker.state(now + OPEN_FOR), BreakerState::HalfOpen);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(u64),
        Admit,
        Succeed,
        Fail,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step =
            prop_oneof![(0..15_000_u64).prop_map(Step::Wait), Just(Step::Admit), Just(Step::Succeed), Just(Step::Fail)];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn whatever_happened_it_admits_someone_within_open_for(steps in steps()) {
            let (mut breaker, mut now) = breaker();
            for step in steps {
                match step {
                    Step::Wait(ms) => now += Duration::from_millis(ms),
                    Step::Admit => {
                        if let Admission::Refused { retry_after } = breaker.admit(now) {
                            prop_assert!(retry_after > Duration::ZERO && retry_after <= OPEN_FOR);
                        }
                    }
                    Step::Succeed => breaker.succeeded(now),
                    Step::Fail => breaker.failed(now),
                }
            }
            let admission = breaker.admit(now + OPEN_FOR);
            prop_assert!(!matches!(admission, Admission::Refused { .. }), "{:?}", admission);
        }

        #[test]
        fn between_two_trials_lies_at_least_open_for_or_a_result(waits in proptest::collection::vec(0..5_000_u64, 1..100)) {
            let (mut breaker, mut now) = opened();
            let mut last_trial: Option<Instant> = None;
            for wait in waits {
                now += Duration::from_millis(wait);
                if breaker.admit(now) == Admission::Trial {
                    prop_assert!(last_trial.is_none_or(|last| now - last >= OPEN_FOR));
                    last_trial = Some(now);
                }
            }
        }
    }
}
