//! What people ask of the synchronisation. It works on every node, whichever leads, because it asks the book.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::book::Book;
use super::reins::Reins;
use crate::ambient::SharedClock;
use crate::config::sync::SyncSettings;
use crate::ledger::call::Id;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::sync::messages::{Clean, ReadRuns, ReadStanding, Requested, Run, Standing};
use crate::resilience::Deadline;

/// Processes of the open run that are shown.
const MOST_CLAIMS: u32 = 200;

/// What a clean-up that somebody waits for may take; the next one goes on where it stopped.
const CLEAN_WITHIN: Duration = Duration::from_secs(20);

/// The database is away, and with it everything that the synchronisation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the synchronisation's book cannot be read now")]
pub struct SyncAway;

impl From<PostgresError> for SyncAway {
    fn from(_: PostgresError) -> Self {
        Self
    }
}

/// How the synchronisation stands, seen from this node.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncStatus {
    /// This node; none while its scheduler is being replaced for the first time.
    pub node: Option<Id>,
    /// From one cycle to the next.
    pub interval: Duration,
    /// Requests a day.
    pub daily_limit: u32,
    /// What the book says.
    pub standing: Standing,
}

/// What a clean-up removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleaned {
    /// Processes and movements.
    pub removed: u64,
    /// Nothing is left to remove.
    pub complete: bool,
}

/// The desk of one node.
#[derive(Clone)]
pub struct SyncOffice {
    settings: SyncSettings,
    book: Arc<dyn Book>,
    reins: Reins,
    clock: SharedClock,
}

impl SyncOffice {
    /// Over the book; whoever leads here is nudged through the reins.
    #[must_use]
    pub fn new(settings: SyncSettings, book: Arc<dyn Book>, reins: Reins, clock: SharedClock) -> Self {
        Self { settings, book, reins, clock }
    }

    /// Asks for a cycle now; one that is under way is joined.
    ///
    /// # Errors
    /// While the database is away.
    pub async fn request(&self) -> Result<Requested, SyncAway> {
        let requested = self.book.request_run().await?;
        self.reins.nudge();
        Ok(requested)
    }

    /// How everything stands.
    ///
    /// # Errors
    /// While the database is away.
    pub async fn status(&self) -> Result<SyncStatus, SyncAway> {
        let standing = self.book.standing(ReadStanding { most_claims: MOST_CLAIMS }).await?;
        let SyncSettings { interval, daily_limit, .. } = self.settings;
        Ok(SyncStatus { node: self.reins.node(), interval, daily_limit, standing })
    }

    /// The last cycles.
    ///
    /// # Errors
    /// While the database is away.
    pub async fn runs(&self, most: u32) -> Result<Vec<Run>, SyncAway> {
        Ok(self.book.runs(ReadRuns { most }).await?)
    }

    /// Removes now what nobody confirmed for the retention.
    ///
    /// # Errors
    /// While the database is away.
    pub async fn clean(&self) -> Result<Cleaned, SyncAway> {
        let mut cleaned = Cleaned { removed: 0, complete: true };
        let Some(retention) = self.settings.retention else { return Ok(cleaned) };
        let deadline = Deadline::after(self.clock.monotonic(), CLEAN_WITHIN);
        loop {
            let removed = self.book.clean(Clean { retention, most: self.settings.clean_batch }).await?;
            cleaned.removed = cleaned.removed.saturating_add(removed);
            if removed == 0 {
                return Ok(cleaned);
            }
            if deadline.is_over(self.clock.monotonic()) {
                return Ok(Cleaned { complete: false, ..cleaned });
            }
        }
    }
}
