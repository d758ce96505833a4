//! Why an answer is what it is: the words that go into the response, the log field and the metric label alike.

use serde::Serialize;

/// Which copy answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServedFrom {
    /// The copy in this process.
    Memory,
    /// Redis.
    Redis,
    /// A fresh copy in PostgreSQL.
    Database,
    /// The vendor, asked for this very lookup.
    Api,
    /// A stale copy in PostgreSQL, because the vendor could not be asked or did not answer in time.
    DatabaseFallback,
}

impl ServedFrom {
    /// All of them, for metrics that must exist before they are counted.
    pub const ALL: [Self; 5] = [Self::Memory, Self::Redis, Self::Database, Self::Api, Self::DatabaseFallback];

    /// The contract's word (`cache_source`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Database => "database",
            Self::Api => "api",
            Self::DatabaseFallback => "database_fallback",
        }
    }
}

/// Why a stale copy was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaleReason {
    /// The vendor refused the connection, answered 5xx or nonsense, or refuses our key.
    UpstreamUnavailable,
    /// The vendor is still being waited for, longer than a reader with a stale copy should.
    UpstreamTimeout,
    /// The vendor's or our own request limit is used up for the moment.
    RateLimited,
    /// The vendor's account has no credit.
    CreditsExhausted,
    /// Our own cap is reached.
    BudgetExhausted,
    /// No provider is configured.
    NoProvider,
    /// The reader accepted a stale copy; a refresh runs behind it.
    Revalidating,
}

impl StaleReason {
    /// The contract's word (`freshness.reason`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpstreamUnavailable => "upstream-unavailable",
            Self::UpstreamTimeout => "upstream-timeout",
            Self::RateLimited => "rate-limited",
            Self::CreditsExhausted => "credits-exhausted",
            Self::BudgetExhausted => "budget-exhausted",
            Self::NoProvider => "no-provider",
            Self::Revalidating => "revalidating",
        }
    }
}

/// Whether an answer is within its freshness, and if not, why it was given all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Within `fresh_until`.
    Fresh,
    /// Past it. No reason: the reader asked for held copies only.
    Stale(Option<StaleReason>),
}
