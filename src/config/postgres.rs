//! `DATABASE_URL`, and the bounds around PostgreSQL.

use std::time::Duration;

use secrecy::SecretString;

/// How PostgreSQL is asked.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// A `postgres://` URL; it may hold a password.
    pub url: SecretString,
    /// Connections; 1 with the embedded database, which has one backend.
    pub pool_size: usize,
    /// A read, waiting for a connection included.
    pub read_timeout: Duration,
    /// A store, waiting for a connection included; afterwards the answer is journaled instead.
    pub store_timeout: Duration,
    /// Connecting.
    pub connect_timeout: Duration,
    /// How often a database that is away is tried again, beside the readers and not by them.
    pub probe_every: Duration,
}

impl PostgresSettings {
    /// The defaults for one URL.
    #[must_use]
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            pool_size: 8,
            read_timeout: Duration::from_millis(1000),
            store_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            probe_every: Duration::from_millis(250),
        }
    }
}
