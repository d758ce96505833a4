//! What the Redis tier is asked, and what it answers.

use std::time::Duration;

use actix::Message;
use bytes::Bytes;
use thiserror::Error;

use crate::domain::cnj::Cnj;

/// Reads the envelope of one process: one round trip.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<Bytes>, RedisError>")]
pub struct Read {
    /// The process.
    pub cnj: Cnj,
}

/// Writes an envelope unless Redis holds a newer one: one round trip.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Written, RedisError>")]
pub struct Write {
    /// The process.
    pub cnj: Cnj,
    /// An envelope, as `domain::codec` writes it.
    pub envelope: Bytes,
    /// How long Redis keeps it.
    pub ttl: Duration,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Redis holds it now.
    Stored,
    /// Redis held a newer version, and keeps it.
    Outdated,
    /// It is larger than what is kept there.
    TooLarge,
}

/// Forgets one process, whatever version is held (a corrupt entry has none to compare).
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), RedisError>")]
pub struct Remove {
    /// The process.
    pub cnj: Cnj,
}

/// Why Redis did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RedisError {
    /// Known to be away: not asked, no time lost.
    #[error("redis is away")]
    Away,
    /// No answer within the operation's timeout.
    #[error("redis does not answer in time")]
    TimedOut,
    /// The connection broke, or Redis answered with an error.
    #[error("redis failed")]
    Failed,
}

impl RedisError {
    /// The word for logs, metrics and `Cache-Status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::TimedOut => "timed-out",
            Self::Failed => "failed",
        }
    }
}
