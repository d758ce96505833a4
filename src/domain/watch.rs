//! Processes that somebody watches: kept whatever the retention, refreshed before others, and, if wanted, followed by a monitor of the
//! vendor's.

use chrono::{DateTime, Utc};

use super::cnj::Cnj;

/// How often the vendor looks at the court for a monitor. Daily means Monday to Friday (third parties).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Frequency {
    /// Every working day.
    Daily,
    /// Every week.
    Weekly,
}

impl Frequency {
    /// The word for settings, JSON, logs and the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }

    /// The frequency that a stored word names.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Daily, Self::Weekly].into_iter().find(|frequency| frequency.as_str() == word)
    }
}

/// How far the monitor of a watched process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MonitorState {
    /// It is to be created.
    Wanted,
    /// It is created; the vendor is looking for the process.
    Pending,
    /// News arrive by callback.
    Found,
    /// The vendor found no such process; it neither watches nor charges.
    NotFound,
    /// The vendor refused it.
    Failed,
}

impl MonitorState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Wanted, Self::Pending, Self::Found, Self::NotFound, Self::Failed];

    /// The word for JSON, SQL and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Pending => "pending",
            Self::Found => "found",
            Self::NotFound => "not-found",
            Self::Failed => "failed",
        }
    }

    /// The state that a stored word names.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// The vendor's monitor of a watched process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monitor {
    /// The vendor's id, once it has one.
    pub id: Option<i64>,
    /// How far it is.
    pub state: MonitorState,
    /// How often the vendor looks.
    pub frequency: Frequency,
    /// When the vendor is asked about it again, by the database's clock; none if it is not.
    pub next_try_at: Option<DateTime<Utc>>,
}

/// A watched process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The process. It need not be stored.
    pub cnj: Cnj,
    /// Since when, by the database's clock.
    pub since: DateTime<Utc>,
    /// What whoever watches it wants to remember.
    pub note: Option<String>,
    /// Its monitor, if it has or is to have one.
    pub monitor: Option<Monitor>,
}
