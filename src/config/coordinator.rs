//! `JUSCACHE_NEAR_TTL`, `JUSCACHE_NEAR_BYTES`, `JUSCACHE_REDIS_TTL`, `JUSCACHE_DB_TTL`, `JUSCACHE_ADAPTIVE_TTL`, `JUSCACHE_DB_TTL_SHORTEST`,
//! `JUSCACHE_DB_TTL_LONGEST`, `JUSCACHE_ABSENT_TTL`, `JUSCACHE_SOFT_TIMEOUT`, `JUSCACHE_HARD_TIMEOUT`, and the bounds of the chain.

use std::time::Duration;

use super::reader::Reader;
use crate::domain::lifetime::Bounds;

/// How long a stored copy counts as fresh unless something else is said.
const DB_TTL: Duration = Duration::from_secs(24 * 3600);

/// A quiet process may be believed for so long: what happens in it is rare, and its limits for appeals run for longer.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The busiest process is refreshed so many times as often as an ordinary one, not more: it costs so many times as much.
const SHORTEST_PART: u32 = 4;

/// How long readers wait for the vendor.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When a stale copy is in hand.
    pub soft: Duration,
    /// When none is.
    pub hard: Duration,
}

/// How the chain runs.
#[derive(Debug, Clone)]
pub struct CoordinatorSettings {
    /// How long a near copy answers without asking Redis; zero turns near copies off.
    pub near_ttl: Duration,
    /// Bytes of all near copies together.
    pub near_bytes: u64,
    /// How long Redis keeps a copy; zero turns Redis off.
    pub redis_ttl: Duration,
    /// How long a stored copy counts as fresh; with zero it never does, but stays as a fallback.
    pub db_ttl: Duration,
    /// Between which lifetimes a process's own rhythm may choose; none: all copies live for `db_ttl`.
    pub adaptive: Option<Bounds>,
    /// Lifetimes are shortened a little, each copy's by another part, so that what was fetched together does not expire together.
    pub jitter: bool,
    /// How long "no such process" is believed; zero forgets at once.
    pub absent_ttl: Duration,
    /// How long a poorer provider's copy counts as fresh while a richer one is configured: soon enough that the richer one is asked again
    /// within the hour after its outage.
    pub stand_in_ttl: Duration,
    /// How long readers wait for the vendor.
    pub patience: Patience,
    /// How long a fetch may go on after its readers have gone: what is paid for is worth waiting for.
    pub fetch_limit: Duration,
    /// What asking Redis may cost before PostgreSQL is asked; a little more than the tier's own timeout.
    pub redis_patience: Duration,
    /// What asking PostgreSQL may cost before the vendor is asked; a little more than the tier's own timeout.
    pub postgres_patience: Duration,
    /// What storing may cost before the journal takes over; a little more than the tier's own timeout.
    pub store_patience: Duration,
    /// Readers of one flight: beyond that a crowd is an attack or a bug, and memory has an end.
    pub max_readers: usize,
    /// Shards, one arbiter each.
    pub shards: usize,
    /// Lookups in flight in one shard.
    pub permits: usize,
}

impl Default for CoordinatorSettings {
    fn default() -> Self {
        Self {
            near_ttl: Duration::from_secs(60),
            near_bytes: 256 * 1024 * 1024,
            redis_ttl: Duration::from_secs(3600),
            db_ttl: DB_TTL,
            adaptive: Some(Bounds { default: DB_TTL, shortest: DB_TTL / SHORTEST_PART, longest: LONGEST }),
            jitter: true,
            absent_ttl: Duration::from_secs(3600),
            stand_in_ttl: Duration::from_secs(3600),
            patience: Patience { soft: Duration::from_secs(2), hard: Duration::from_secs(30) },
            fetch_limit: Duration::from_secs(120),
            redis_patience: Duration::from_millis(150),
            postgres_patience: Duration::from_millis(1100),
            store_patience: Duration::from_millis(5500),
            max_readers: 20_000,
            shards: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            permits: 32_768,
        }
    }
}

/// Reads between which lifetimes a rhythm may choose. Whoever names `JUSCACHE_DB_TTL` gets no older copy as fresh, unless a longer bound
/// is named as well.
pub(super) fn read_adaptive(reader: &mut Reader<'_>, db_ttl: Duration) -> Option<Bounds> {
    let is_named = reader.text("JUSCACHE_DB_TTL").is_some();
    let longest = if is_named { db_ttl } else { LONGEST };
    let bounds = Bounds {
        default: db_ttl,
        shortest: reader.timeout("JUSCACHE_DB_TTL_SHORTEST", db_ttl / SHORTEST_PART),
        longest: reader.timeout("JUSCACHE_DB_TTL_LONGEST", longest),
    };
    let is_on = reader.flag("JUSCACHE_ADAPTIVE_TTL", true);
    if db_ttl.is_zero() {
        return None;
    }
    if bounds.shortest > db_ttl {
        reader.refuse("JUSCACHE_DB_TTL_SHORTEST", "longer than JUSCACHE_DB_TTL (24h unless it is set)");
    }
    if bounds.longest < db_ttl {
        reader.refuse("JUSCACHE_DB_TTL_LONGEST", "shorter than JUSCACHE_DB_TTL (24h unless it is set)");
    }
    is_on.then_some(bounds)
}

