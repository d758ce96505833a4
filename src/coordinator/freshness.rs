//! How long a copy counts as fresh: by the rhythm of its process, and never the same for all that were fetched together. Pure.

use chrono::{DateTime, Utc};

use crate::config::coordinator::CoordinatorSettings;
use crate::domain::lifetime::{jittered, lifetime};
use crate::domain::rhythm::Rhythm;
use crate::domain::snapshot::Snapshot;
use crate::domain::version::later;

/// Until when a copy of this process is fresh that is as of `fetched_at`. `stand_in`: a poorer provider's, because the better one could
/// not be asked.
#[must_use]
pub fn fresh_until(
    settings: &CoordinatorSettings,
    snapshot: &Snapshot,
    fetched_at: DateTime<Utc>,
    stand_in: bool,
) -> DateTime<Utc> {
    let own = match settings.bounds() {
        Some(bounds) => lifetime(Rhythm::of(snapshot, fetched_at), &bounds),
        None => settings.fresh_for(),
    };
    let most = if stand_in { own.min(settings.stand_in_ttl) } else { own };
    let allotted = if settings.jitter { jittered(most, &snapshot.cnj, fetched_at).min(most) } else { most };
    later(fetched_at, allotted)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::lifetime::Bounds;
    use crate::domain::sample::{instant, process};

    const HOUR: Duration = Duration::from_secs(3600);

    fn settings(adaptive: Option<Bounds>) -> CoordinatorSettings {
        CoordinatorSettings { adaptive, jitter: false, db_ttl: 24 * HOUR, ..CoordinatorSettings::default() }
    }

    fn lifetime_of(settings: &CoordinatorSettings, stand_in: bool) -> Duration {
        let until = fresh_until(settings, &process(30, 0), instant(0), stand_in);
        (until - instant(0)).to_std().unwrap()
    }

    #[test]
    fn without_adaptation_it_is_what_the_settings_say() {
        assert_eq!(lifetime_of(&settings(None), false), 24 * HOUR);
        assert_eq!(lifetime_of(&settings(None), true), HOUR, "a stand-in is replaced soon");
    }

    #[test]
    fn with_adaptation_it_stays_within_the_bounds() {
        let bounds = |shortest, longest| Bounds { default: 24 * HOUR, shortest, longest };
        let narrow = settings(Some(bounds(24 * HOUR, 24 * HOUR)));
        assert_eq!(lifetime_of(&narrow, false), 24 * HOUR);
        let wide = lifetime_of(&settings(Some(bounds(6 * HOUR, 168 * HOUR))), false);
        assert!((6 * HOUR..=168 * HOUR).contains(&wide), "{wide:?}");
        let off = CoordinatorSettings { db_ttl: Duration::ZERO, ..settings(Some(bounds(6 * HOUR, 168 * HOUR))) };
        assert_eq!(lifetime_of(&off, false), off.fresh_for(), "a tier that is off is not turned on by a rhythm");
    }

    #[test]
    fn jitter_shortens_and_never_lengthens() {
        let settings = CoordinatorSettings { jitter: true, ..settings(None) };
        for second in 0..200 {
            let until = fresh_until(&settings, &process(3, 0), instant(second), false);
            let allotted = (until - instant(second)).to_std().unwrap();
            assert!(allotted <= 24 * HOUR && allotted >= 20 * HOUR, "{allotted:?}");
        }
    }
}
