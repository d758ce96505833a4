//! What the tier is asked about lists of processes to load, and what it answers.

use std::time::Duration;

use actix::Message;

use crate::domain::cnj::Cnj;
use crate::domain::warm::{ItemNote, TakenItem, WarmDetail, WarmList};
use crate::postgres_tier::messages::PostgresError;

/// Stores a list, unless `most_running` run already. May be repeated: a list is stored once under its id.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<WarmList>, PostgresError>")]
pub struct AcceptList {
    /// 16 hexadecimal digits.
    pub id: String,
    /// The processes, in order, each once.
    pub cnjs: Vec<Cnj>,
    /// How many were named once more.
    pub duplicates: usize,
    /// With so many running lists no other is accepted: the answer is none.
    pub most_running: u32,
}

/// Reads one list, with the first of those that failed; none if there is no such list.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<WarmDetail>, PostgresError>")]
pub struct ReadList {
    /// Which.
    pub id: String,
    /// At most so many that failed.
    pub most_failed: usize,
}

/// Reads the latest lists, the newest first.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<WarmList>, PostgresError>")]
pub struct ReadLists {
    /// At most so many.
    pub most: usize,
}

/// Stops a list that runs; says how it stands then, none if there is no such list. What a node is looking up is still noted.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<WarmList>, PostgresError>")]
pub struct CancelList {
    /// Which.
    pub id: String,
}

/// Takes what is due. Whoever takes a process has it alone until the lease ends, in whichever list it is; then it is due again.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<TakenItem>, PostgresError>")]
pub struct ClaimItems {
    /// At most so many.
    pub most: usize,
    /// For how long.
    pub lease: Duration,
}

/// Writes down what became of a try. May be repeated. The answer is the list as it stands then; none if the word came too late: the
/// lease had ended, and somebody else has taken the process or has finished it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<WarmList>, PostgresError>")]
pub struct NoteItem {
    /// What was tried.
    pub item: TakenItem,
    /// How it went.
    pub note: ItemNote,
}

/// Removes some of what belongs to lists that ended long ago, and says how many rows went: zero when nothing is left to remove.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<usize, PostgresError>")]
pub struct PruneLists {
    /// How long lists are kept after their end.
    pub keep: Duration,
    /// At most so many processes at once, so that locks are held for a moment only.
    pub most: usize,
}
