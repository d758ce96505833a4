//! How each child is doing, readable at any time without asking it.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

/// Where a child is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildState {
    /// A generation was launched and has not answered yet.
    Starting,
    /// It answers.
    Up,
    /// It failed, and waits out a pause before it is launched again.
    BackingOff,
    /// It failed more often than its intensity allows. It stays so, although it may be tried again, until it answers.
    Down,
    /// The shutdown ended it.
    Stopped,
}

impl ChildState {
    /// `starting`, `up`, `backing-off`, `down` or `stopped`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::BackingOff => "backing-off",
            Self::Down => "down",
            Self::Stopped => "stopped",
        }
    }
}

/// Why a generation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitCause {
    /// The actor or its factory panicked, with this message.
    Panicked(String),
    /// It left a heartbeat unanswered and made no progress: its arbiter was abandoned.
    Stuck,
    /// It did not answer its first heartbeat in time: its arbiter was abandoned.
    NeverReady,
    /// The actor stopped by itself. Children have no reason to, so it is a failure like the others.
    Stopped,
    /// Its arbiter ended under it.
    Cancelled,
    /// The machine refused the child a thread.
    NoThread(String),
    /// Too many threads of stuck generations are still there.
    TooManyAbandoned,
}

impl ExitCause {
    /// One word for a metric's label: `panicked`, `stuck`, `never-ready`, `stopped`, `cancelled`, `no-thread` or
    /// `too-many-abandoned`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Panicked(_) => "panicked",
            Self::Stuck => "stuck",
            Self::NeverReady => "never-ready",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::NoThread(_) => "no-thread",
            Self::TooManyAbandoned => "too-many-abandoned",
        }
    }

    /// Whether the generation's thread may still be running.
    pub(super) const fn leaves_a_thread(&self) -> bool {
        matches!(self, Self::Stuck | Self::NeverReady)
    }
}

impl fmt::Display for ExitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) | Self::NoThread(message) => write!(f, "{}: {message}", self.as_str()),
            other => f.write_str(other.as_str()),
        }
    }
}

/// One line about one child, for the readiness check, the metrics and the admin page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildReport {
    /// The name in its specification.
    pub name: Arc<str>,
    /// Where it is in its life.
    pub state: ChildState,
    /// How many generations were launched; zero before the first.
    pub generation: u64,
    /// How many times it failed and was, or will be, launched again. Only ever grows: feed counters from it.
    pub restarts: u64,
    /// How many of these because it was stuck.
    pub stuck: u64,
    /// How many asks are in flight.
    pub in_flight: usize,
    /// Why the last generation that failed did, for engineers.
    pub last_failure: Option<String>,
    /// When that was.
    pub last_failure_at: Option<DateTime<Utc>>,
}

/// What happened to a child, as told to the observer given to [`Supervisor::start`](super::Supervisor::start).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildEvent {
    /// A generation answers and was published.
    Up {
        /// The child.
        child: Arc<str>,
        /// Which generation, counted from one.
        generation: u64,
    },
    /// A generation ended.
    Failed {
        /// The child.
        child: Arc<str>,
        /// Which generation, counted from one.
        generation: u64,
        /// Why.
        cause: ExitCause,
        /// `BackingOff` or `Down`.
        next: ChildState,
    },
}

/// The part of a [`ChildReport`] that the keeper writes. A watch, so that the shutdown can wait for a state.
#[derive(Debug)]
pub(super) struct Status {
    record: watch::Sender<Record>,
}

#[derive(Debug, Clone)]
struct Record {
    state: ChildState,
    generation: u64,
    restarts: u64,
    stuck: u64,
    last_failure: Option<(ExitCause, DateTime<Utc>)>,
}

impl Status {
    /// A child that was not launched yet.
    pub(super) fn new() -> Self {
        let record = Record { state: ChildState::Starting, generation: 0, restarts: 0, stuck: 0, last_failure: None };
        Self { record: watch::Sender::new(record) }
    }

    /// Counts a new generation and returns its number.
    pub(super) fn launched(&self) -> u64 {
        self.record.send_modify(|record| {
            record.generation = record.generation.saturating_add(1);
            if record.state != ChildState::Down {
                record.state = ChildState::Starting;
            }
        });
        self.record.borrow().generation
    }

    /// Records a change that is no failure.
    pub(super) fn enter(&self, state: ChildState) {
        self.record.send_modify(|record| record.state = state);
    }

    /// Records a failure and what comes next.
    pub(super) fn failed(&self, cause: ExitCause, at: DateTime<Utc>, next: ChildState) {
        self.record.send_modify(|record| {
            record.state = next;
            record.restarts = record.restarts.saturating_add(1);
            if cause.leaves_a_thread() {
                record.stuck = record.stuck.saturating_add(1);
            }
            record.last_failure = Some((cause, at));
        });
    }

    /// Resolves once the child was shut down, at once if it was before.
    pub(super) async fn wait_until_stopped(&self) {
        // An error would mean that the sender is gone, but `self` holds it.
        let _ = self.record.subscribe().wait_for(|record| record.state == ChildState::Stopped).await;
    }

    /// The line for the reports; what is in flight is known to the reference only.
    pub(super) fn report(&self, name: Arc<str>, in_flight: usize) -> ChildReport {
        let Record { state, generation, restarts, stuck, last_failure } = self.record.borrow().clone();
        let (last_failure, last_failure_at) = last_failure.map(|(cause, at)| (cause.to_string(), at)).unzip();
        ChildReport { name, state, generation, restarts, stuck, in_flight, last_failure, last_failure_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_is_down_stays_so_until_it_answers() {
        let status = Status::new();
        status.launched();
        status.failed(ExitCause::Stuck, DateTime::UNIX_EPOCH, ChildState::Down);
        status.launched();
        let report = status.report("child".into(), 0);
        assert_eq!((report.state, report.generation, report.restarts, report.stuck), (ChildState::Down, 2, 1, 1));
        assert_eq!(report.last_failure.as_deref(), Some("stuck"));
        status.enter(ChildState::Up);
        assert_eq!(status.report("child".into(), 0).state, ChildState::Up);
    }
}
