//! How long to wait before the next attempt: exponential, capped, with full jitter.

use std::time::Duration;

/// The pauses between attempts at something that keeps failing.
///
/// Full jitter (a pause drawn evenly from zero to the exponential bound) spreads those who failed together over the whole
/// interval, instead of letting them come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The bound of the first pause.
    pub base: Duration,
    /// The bound that no pause exceeds.
    pub cap: Duration,
    /// After this long without a failure the next one counts as the first again.
    pub stable_for: Duration,
}

impl Backoff {
    /// The longest pause that may follow the failure number `attempt`, counted from zero: `min(cap, base * 2^attempt)`.
    #[must_use]
    pub fn bound(&self, attempt: u32) -> Duration {
        let factor = 2_u32.checked_pow(attempt).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// The pause after the failure number `attempt`, counted from zero; `fraction` is the jitter, in `[0, 1)`.
    ///
    /// A fraction outside that range (or not a number) is brought back into it.
    #[must_use]
    pub fn delay(&self, attempt: u32, fraction: f64) -> Duration {
        let bound = self.bound(attempt);
        let seconds = bound.as_secs_f64() * fraction.clamp(0.0, 1.0);
        Duration::try_from_secs_f64(seconds).unwrap_or(bound).min(bound)
    }
}

impl Default for Backoff {
    /// From 100 ms to 30 s; a minute without a failure starts over.
    fn default() -> Self {
        Self { base: Duration::from_millis(100), cap: Duration::from_secs(30), stable_for: Duration::from_secs(60) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn backoff(base_ms: u64, cap_ms: u64) -> Backoff {
        let stable_for = Duration::from_secs(1);
        Backoff { base: Duration::from_millis(base_ms), cap: Duration::from_millis(cap_ms), stable_for }
    }

    #[test]
    fn the_bound_doubles_until_the_cap() {
        let bounds: Vec<u128> = (0..6).map(|attempt| backoff(100, 1_000).bound(attempt).as_millis()).collect();
        assert_eq!(bounds, [100, 200, 400, 800, 1_000, 1_000]);
    }

    #[test]
    fn the_fraction_scales_the_bound() {
        assert_eq!(backoff(100, 1_000).delay(2, 0.5), Duration::from_millis(200));
    }

    #[test]
    fn a_huge_base_does_not_overflow() {
        let forever = Backoff { base: Duration::MAX, cap: Duration::MAX, stable_for: Duration::ZERO };
        assert_eq!(forever.delay(u32::MAX, 1.0), Duration::MAX);
    }

    #[test]
    fn a_fraction_that_is_no_number_stays_within_the_bound() {
        assert!(backoff(100, 1_000).delay(0, f64::NAN) <= Duration::from_millis(100));
    }

    proptest! {
        #[test]
        fn no_delay_exceeds_the_cap(base in 0..10_000_u64, cap in 0..100_000_u64, attempt: u32, fraction in 0.0..1.0) {
            let delay = backoff(base, cap).delay(attempt, fraction);
            prop_assert!(delay <= Duration::from_millis(cap));
            prop_assert!(delay <= backoff(base, cap).bound(attempt));
        }

        #[test]
        fn the_bound_never_shrinks_with_the_attempts(base in 0..10_000_u64, cap in 0..100_000_u64, attempt in 0..u32::MAX) {
            prop_assert!(backoff(base, cap).bound(attempt) <= backoff(base, cap).bound(attempt + 1));
        }
    }
}
