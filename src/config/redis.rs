//! `REDIS_URL`, and the bounds around Redis.

use std::fmt;
use std::time::Duration;

/// How Redis is asked.
#[derive(Clone)]
pub struct RedisSettings {
    /// One URL, or a cluster's, comma-separated in the environment.
    pub urls: Vec<String>,
    /// One operation: a healthy Redis answers in under a millisecond, so this is what a dying one may cost a reader once.
    pub timeout: Duration,
    /// Connecting.
    pub connect_timeout: Duration,
    /// How often a Redis that is away is tried again, beside the readers and not by them.
    pub probe_every: Duration,
    /// Bytes of the largest envelope that is kept there. A larger one takes longer on the wire than the timeout and would make
    /// a healthy Redis look dead; PostgreSQL and the near copies hold it.
    pub max_value: usize,
    /// Multiplexed connections, so that one large value does not hold up the rest.
    pub connections: usize,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            timeout: Duration::from_millis(100),
            connect_timeout: Duration::from_millis(500),
            probe_every: Duration::from_millis(250),
            max_value: 1024 * 1024,
            connections: 2,
        }
    }
}

/// Addresses may hold passwords.
impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("urls", &self.urls.len())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
