//! What the tier is asked about watched processes, and what it answers.

use std::time::Duration;

use actix::Message;
use chrono::{DateTime, Utc};

use crate::domain::cnj::Cnj;
use crate::domain::watch::{Frequency, MonitorState, Watch};
use crate::postgres_tier::messages::PostgresError;

/// Watches a process from now on; once is enough. What the vendor refused or did not find is tried again.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Put, PostgresError>")]
pub struct PutWatch {
    /// The process.
    pub cnj: Cnj,
    /// What becomes of the note.
    pub note: Note,
    /// Which monitor it is to have, if it has none.
    pub wish: Option<Frequency>,
}

/// What becomes of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It stays as it is.
    Keep,
    /// It becomes this: at most 500 characters.
    Set(Option<String>),
}

/// A process is watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    /// As it is now.
    pub process: WatchedProcess,
    /// It was not watched before.
    pub created: bool,
}

/// Ends the watching; its monitor is removed later. False if it was not watched.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, PostgresError>")]
pub struct DropWatch {
    /// The process.
    pub cnj: Cnj,
}

/// Reads one watched process.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<WatchedProcess>, PostgresError>")]
pub struct ReadWatch {
    /// The process.
    pub cnj: Cnj,
}

/// Reads watched processes by their numbers.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<WatchedProcess>, PostgresError>")]
pub struct ListWatched {
    /// Those behind this one; from the first without it.
    pub after: Option<Cnj>,
    /// At most so many.
    pub most: u32,
}

/// A watched process, and what is known of its cost.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedProcess {
    /// Who and since when.
    pub watch: Watch,
    /// For how long, by the database's clock.
    pub watched_for: Duration,
    /// What is stored of it.
    pub copy: Option<CopyFacts>,
    /// Requests to the paid vendor about it in the last thirty days.
    pub requests: u64,
    /// What they cost, in centavos.
    pub spent_centavos: u64,
}

/// What a stored copy tells of how often it is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CopyFacts {
    /// How many days with news are expected for each business day; none if nothing was learned.
    pub change_rate: Option<f64>,
    /// For how long it counts as fresh, from its fetch on.
    pub lifetime: Duration,
    /// When it was fetched.
    pub fetched_at: DateTime<Utc>,
}

/// Takes the monitors that are due, by the database's clock. Whoever takes one has it alone until the lease ends.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<MonitorTask>, PostgresError>")]
pub struct ClaimMonitors {
    /// At most so many of each kind.
    pub most: usize,
    /// For how long.
    pub lease: Duration,
    /// Which monitor watched processes without one are to get; without a wish none is created.
    pub wish: Option<Frequency>,
}

/// One monitor in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonitorTask {
    /// The process.
    pub cnj: Cnj,
    /// What is to be done.
    pub job: MonitorJob,
    /// How often it was taken in hand since it last changed, this time included.
    pub tries: u32,
}

/// What is to be done about a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorJob {
    /// It is to be created. It may be there already if it was tried before.
    Create(Frequency),
    /// How it stands is to be read.
    Check(i64),
    /// It is to be removed; without an id it is not known whether there is one.
    Remove(Option<i64>),
}

/// Stores how the monitor of a watched process stands. If the process is no longer watched, a monitor that exists is to go.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct SaveMonitor {
    /// The process.
    pub cnj: Cnj,
    /// The vendor's id.
    pub id: Option<i64>,
    /// How it stands.
    pub state: MonitorState,
    /// How often it was tried in this state.
    pub tries: u32,
    /// When it is due again.
    pub again: Option<Duration>,
}

/// Stores how the removal of a monitor went.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct SaveRemoval {
    /// The process.
    pub cnj: Cnj,
    /// The id of the monitor that was to go.
    pub id: Option<i64>,
    /// When it is tried again; none: it is gone.
    pub again: Option<Duration>,
}

/// Somebody says that a monitor stands otherwise than stored: it is due now. False if it is known already, or nobody watches.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, PostgresError>")]
pub struct DoubtMonitor {
    /// The process.
    pub cnj: Cnj,
    /// How it is said to stand.
    pub state: MonitorState,
}
