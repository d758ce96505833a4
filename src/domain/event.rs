//! What is new about a process: the events that its readers hear of.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::cnj::Cnj;
use super::movement::Movement;
use super::snapshot::Provider;

/// What happened to a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// It was not there before.
    New,
    /// The vendor tells it differently, or lists it again after it had gone.
    Changed,
    /// The vendor does not list it any more.
    Removed,
}

impl EventKind {
    /// The word for JSON, logs, metrics and the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }

    /// The kind that a stored word names.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::New, Self::Changed, Self::Removed].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One piece of news, as every reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number: unique, and rising in the order in which events became visible.
    pub id: u64,
    /// The process.
    pub cnj: Cnj,
    /// What happened.
    pub kind: EventKind,
    /// The movement: as it is now, or, if it was removed, as it was.
    pub movement: Movement,
    /// Who told us.
    pub provider: Provider,
    /// The process is under secrecy of justice: only for those who may see such ones.
    pub sealed: bool,
    /// When the movement first reached us.
    pub first_seen_at: DateTime<Utc>,
    /// When this piece of news was stored, by the database's clock.
    pub recorded_at: DateTime<Utc>,
}
