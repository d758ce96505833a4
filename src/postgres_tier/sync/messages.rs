//! What the tier is asked about the synchronisation, and what it answers.

use std::time::Duration;

use actix::Message;
use chrono::{DateTime, NaiveDate, Utc};

use super::words::{ClaimRefusal, ClaimState, Ending, Trigger};
use crate::domain::cnj::Cnj;
use crate::ledger::call::Id;
use crate::postgres_tier::messages::PostgresError;
use crate::scheduler::choice::{Candidate, Choice};

/// Takes the lead, or keeps it; answers with its epoch, or nothing while another node leads.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Option<u64>, PostgresError>")]
pub struct Lead {
    /// Who asks: random, and new for every life of the scheduler.
    pub node: Id,
    /// For how long.
    pub lease: Duration,
    /// From one run to the next.
    pub interval: Duration,
}

/// Gives the lead up, so that another node need not wait for its end.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct Resign {
    /// Who.
    pub node: Id,
    /// In which epoch.
    pub epoch: u64,
}

/// Asks for the run to work on: the open one, or a new one if it is due. None: nothing to do, or another node leads.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Option<Run>, PostgresError>")]
pub struct BeginRun {
    /// Who.
    pub node: Id,
    /// In which epoch.
    pub epoch: u64,
    /// From one run to the next.
    pub interval: Duration,
}

/// Reads what may be refreshed, and what the day has had.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Outlook, PostgresError>")]
pub struct ReadOutlook {
    /// What it has refreshed already is passed over.
    pub run: u64,
    /// What expires within it is read first.
    pub window: Duration,
    /// At most so many of each kind: soonest to expire, most wanted of the expired, longest not asked about.
    pub slice: u32,
    /// Who was neither read nor first stored within it is passed over, unless watched.
    pub interest: Duration,
}

/// Reads what is known of one process, if it may be refreshed and is about to expire. Answers like [`ReadOutlook`].
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Outlook, PostgresError>")]
pub struct ReadExpiring {
    /// Which.
    pub cnj: Cnj,
    /// It expires within so long, and has not yet.
    pub within: Duration,
}

/// What may be refreshed.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// The database's clock, by which everything else is to be seen.
    pub now: DateTime<Utc>,
    /// The requests that are counted for today.
    pub calls: u64,
    /// The processes, in no order that means anything.
    pub candidates: Vec<Candidate>,
}

/// Takes one process for a refresh.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Claimed, PostgresError>")]
pub struct Claim {
    /// Who.
    pub by: Claimant,
    /// What was chosen, for the expiry it had then.
    pub choice: Choice,
    /// How long it is kept from others.
    pub lease: Duration,
    /// The day's limit, which its requests must fit.
    pub daily_limit: u32,
}

/// Who works on which run, and since when nobody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// Who.
    pub node: Id,
    /// In which epoch.
    pub epoch: u64,
    /// The run.
    pub run: u64,
}

/// Who claims a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimant {
    /// The leader, for a run.
    Leader(Worker),
    /// Any node, for readers who are about to find the copy expired: it needs no lead and belongs to no run.
    Reader(Id),
}

impl Claimant {
    /// The node.
    #[must_use]
    pub const fn node(self) -> Id {
        match self {
            Self::Leader(Worker { node, .. }) | Self::Reader(node) => node,
        }
    }

    /// The run and its epoch; none for readers.
    #[must_use]
    pub const fn run(self) -> Option<(u64, u64)> {
        match self {
            Self::Leader(Worker { run, epoch, .. }) => Some((run, epoch)),
            Self::Reader(_) => None,
        }
    }
}

/// Whether a process was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It is ours until the lease ends, and its requests are counted for the day.
    Claimed,
    /// It is not, and nothing was counted.
    Refused(ClaimRefusal),
}

