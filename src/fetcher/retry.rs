//! Whether a failed request is sent again, and after how long.

use std::time::Duration;

use chrono::{DateTime, Timelike, Utc};

use super::messages::Failure;
use super::setback::{Repeat, Setback};
use crate::resilience::backoff::Backoff;

/// What is allowed to one request of a fetch.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryPolicy {
    /// Tries, the first included.
    pub(super) max_attempts: u32,
    /// The pauses between them.
    pub(super) backoff: Backoff,
    /// The longest a `Retry-After` is waited for; a longer one ends the fetch and is passed on.
    pub(super) longest_wait: Duration,
    /// What one try may take: after a timeout another is begun only if it can have as much.
    pub(super) full_try: Duration,
    /// What a limit means of which the vendor does not say how long it lasts.
    pub(super) limit: Limit,
}

/// A limit without a `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// It is counted by the minute and ends with it: longer than any reader waits.
    ByTheMinute,
    /// It passes in a moment.
    Passing,
}

/// What was tried so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tries {
    failed: u32,
    perhaps_charged: u32,
}

impl Tries {
    /// Counts one more failed try.
    pub(super) fn note(&mut self, setback: &Setback) {
        self.failed = self.failed.saturating_add(1);
        self.perhaps_charged = self.perhaps_charged.saturating_add(u32::from(setback.repeat == Repeat::Once));
    }
}

impl RetryPolicy {
    /// The pause before the next try after `setback`, the last of `tries`; `None`: give up. `remaining` is what is left until the
    /// deadline, `fraction` the jitter.
    pub(super) fn pause(
        &self,
        tries: Tries,
        setback: &Setback,
        remaining: Duration,
        fraction: f64,
    ) -> Option<Duration> {
        if self.lasts_a_minute(setback) {
            return None;
        }
        let advice = setback.retry_after.unwrap_or(Duration::ZERO);
        let allowed = match setback.repeat {
            Repeat::Never => false,
            Repeat::Once => tries.perhaps_charged <= 1,
            Repeat::Freely => true,
        };
        if !allowed || tries.failed >= self.max_attempts || advice > self.longest_wait {
            return None;
        }
        // Jitter on top of the advice, or all who were refused together would come back together.
        let pause = advice.saturating_add(self.backoff.delay(tries.failed.saturating_sub(1), fraction));
        let needed = if setback.failure == Failure::TimedOut { self.full_try } else { Duration::ZERO };
        (pause.saturating_add(needed) < remaining).then_some(pause)
    }

    /// What those who asked are told, and the account: a limit by the minute ends with the minute.
    pub(super) fn advised(&self, setback: Setback, now: DateTime<Utc>, fraction: f64) -> Setback {
        if self.lasts_a_minute(&setback) {
            return Setback { retry_after: Some(next_minute(now, fraction)), ..setback };
        }
        setback
    }

    fn lasts_a_minute(&self, setback: &Setback) -> bool {
        let unadvised = setback.failure == Failure::RateLimited && setback.retry_after.is_none();
        unadvised && self.limit == Limit::ByTheMinute
    }
}

