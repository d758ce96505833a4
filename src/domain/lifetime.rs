//! How long a copy counts as fresh: longer for a quiet process, shorter for a busy one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::cnj::Cnj;
use super::rhythm::{ORDINARY_RATE, Rhythm};

/// The largest part of a lifetime that chance takes away.
const JITTER: f64 = 0.1;

/// Between which lifetimes the rhythm may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of an ordinary process (`JUSCACHE_DB_TTL`). Zero turns the copy off, whatever the rhythm.
    pub default: Duration,
    /// Of the busiest.
    pub shortest: Duration,
    /// Of the quietest. Where it is shorter than `shortest`, it decides.
    pub longest: Duration,
}

/// How long a copy of a process of this rhythm counts as fresh.
///
/// Checking every T costs 1/T, and delays the news of rate r by T/2 each, so r·T/2: the sum is least where T is proportional to
/// 1/√r. An ordinary process gets `default`; one that moves four times as often half of it.
#[must_use]
pub fn lifetime(rhythm: Rhythm, bounds: &Bounds) -> Duration {
    if bounds.default.is_zero() {
        return Duration::ZERO;
    }
    let rate = rhythm.changes_per_business_day;
    let factor = if rate.is_nan() { 1.0 } else { (ORDINARY_RATE / rate.max(0.0)).sqrt() };
    // What does not fit in a duration is a process that never changes.
    let wanted = Duration::try_from_secs_f64(bounds.default.as_secs_f64() * factor).unwrap_or(Duration::MAX);
    wanted.max(bounds.shortest).min(bounds.longest)
}

/// A lifetime shortened by 0 to 10 %, by a hash of number and time, so that what was fetched together does not expire together. Every
/// node finds the same.
#[must_use]
pub fn jittered(lifetime: Duration, cnj: &Cnj, fetched_at: DateTime<Utc>) -> Duration {
    // The low bits of a count of microseconds differ as much as the high ones: as a seed all of them count.
    let hash = xxh3_64_with_seed(cnj.bytes(), fetched_at.timestamp_micros().cast_unsigned());
    let fraction = f64::from(u32::try_from(hash >> 32).unwrap_or_default()) / f64::from(u32::MAX);
    let shorter = Duration::try_from_secs_f64(lifetime.as_secs_f64() * JITTER * fraction).unwrap_or_default();
    lifetime.saturating_sub(shorter)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::court::Segment;
    use crate::domain::phase::Phase;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn bounds() -> Bounds {
        Bounds { default: 24 * HOUR, shortest: 2 * HOUR, longest: 7 * 24 * HOUR }
    }

    fn of(rate: f64) -> Duration {
        lifetime(Rhythm { changes_per_business_day: rate }, &bounds())
    }

    fn cnj() -> Cnj {
        Cnj::parse("0000001-39.2024.8.26.0100").unwrap()
    }

    #[test]
    fn an_ordinary_process_gets_the_default() {
        assert_eq!(lifetime(Rhythm::prior(Segment::Estadual, Phase::Instrutoria), &bounds()), 24 * HOUR);
    }

    #[test]
    fn four_times_as_often_is_half_as_long() {
        assert_eq!((of(4.0 * ORDINARY_RATE), of(ORDINARY_RATE / 4.0)), (12 * HOUR, 48 * HOUR));
    }

    #[test]
    fn bounds_hold_for_every_rate() {
        assert_eq!(of(1e9), 2 * HOUR);
        for quiet in [0.0, -1.0, 1e-300, f64::MIN_POSITIVE] {
            assert_eq!(of(quiet), 7 * 24 * HOUR, "{quiet}");
        }
        assert_eq!(of(f64::NAN), 24 * HOUR);
        assert_eq!(of(f64::INFINITY), 2 * HOUR);
        let crossed = Bounds { shortest: 9 * HOUR, longest: 3 * HOUR, ..bounds() };
        assert_eq!(lifetime(Rhythm { changes_per_business_day: 0.1 }, &crossed), 3 * HOUR);
        let endless = Bounds { default: Duration::MAX, longest: Duration::MAX, ..bounds() };
        assert_eq!(lifetime(Rhythm { changes_per_business_day: 0.001 }, &endless), Duration::MAX);
    }

    /// `JUSCACHE_DB_TTL=0s` turns the tier off; a shortest lifetime does not turn it on again.
    #[test]
    fn off_stays_off() {
        let off = Bounds { default: Duration::ZERO, ..bounds() };
        assert_eq!(lifetime(Rhythm { changes_per_business_day: 0.01 }, &off), Duration::ZERO);
        assert_eq!(jittered(Duration::ZERO, &cnj(), DateTime::UNIX_EPOCH), Duration::ZERO);
    }

    #[test]
    fn what_was_fetched_together_does_not_expire_together() {
        let at = |second: i64| Utc.timestamp_opt(1_780_000_000 + second, 0).unwrap();
        let ends: std::collections::BTreeSet<_> =
            (0..1_000).map(|second| jittered(24 * HOUR, &cnj(), at(second)).as_secs() / 60).collect();
        // 144 minutes may be taken away; 1,000 draws leave few of them out.
        assert!(ends.len() > 130, "{}", ends.len());
        assert_eq!(jittered(HOUR, &cnj(), at(7)), jittered(HOUR, &cnj(), at(7)));
    }

    proptest! {
        #[test]
        fn jitter_takes_at_most_a_tenth(seconds in any::<u64>(), at in any::<i32>()) {
            let lifetime = Duration::from_secs(seconds);
            let jittered = jittered(lifetime, &cnj(), Utc.timestamp_opt(at.into(), 0).unwrap());
            prop_assert!(jittered <= lifetime);
            prop_assert!(jittered.as_secs_f64() >= lifetime.as_secs_f64() * (1.0 - JITTER) - 1e-6);
        }

        #[test]
        fn a_busier_process_never_keeps_its_copy_longer(a in 0.0..2.0_f64, b in 0.0..2.0_f64) {
            prop_assert!(of(a.min(b)) >= of(a.max(b)));
        }
    }
}
