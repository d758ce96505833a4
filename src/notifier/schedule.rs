//! When a delivery that failed is tried again, and how long a subscriber that fails is left alone.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The waits after the first failed attempt, the second, and so on; after the last of them the delivery is dead. Two days, so that a
/// weekend's outage that is noticed on Monday loses nothing.
pub const WAITS: [Duration; 11] = [
    Duration::from_secs(5),
    Duration::from_secs(MINUTE),
    Duration::from_secs(5 * MINUTE),
    Duration::from_secs(15 * MINUTE),
    Duration::from_secs(30 * MINUTE),
    Duration::from_secs(HOUR),
    Duration::from_secs(2 * HOUR),
    Duration::from_secs(4 * HOUR),
    Duration::from_secs(8 * HOUR),
    Duration::from_secs(12 * HOUR),
    Duration::from_secs(24 * HOUR),
];

/// After so many failures in a row all deliveries of a subscriber wait for one that probes it: one failure is a hiccup, and every
/// attempt at a dead address costs up to its whole timeout.
pub const HOLD_AFTER: u32 = 3;

/// The waits between two probes: a subscriber that is back is noticed within the last of them.
const HOLDS: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(MINUTE),
    Duration::from_secs(5 * MINUTE),
    Duration::from_secs(15 * MINUTE),
];

/// How much later than planned, at the most, as a share of the wait: what failed together does not come back together.
const JITTER: f64 = 0.1;

/// The wait after the attempt of this number, counted from one, has failed; none when it was the last. `fraction` is the jitter, in
/// `[0, 1)`.
#[must_use]
pub fn next_attempt(attempt: u32, fraction: f64) -> Option<Duration> {
    let index = usize::try_from(attempt.saturating_sub(1)).ok()?;
    WAITS.get(index).map(|wait| late(*wait, fraction))
}

/// How long a subscriber is left alone after so many failures in a row; none while it is still tried as usual.
#[must_use]
pub fn hold(failures: u32, fraction: f64) -> Option<Duration> {
    let index = usize::try_from(failures.checked_sub(HOLD_AFTER)?).unwrap_or(usize::MAX).min(HOLDS.len() - 1);
    HOLDS.get(index).map(|wait| late(*wait, fraction))
}

/// How long a delivery is tried in all. One that waited this long behind a subscriber that does not answer is dead, too.
#[must_use]
pub fn span() -> Duration {
    WAITS.iter().sum()
}

fn late(wait: Duration, fraction: f64) -> Duration {
    let share = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    wait.mul_f64(1.0 + JITTER * share)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_waits_are_the_documented_ones_and_then_it_is_dead() {
        let minutes: Vec<f64> = (1..=11).map(|n| next_attempt(n, 0.0).unwrap().as_secs_f64() / 60.0).collect();
        assert_eq!(minutes[1..], [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 720.0, 1440.0]);
        assert_eq!(next_attempt(1, 0.0), Some(Duration::from_secs(5)));
        assert_eq!((next_attempt(12, 0.0), next_attempt(u32::MAX, 0.0)), (None, None));
    }

    #[test]
    fn a_subscriber_is_held_from_the_third_failure_on_and_probed_for_ever() {
        assert_eq!((hold(0, 0.0), hold(2, 0.0)), (None, None));
        let seconds: Vec<u64> = (3..9).map(|n| hold(n, 0.0).unwrap().as_secs()).collect();
        assert_eq!(seconds, [5, 60, 300, 900, 900, 900]);
        assert!(hold(u32::MAX, 0.0).is_some());
    }

    /// A subscriber that was down for an hour, in virtual time: from attempt to attempt, each as early or as late as can be.
    #[test]
    fn after_an_hour_away_the_first_delivery_is_tried_within_the_next() {
        for fraction in [0.0, 0.999] {
            let (mut at, mut attempt) = (Duration::ZERO, 1);
            while at < Duration::from_secs(HOUR) {
                at += next_attempt(attempt, fraction).unwrap();
                attempt += 1;
            }
            assert!(at < Duration::from_secs(2 * HOUR + 15 * MINUTE), "{at:?} {attempt}");
        }
        assert!(span() > Duration::from_secs(48 * HOUR) && span() < Duration::from_secs(60 * HOUR));
    }

    proptest! {
        #[test]
        fn jitter_only_delays_and_never_by_more_than_a_tenth(attempt in 1..12_u32, fraction: f64) {
            let (exact, late) = (next_attempt(attempt, 0.0), next_attempt(attempt, fraction));
            if let (Some(exact), Some(late)) = (exact, late) {
                prop_assert!(late >= exact && late <= exact.mul_f64(1.11));
            }
        }
    }
}
