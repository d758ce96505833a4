//! `JUSCACHE_NEAR_TTL`, `JUSCACHE_NEAR_BYTES`, `JUSCACHE_REDIS_TTL`, `JUSCACHE_DB_TTL`, `JUSCACHE_ABSENT_TTL`,
//! `JUSCACHE_SOFT_TIMEOUT`, `JUSCACHE_HARD_TIMEOUT`, and the bounds of the chain.

use std::time::Duration;

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
            db_ttl: Duration::from_secs(24 * 3600),
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

impl CoordinatorSettings {
    /// How long a bought copy counts as fresh in Redis and in memory. With the database's freshness switched off, the longest
    /// of the others.
    #[must_use]
    pub fn fresh_for(&self) -> Duration {
        if self.db_ttl.is_zero() { self.redis_ttl.max(self.near_ttl) } else { self.db_ttl }
    }
}
