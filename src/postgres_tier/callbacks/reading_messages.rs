//! What the tier is asked about the reading of the vendor's list of callbacks: one node reads at a time.

use std::time::Duration;

use actix::Message;
use chrono::{DateTime, Utc};

use crate::postgres_tier::messages::PostgresError;

/// Takes the right to read the list, if it is due and nobody else has it. Goes on with a reading that was cut off.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<Reading>, PostgresError>")]
pub struct BeginReading {
    /// For how long nobody else may.
    pub lease: Duration,
    /// When it is due again.
    pub every: Duration,
    /// How far before the last complete reading a new one begins: clocks differ, and the vendor may list a callback late.
    pub overlap: Duration,
    /// How far back the very first one looks.
    pub look_back: Duration,
}

/// A reading that is ours until the lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Names the lease.
    pub epoch: i64,
    /// What to ask for: callbacks created since then.
    pub since: DateTime<Utc>,
    /// The page to go on with, from 1.
    pub page: u32,
}

/// Writes down how far a reading is. False: somebody else reads by now, and nothing is written.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, PostgresError>")]
pub struct NoteReading {
    /// The lease.
    pub epoch: i64,
    /// How far it is.
    pub progress: Progress,
}

/// How far a reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everything before this page is stored; the lease is ours for as long again.
    Page {
        /// The page to go on with.
        next: u32,
        /// How long the lease lasts from now.
        lease: Duration,
    },
    /// It reached the end.
    Complete,
    /// It stops here and goes on, by whomever, after so long.
    CutOff {
        /// How long from now.
        again_in: Duration,
    },
}

/// Has the list read soon, because something may have been missed. Several wishes become one reading, which begins after all of them.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct HurryReading {
    /// At the latest so long from now.
    pub within: Duration,
}
