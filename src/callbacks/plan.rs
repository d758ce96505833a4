//! What to do with a callback, and what follows from how it went. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::copies::{AmendError, Amended, Amendment, BringError};
use super::event::{Malformed, News};
use crate::config::callbacks::CallbackSettings;
use crate::domain::callback::CallbackState;
use crate::domain::cnj::Cnj;
use crate::postgres_tier::callbacks::messages::Settlement;
use crate::resilience::Backoff;

/// What a callback asks of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Our copy is changed, at no cost.
    Amend(Cnj, Amendment),
    /// An update request of ours is looked at.
    Conclude(Cnj),
    /// The state of a monitor is written down.
    Monitor {
        /// The process.
        cnj: Cnj,
        /// The vendor's id of the monitor.
        id: Option<i64>,
        /// Whether it found the process.
        found: bool,
    },
    /// Nothing.
    Nothing(Outcome),
}

/// What to do with what arrived at that moment, by the database's clock.
#[must_use]
pub fn task(news: News, received_at: DateTime<Utc>) -> Task {
    match news {
        News::Movement(cnj, movement) => Task::Amend(cnj, Amendment::Movement(movement)),
        // What arrived then cannot have been seen later: a vendor's clock that runs ahead must not make a copy fresh for longer.
        News::Verified(cnj, at) => Task::Amend(cnj, Amendment::Verified(at.min(received_at))),
        News::UpdateConcluded(cnj) => Task::Conclude(cnj),
        News::Monitor { cnj, id, found } => Task::Monitor { cnj, id, found },
        News::ForeignNumber => Task::Nothing(Outcome::ForeignNumber),
        News::UnknownEvent => Task::Nothing(Outcome::UnknownEvent),
    }
}

/// How a callback begins its life: its state and why.
#[must_use]
pub fn opening(news: &Result<News, Malformed>) -> (CallbackState, Option<&'static str>) {
    match news {
        Ok(News::UnknownEvent) => (CallbackState::Ignored, Some(Outcome::UnknownEvent.as_str())),
        Ok(News::ForeignNumber) => (CallbackState::Ignored, Some(Outcome::ForeignNumber.as_str())),
        Ok(_) => (CallbackState::Received, None),
        Err(malformed) => (CallbackState::Malformed, Some(malformed.as_str())),
    }
}

/// What follows from an attempt to change our copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// That is all.
    Over(Outcome),
    /// No copy is held: it is bought if the process is watched.
    BringIfWatched,
    /// Later again.
    Later(Trouble),
}

/// Decides after the copy was asked to change.
#[must_use]
pub fn after_amend(is_movement: bool, said: &Result<Amended, AmendError>) -> Next {
    match said {
        Ok(Amended::Done) => Next::Over(if is_movement { Outcome::Added } else { Outcome::Verified }),
        Ok(Amended::Already) => Next::Over(Outcome::Already),
        Ok(Amended::NotHeld) if is_movement => Next::BringIfWatched,
        // That nothing is new is worth nothing where nothing is held.
        Ok(Amended::NotHeld) => Next::Over(Outcome::NotHeld),
        Err(_) => Next::Later(Trouble::Copies),
    }
}

/// Decides after a watched process was bought.
#[must_use]
pub fn after_bring(said: &Result<(), BringError>) -> Next {
    match said {
        Ok(()) => Next::Over(Outcome::Brought),
        Err(BringError::Unknown) => Next::Over(Outcome::UnknownProcess),
        Err(BringError::NotYet) => Next::Later(Trouble::Vendor),
    }
}

/// What came of a callback in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The movement was added to our copy.
    Added,
    /// Our copy counts as verified then.
    Verified,
    /// Our copy knew it.
    Already,
    /// The whole process was bought, because it is watched and was not held.
    Brought,
    /// An update request is being looked at.
    Followed,
    /// No update request of ours was open.
    NoRequest,
    /// The monitor's state was written down.
    MonitorNoted,
    /// No copy is held, and nobody watches the process.
    NotHeld,
    /// A monitor that is none of ours.
    ForeignMonitor,
    /// The vendor calls back about a process, and says that it does not know it.
    UnknownProcess,
    /// No number of a process.
    ForeignNumber,
    /// An event that means nothing here.
    UnknownEvent,
}

impl Outcome {
    /// The word for table, metrics and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Verified => "verified",
            Self::Already => "already",
            Self::Brought => "brought",
            Self::Followed => "followed",
            Self::NoRequest => "no-request",
            Self::MonitorNoted => "monitor-noted",
            Self::NotHeld => "not-held",
            Self::ForeignMonitor => "foreign-monitor",
            Self::UnknownProcess => "unknown-process",
            Self::ForeignNumber => "foreign-number",
            Self::UnknownEvent => "unknown-event",
        }
    }

    /// The state that a callback ends in.
    #[must_use]
    pub fn state(self) -> CallbackState {
        match self {
            Self::Added
            | Self::Verified
            | Self::Already
            | Self::Brought
            | Self::Followed
            | Self::NoRequest
            | Self::MonitorNoted => CallbackState::Done,
            Self::NotHeld | Self::ForeignMonitor | Self::UnknownProcess | Self::ForeignNumber | Self::UnknownEvent => {
                CallbackState::Ignored
            }
        }
    }
}

/// Why an attempt came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Our copies cannot be changed now.
    Copies,
    /// The vendor gave no answer, or nothing may be spent.
    Vendor,
    /// PostgreSQL gave none.
    Database,
    /// Whoever follows update requests gave none.
    Updates,
    /// It did not come to an end: the node that had it died, or it takes too long.
    Unfinished,
    /// What was stored cannot be read any more.
    Unreadable,
}

impl Trouble {
    /// The word for table, metrics and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Copies => "copies-away",
            Self::Vendor => "vendor-away",
            Self::Database => "database-away",
            Self::Updates => "updates-away",
            Self::Unfinished => "unfinished",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What is written down after an attempt that came to nothing; `attempts` counts this one.
#[must_use]
pub fn settle_trouble(trouble: Trouble, attempts: u32, settings: &CallbackSettings) -> Settlement {
    if trouble == Trouble::Unreadable || attempts >= settings.most_attempts {
        return Settlement::Over(CallbackState::Failed);
    }
    Settlement::Again(pause_after(attempts, settings))
}

/// The wait after so many attempts: it doubles up to the longest. Without jitter, because every node takes a few at a time.
fn pause_after(attempts: u32, settings: &CallbackSettings) -> Duration {
    let (base, cap) = (settings.first_pause, settings.longest_pause);
    Backoff { base, cap, stable_for: Duration::ZERO }.bound(attempts.saturating_sub(1))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