/// The next minute, and up to five seconds into it, lest everybody comes at its beginning.
fn next_minute(now: DateTime<Utc>, fraction: f64) -> Duration {
    let left = 60_u32.saturating_sub(now.second());
    Duration::from_secs(u64::from(left)).saturating_add(Duration::from_secs(5).mul_f64(fraction.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const TIMED_OUT: Setback = Setback::of(Failure::TimedOut, Repeat::Once);
    const CUT_OFF: Setback = Setback::of(Failure::Unreadable, Repeat::Once);

    fn policy() -> RetryPolicy {
        let (base, cap) = (Duration::from_millis(200), Duration::from_secs(2));
        RetryPolicy {
            max_attempts: 3,
            backoff: Backoff { base, cap, stable_for: Duration::ZERO },
            longest_wait: cap,
            full_try: Duration::from_secs(15),
            limit: Limit::ByTheMinute,
        }
    }

    /// Feeds the same setback until the policy gives up, and says how many requests that makes.
    fn requests(setback: Setback, remaining: Duration) -> u32 {
        requests_of(policy(), setback, remaining)
    }

    fn requests_of(policy: RetryPolicy, setback: Setback, remaining: Duration) -> u32 {
        let mut tries = Tries::default();
        for request in 1..100 {
            tries.note(&setback);
            if policy.pause(tries, &setback, remaining, 0.5).is_none() {
                return request;
            }
        }
        panic!("it never gives up");
    }

    fn limited(seconds: u64) -> Setback {
        let retry_after = Some(Duration::from_secs(seconds));
        Setback { retry_after, ..Setback::of(Failure::RateLimited, Repeat::Freely) }
    }

    #[test]
    fn what_costs_nothing_is_repeated_up_to_the_most_attempts() {
        assert_eq!(requests(Setback::of(Failure::Unreachable, Repeat::Freely), LONG), 3);
        assert_eq!(requests(Setback::of(Failure::ServerError, Repeat::Freely), LONG), 3);
    }

    #[test]
    fn what_may_have_been_charged_is_repeated_once() {
        assert_eq!(requests(TIMED_OUT, LONG), 2);
        assert_eq!(requests(CUT_OFF, LONG), 2);
        let mut tries = Tries::default();
        tries.note(&TIMED_OUT);
        tries.note(&CUT_OFF);
        assert_eq!(policy().pause(tries, &CUT_OFF, LONG, 0.0), None);
    }

    #[test]
    fn what_would_come_again_is_not_asked_again() {
        assert_eq!(requests(Setback::lasting(Failure::Unreadable), LONG), 1);
        assert_eq!(requests(Setback::of(Failure::Refused, Repeat::Never), LONG), 1);
    }

    #[test]
    fn short_advice_is_followed_and_long_advice_is_passed_on() {
        assert_eq!(requests(limited(1), LONG), 3);
        assert_eq!(requests(limited(0), LONG), 3);
        assert_eq!(requests(limited(3), LONG), 1);
        assert_eq!(requests(Setback::of(Failure::RateLimited, Repeat::Freely), LONG), 1);
        let mut tries = Tries::default();
        tries.note(&limited(1));
        assert_eq!(policy().pause(tries, &limited(1), LONG, 0.5), Some(Duration::from_millis(1_100)));
    }

    #[test]
    fn a_timeout_is_repeated_only_if_a_full_try_fits() {
        assert_eq!(requests(TIMED_OUT, Duration::from_secs(15)), 1);
        assert_eq!(requests(TIMED_OUT, Duration::from_secs(16)), 2);
        assert_eq!(requests(CUT_OFF, Duration::from_secs(1)), 2);
    }

    #[test]
    fn a_limit_without_a_date_ends_with_the_minute_or_in_a_moment() {
        let (now, unadvised) =
            (Utc.with_ymd_and_hms(2026, 8, 21, 12, 0, 30).unwrap(), Setback::passing(Failure::RateLimited));
        assert_eq!(policy().advised(unadvised, now, 0.0).retry_after, Some(Duration::from_secs(30)));
        assert_eq!(policy().advised(limited(3), now, 0.0), limited(3));
        let passing = RetryPolicy { limit: Limit::Passing, ..policy() };
        assert_eq!(passing.advised(unadvised, now, 0.0), unadvised);
        assert_eq!(requests_of(passing, unadvised, LONG), 3);
    }

    #[test]
    fn the_next_minute_is_at_most_65_seconds_away() {
        let at = |second| Utc.with_ymd_and_hms(2026, 8, 21, 12, 0, second).unwrap();
        assert_eq!(next_minute(at(0), 0.0), Duration::from_secs(60));
        assert_eq!(next_minute(at(59), 0.0), Duration::from_secs(1));
        assert_eq!(next_minute(at(30), 1.0), Duration::from_secs(35));
    }

    proptest! {
        #[test]
        fn a_pause_always_ends_before_the_deadline(advice in 0_u64..4_000, remaining in 0_u64..5_000, fraction in 0.0..1.0) {
            let retry_after = Some(Duration::from_millis(advice));
            let setback = Setback { retry_after, ..Setback::of(Failure::ServerError, Repeat::Freely) };
            let mut tries = Tries::default();
            tries.note(&setback);
            let remaining = Duration::from_millis(remaining);
            if let Some(pause) = policy().pause(tries, &setback, remaining, fraction) {
                prop_assert!(pause < remaining);
                prop_assert!(pause >= Duration::from_millis(advice));
            }
        }
    }
}
