//! What the tier is asked about callbacks, and what it answers.

use std::time::Duration;

use actix::Message;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::callback::{CallbackReport, CallbackState};
use crate::domain::cnj::Cnj;
use crate::postgres_tier::messages::PostgresError;

/// Malformed callbacks that are kept; the oldest go first. A person looks at a few, and each has at most 64 KiB.
pub const MOST_MALFORMED: i64 = 1_000;

/// Stores a callback, or counts one more delivery of the same content: one statement.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Kept, PostgresError>")]
pub struct KeepCallback {
    /// What tells one content from another.
    pub content_hash: [u8; 32],
    /// The bytes, whole or, of a malformed one, the beginning.
    pub body: Bytes,
    /// How many there were.
    pub body_bytes: usize,
    /// The vendor's name for the event, at most 100 characters.
    pub event: String,
    /// The process, masked; its check digits may be wrong.
    pub cnj: Option<String>,
    /// `received`, `ignored` or `malformed`.
    pub state: CallbackState,
    /// Why it is not `received`.
    pub outcome: Option<&'static str>,
}

/// What became of a [`KeepCallback`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its content was not known.
    pub is_new: bool,
}

/// Takes callbacks that wait, by the database's clock, those that waited longest first. Whoever takes one has it alone until the lease
/// ends: then it waits again, for any node.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<ClaimedCallback>, PostgresError>")]
pub struct ClaimCallbacks {
    /// At most so many.
    pub most: usize,
    /// For how long.
    pub lease: Duration,
}

/// A callback that was taken.
#[derive(Debug, Clone)]
pub struct ClaimedCallback {
    /// The row.
    pub id: i64,
    /// The bytes as they came.
    pub body: Bytes,
    /// When it came first, by the database's clock.
    pub received_at: DateTime<Utc>,
    /// How often it was taken, this time included: it also names the lease.
    pub attempts: u32,
}

/// Writes down what came of a callback. False: somebody else has taken it since, and nothing is written.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, PostgresError>")]
pub struct SettleCallback {
    /// The row.
    pub id: i64,
    /// The lease.
    pub attempts: u32,
    /// What comes next.
    pub settlement: Settlement,
    /// What came of it, in one word.
    pub outcome: &'static str,
}

/// What comes next for a callback that was worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Nothing: this is its last state.
    Over(CallbackState),
    /// Another attempt, so long from now.
    Again(Duration),
}

/// Forgets what is over for longer than its time, at most so many; says how many went.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<usize, PostgresError>")]
pub struct PruneCallbacks {
    /// How long what is done or ignored is kept: it is also how long a repetition is recognised.
    pub keep: Duration,
    /// How long what failed is kept for a person to look at.
    pub keep_failed: Duration,
    /// At most so many.
    pub most: usize,
}

/// Reads the latest callbacks, newest first, for operators.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<CallbackReport, PostgresError>")]
pub struct ReadCallbackReport {
    /// Only those of this state.
    pub state: Option<CallbackState>,
    /// At most so many.
    pub most: usize,
}

/// Whether somebody watches a process.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, PostgresError>")]
pub struct IsWatched {
    /// The process.
    pub cnj: Cnj,
}

/// Writes down what the vendor said about the monitor of a watched process. False: nobody watches it, or another monitor is meant.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, PostgresError>")]
pub struct NoteMonitor {
    /// The process.
    pub cnj: Cnj,
    /// The vendor's id of the monitor.
    pub monitor_id: Option<i64>,
    /// Whether it found the process.
    pub found: bool,
}
