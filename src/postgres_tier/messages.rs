//! What the PostgreSQL tier is asked, and what it answers.

use std::sync::Arc;

use actix::Message;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::domain::cnj::Cnj;
use crate::domain::entry::Entry;
use crate::domain::version::Version;
use crate::supervision::AskError;

/// Reads what is stored of one process: one round trip.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<StoredProcess>, PostgresError>")]
pub struct Read {
    /// The process.
    pub cnj: Cnj,
}

/// A stored process as its row says.
#[derive(Debug, Clone)]
pub struct StoredProcess {
    /// The envelope; none when only an absence is known.
    pub envelope: Option<Bytes>,
    /// `cache_valid_until`: it decides, not the envelope's header, so that an operator's UPDATE takes effect.
    pub fresh_until: DateTime<Utc>,
    /// Version by its columns (`verified_at`, `last_api_sync`): known even when the envelope cannot be read any more, so that
    /// what replaces it can be made to look newer. For an absence: (`verified_at`, `absent_since`).
    pub version: Version,
    /// Until when the vendor's "no such process" is believed.
    pub absent_until: Option<DateTime<Utc>>,
}

/// Stores a whole process in one transaction, unless a newer version is stored.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Stored, PostgresError>")]
pub struct Store {
    /// The process.
    pub entry: Arc<Entry>,
    /// `cache_valid_until`: how long the stored copy counts as fresh, which may differ from what the envelope says for the
    /// tiers above.
    pub fresh_until: DateTime<Utc>,
}

/// Remembers that the vendor does not know a process. A copy that is stored stays stored.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct StoreAbsence {
    /// The process.
    pub cnj: Cnj,
    /// Its version: when the vendor said so.
    pub version: Version,
    /// Until when it is believed.
    pub until: DateTime<Utc>,
}

/// What became of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is in the database.
    Stored(Novelty),
    /// The database held a newer version, and keeps it.
    Outdated,
}

/// What a stored copy brought that was not known before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Novelty {
    /// Nothing was known of the process, or only a copy of another provider's, so nothing counts as new.
    pub first_sight: bool,
    /// How many events were stored with it.
    pub events: u32,
    /// The number of the last of them.
    pub newest_event: Option<u64>,
}

/// Why PostgreSQL did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PostgresError {
    /// Known to be away: not asked, no time lost.
    #[error("postgresql is away")]
    Away,
    /// No connection or no answer within the timeout.
    #[error("postgresql does not answer in time")]
    TimedOut,
    /// The connection broke.
    #[error("the connection to postgresql broke")]
    Disconnected,
    /// PostgreSQL refused the statement; the log says why.
    #[error("postgresql refused the statement")]
    Refused,
}

/// A tier that was not asked, or gave no answer.
impl From<AskError> for PostgresError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::TimedOut => Self::TimedOut,
            AskError::Unavailable | AskError::Overloaded | AskError::Crashed => Self::Away,
        }
    }
}

impl PostgresError {
    /// The word for logs, metrics and `Cache-Status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::TimedOut => "timed-out",
            Self::Disconnected => "disconnected",
            Self::Refused => "refused",
        }
    }
}
