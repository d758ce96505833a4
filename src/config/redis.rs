//! `REDIS_URL`, `JUSCACHE_REDIS_TTL`, and the bounds around Redis.

use std::time::Duration;

/// How Redis is asked.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// One URL, or a cluster's, comma-separated in the environment.
    pub urls: Vec<String>,
    /// How long Redis keeps a copy; zero turns the tier off.
    pub ttl: Duration,
    /// One operation: a healthy Redis answers in under a millisecond, so this is what a dying one may cost a reader once.
    pub timeout: Duration,
    /// Connecting.
    pub connect_timeout: Duration,
    /// How often a Redis that is away is tried again, beside the readers and not by them.
    pub probe_every: Duration,
    /// Multiplexed connections, so that one large value does not hold up the rest.
    pub connections: usize,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            ttl: Duration::from_secs(3600),
            timeout: Duration::from_millis(100),
            connect_timeout: Duration::from_millis(500),
            probe_every: Duration::from_millis(250),
            connections: 2,
        }
    }
}