impl CoordinatorSettings {
    /// Between which lifetimes a rhythm may choose, if it may.
    #[must_use]
    pub fn bounds(&self) -> Option<Bounds> {
        self.adaptive.filter(|_| !self.db_ttl.is_zero())
    }

    /// The longest time for which any copy counts as fresh.
    #[must_use]
    pub fn longest_fresh(&self) -> Duration {
        self.bounds().map_or_else(|| self.fresh_for(), |bounds| bounds.longest)
    }

    /// The longest time for which any stored copy counts as fresh: zero if none does.
    #[must_use]
    pub fn longest_stored(&self) -> Duration {
        self.bounds().map_or(self.db_ttl, |bounds| bounds.longest)
    }

    /// How long a bought copy counts as fresh in Redis and in memory unless its rhythm decides. With the database's freshness switched off, the longest
    /// of the others.
    #[must_use]
    pub fn fresh_for(&self) -> Duration {
        if self.db_ttl.is_zero() { self.redis_ttl.max(self.near_ttl) } else { self.db_ttl }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::config::Settings;

    const HOUR: Duration = Duration::from_secs(3600);

    fn read(source: &[(&'static str, &'static str)]) -> Result<CoordinatorSettings, Vec<&'static str>> {
        let source: HashMap<_, _> = source.iter().copied().collect();
        let settings = Settings::read(&source).map(|settings| settings.coordinator);
        settings.map_err(|mistakes| mistakes.0.iter().map(|mistake| mistake.variable).collect())
    }

    #[test]
    fn a_rhythm_chooses_between_bounds_that_follow_the_ttl() {
        let bounds = |default, shortest, longest| Some(Bounds { default, shortest, longest });
        for (source, expected) in [
            (&[][..], bounds(24 * HOUR, 6 * HOUR, 168 * HOUR)),
            (&[("JUSCACHE_DB_TTL", "8h")], bounds(8 * HOUR, 2 * HOUR, 8 * HOUR)),
            (&[("JUSCACHE_DB_TTL", "8h"), ("JUSCACHE_DB_TTL_LONGEST", "2d")], bounds(8 * HOUR, 2 * HOUR, 48 * HOUR)),
            (&[("JUSCACHE_DB_TTL_SHORTEST", "1h")], bounds(24 * HOUR, HOUR, 168 * HOUR)),
            (&[("JUSCACHE_ADAPTIVE_TTL", "false")], None),
            (&[("JUSCACHE_DB_TTL", "0s")], None),
        ] {
            let settings = read(source).unwrap();
            assert_eq!(settings.bounds(), expected, "{source:?}");
            assert!(settings.jitter);
        }
        let default = CoordinatorSettings::default();
        assert_eq!(read(&[]).unwrap().adaptive, default.adaptive);
    }

    #[test]
    fn bounds_on_the_wrong_side_of_the_ttl_are_mistakes() {
        assert_eq!(read(&[("JUSCACHE_DB_TTL_LONGEST", "1h")]).unwrap_err(), ["JUSCACHE_DB_TTL_LONGEST"]);
        let short = [("JUSCACHE_DB_TTL", "1h"), ("JUSCACHE_DB_TTL_SHORTEST", "2h")];
        assert_eq!(read(&short).unwrap_err(), ["JUSCACHE_DB_TTL_SHORTEST"]);
        assert_eq!(read(&[("JUSCACHE_ADAPTIVE_TTL", "perhaps")]).unwrap_err(), ["JUSCACHE_ADAPTIVE_TTL"]);
    }

    #[test]
    fn what_is_off_has_no_longest_time() {
        let off = read(&[("JUSCACHE_DB_TTL", "0s")]).unwrap();
        assert_eq!((off.longest_stored(), off.longest_fresh()), (Duration::ZERO, off.redis_ttl));
        let usual = read(&[]).unwrap();
        assert_eq!((usual.longest_stored(), usual.longest_fresh()), (168 * HOUR, 168 * HOUR));
        let plain = read(&[("JUSCACHE_ADAPTIVE_TTL", "false")]).unwrap();
        assert_eq!((plain.longest_stored(), plain.longest_fresh()), (24 * HOUR, 24 * HOUR));
    }
}