/// Writes down what came of a claim. False: it is another's by now, and nothing was written.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, PostgresError>")]
pub struct Finish {
    /// Whose claim it was.
    pub by: Claimant,
    /// The process.
    pub cnj: Cnj,
    /// How it went.
    pub outcome: ClaimState,
    /// The requests that count, at most those that were set aside.
    pub calls: u32,
    /// What it cost, in centavos.
    pub cost_centavos: u64,
    /// Whether the process itself is behind a failure.
    pub is_failure: bool,
    /// For how long it is left alone.
    pub retry_in: Option<Duration>,
}

/// Ends a run. None: another node leads.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Option<Run>, PostgresError>")]
pub struct EndRun {
    /// Who.
    pub by: Worker,
    /// How it ended.
    pub ending: Ending,
    /// Processes and movements that were cleaned up in it.
    pub cleaned: u64,
}

/// Asks for a run now; an open one is joined.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Requested, PostgresError>")]
pub struct RequestRun;

/// The run that a request led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requested {
    /// Its number.
    pub run: u64,
    /// It was open already.
    pub joined: bool,
}

/// Reads how the synchronisation stands.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Standing, PostgresError>")]
pub struct ReadStanding {
    /// Claims of the open run, the latest first, at most so many.
    pub most_claims: u32,
}

/// How the synchronisation stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// Who leads; none while nobody does.
    pub leader: Option<Id>,
    /// The latest epoch.
    pub epoch: u64,
    /// When the next run is due; none before the first leader.
    pub next_run_at: Option<DateTime<Utc>>,
    /// When somebody last asked for one.
    pub requested_at: Option<DateTime<Utc>>,
    /// Today.
    pub today: Day,
    /// The open run.
    pub current: Option<Run>,
    /// What it has claimed so far.
    pub claims: Vec<ClaimLine>,
    /// The last run that ended.
    pub last: Option<Run>,
}

/// What was done in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// The day in America/Sao_Paulo.
    pub day: NaiveDate,
    /// Requests, those set aside included.
    pub calls: u64,
    /// Refreshes with news.
    pub refreshed: u64,
    /// Refreshes without.
    pub unchanged: u64,
    /// Refreshes that failed.
    pub failed: u64,
    /// What they cost.
    pub cost_centavos: u64,
}

/// One cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: u64,
    /// What began it.
    pub trigger: Trigger,
    /// The epoch of whoever works, or last worked, on it.
    pub epoch: u64,
    /// That node; none until one took it.
    pub node: Option<Id>,
    /// How often another leader went on with it.
    pub adopted: u32,
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// When it was opened.
    pub started_at: DateTime<Utc>,
    /// When and how it ended.
    pub ended: Option<(DateTime<Utc>, Ending)>,
    /// Refreshes begun.
    pub chosen: u64,
    /// Of these, with news.
    pub refreshed: u64,
    /// Of these, without.
    pub unchanged: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Processes and movements cleaned up.
    pub cleaned: u64,
    /// Requests.
    pub calls: u64,
    /// What it cost.
    pub cost_centavos: u64,
}

/// One process of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimLine {
    /// The process.
    pub cnj: Cnj,
    /// Why it was due.
    pub class: String,
    /// What its refresh was expected to be worth.
    pub worth: f64,
    /// Why it was chosen.
    pub explanation: String,
    /// How it goes, or went.
    pub state: ClaimState,
    /// When it was claimed.
    pub claimed_at: DateTime<Utc>,
    /// Requests set aside, or sent.
    pub calls: u32,
}

/// Reads the last runs, the latest first.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Vec<Run>, PostgresError>")]
pub struct ReadRuns {
    /// At most so many.
    pub most: u32,
}

/// Removes what nobody watches and nobody confirmed for so long. Answers with how many processes and movements went.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<u64, PostgresError>")]
pub struct Clean {
    /// For how long.
    pub retention: Duration,
    /// At most so many processes.
    pub most: u32,
}

/// Adds reads to what is known of processes. Those that are not stored are passed over.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct AddReads {
    /// How often each was read.
    pub reads: Vec<(Cnj, u32)>,
}
