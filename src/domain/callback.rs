//! What the vendor calls back about, and what became of a callback: the words that table, JSON and metrics share.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;

/// The vendor's events that mean something here; every other name is [`EventName::Other`]. A closed list, because names come from
/// outside and metrics must not grow with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventName {
    /// `nova_movimentacao`: a monitored process has a new movement.
    NewMovement,
    /// `processo_verificado`: the vendor looked at the court and found nothing new.
    Verified,
    /// `atualizacao_processo_concluida`: a requested update ended.
    UpdateConcluded,
    /// `processo_encontrado`: a new monitor found its process.
    MonitorFound,
    /// `processo_nao_encontrado`: a new monitor did not find its process.
    MonitorNotFound,
    /// Any other name.
    Other,
}

impl EventName {
    /// The event that the vendor names so.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let known =
            [Self::NewMovement, Self::Verified, Self::UpdateConcluded, Self::MonitorFound, Self::MonitorNotFound];
        known.into_iter().find(|event| event.as_str() == name).unwrap_or(Self::Other)
    }

    /// The vendor's name for it; `other` for all that mean nothing here.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewMovement => "nova_movimentacao",
            Self::Verified => "processo_verificado",
            Self::UpdateConcluded => "atualizacao_processo_concluida",
            Self::MonitorFound => "processo_encontrado",
            Self::MonitorNotFound => "processo_nao_encontrado",
            Self::Other => "other",
        }
    }
}

/// How far a callback is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallbackState {
    /// Stored, waits to be worked off.
    Received,
    /// It had its effect.
    Done,
    /// Nothing of ours.
    Ignored,
    /// Refused, kept for inspection.
    Malformed,
    /// Given up after many attempts.
    Failed,
}

impl CallbackState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Received, Self::Done, Self::Ignored, Self::Malformed, Self::Failed];

    /// The word for JSON, logs, metrics and the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Malformed => "malformed",
            Self::Failed => "failed",
        }
    }

    /// The state that a word names.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What is stored of callbacks, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackReport {
    /// How many wait to be worked off.
    pub waiting: u64,
    /// How many were given up.
    pub failed: u64,
    /// How many are kept for inspection.
    pub malformed: u64,
    /// Until when the vendor's list was read to its end.
    pub list_complete_until: Option<DateTime<Utc>>,
    /// When it is read next.
    pub list_next_at: Option<DateTime<Utc>>,
    /// The latest.
    pub callbacks: Vec<CallbackLine>,
}

/// One callback as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackLine {
    /// The row.
    pub id: i64,
    /// When it came first.
    pub received_at: DateTime<Utc>,
    /// When it came last.
    pub last_received_at: DateTime<Utc>,
    /// How often it came.
    pub deliveries: u32,
    /// The vendor's name for the event.
    pub event: String,
    /// The process, as the vendor wrote it.
    pub cnj: Option<String>,
    /// How far it is.
    pub state: String,
    /// What came of it, or of the last attempt.
    pub outcome: Option<String>,
    /// How often it was taken.
    pub attempts: u32,
    /// When it is taken again.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// How many bytes it had.
    pub body_bytes: u64,
    /// The beginning of a malformed one; none of any other.
    pub body: Option<Bytes>,
}
