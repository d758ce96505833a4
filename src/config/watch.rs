//! `ESCAVADOR_MONITORS`, and the bounds of looking after monitors.

use std::time::Duration;

use super::reader::Reader;
use crate::domain::watch::Frequency;

/// How watched processes are looked after.
#[derive(Debug, Clone, Copy)]
pub struct WatchSettings {
    /// Which monitor of the vendor's a watched process gets. None creates no more; those that are there stay until their process is no
    /// longer watched, so that a node that lacks the setting does not undo, and pay for again, what the others do.
    pub monitors: Option<Frequency>,
    /// How often a node looks for what is due.
    pub look_every: Duration,
    /// Monitors of each kind that one node takes at once: background work, behind readers.
    pub batch: usize,
    /// What one request may take; longer than one attempt, so that what is free is repeated inside it.
    pub request_within: Duration,
    /// What walking the list of monitors may take: hundreds of pages for a large account.
    pub list_within: Duration,
    /// The wait after the first failure, and before the first look at a new monitor; doubles from one to the next.
    pub first_wait: Duration,
    /// The longest such wait.
    pub longest_wait: Duration,
    /// How often a monitor that works is looked at all the same: somebody may have removed it in the vendor's panel.
    pub check_every: Duration,
    /// Newly watched processes that are bought at once; what comes on top waits for the synchronisation.
    pub learning: usize,
    /// What buying one of them may take.
    pub learn_within: Duration,
    /// What PostgreSQL may take; a little more than its tier's own timeouts.
    pub book_patience: Duration,
    /// Questions in flight; beyond that they are turned away.
    pub permits: usize,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            monitors: None,
            look_every: Duration::from_secs(5),
            batch: 8,
            request_within: Duration::from_secs(18),
            list_within: Duration::from_secs(120),
            first_wait: Duration::from_secs(15),
            longest_wait: Duration::from_secs(60 * 60),
            check_every: Duration::from_secs(24 * 60 * 60),
            learning: 32,
            learn_within: Duration::from_secs(60),
            book_patience: Duration::from_secs(6),
            permits: 256,
        }
    }
}

impl WatchSettings {
    /// Reads the variable.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let words = [("off", None), ("daily", Some(Frequency::Daily)), ("weekly", Some(Frequency::Weekly))];
        Self { monitors: reader.word("ESCAVADOR_MONITORS", None, &words), ..Self::default() }
    }

    /// How long a node that took a monitor keeps it from the others: longer than anything it may do with it.
    #[must_use]
    pub fn lease(&self) -> Duration {
        const MARGIN: Duration = Duration::from_secs(30);
        self.list_within + self.request_within * 2 + self.book_patience + MARGIN
    }
}
