//! The bounds of asking the court. None of them is in the environment: they follow from how the vendor behaves.

use std::time::Duration;

/// How update requests are made and followed.
#[derive(Debug, Clone, Copy)]
pub struct UpdateSettings {
    /// The wait before the first look at an open request; doubles from look to look. Requests were seen to take from half an hour to
    /// four hours, but the first ones that fail, fail soon.
    pub first_poll: Duration,
    /// The longest wait between two looks: news that took hours may be this late.
    pub longest_poll: Duration,
    /// When a request that does not end is given up: six times the longest that was measured.
    pub give_up_after: Duration,
    /// How long an unanswered request may stay out of the vendor's status before it counts as not accepted. The vendor shows an
    /// accepted one at once; this allows for its worst minutes.
    pub uncertain_for: Duration,
    /// How often a node looks for what is due.
    pub look_every: Duration,
    /// Requests that one node follows at once: the rest wait, so that readers keep the vendor's rate for themselves.
    pub batch: usize,
    /// What reading the vendor's status may take. Free, so it may be repeated inside this.
    pub status_within: Duration,
    /// What asking the vendor may take: one attempt, whatever happens.
    pub request_within: Duration,
    /// What renewing our copy may take before it is looked at again; the fetch goes on by itself.
    pub refresh_within: Duration,
    /// Renewals of our copy that may be paid for, for one request: one is enough unless the vendor breaks off again and again.
    pub most_refreshes: u32,
    /// What PostgreSQL may take; a little more than its tier's own timeouts.
    pub book_patience: Duration,
    /// Records kept in memory while PostgreSQL is away. Beyond that they are forgotten, and the vendor's status is all there is.
    pub most_unsaved: usize,
    /// Requests and questions of readers in flight; beyond that they are turned away.
    pub permits: usize,
}

impl Default for UpdateSettings {
    fn default() -> Self {
        Self {
            first_poll: Duration::from_secs(15),
            longest_poll: Duration::from_secs(10 * 60),
            give_up_after: Duration::from_secs(24 * 60 * 60),
            uncertain_for: Duration::from_secs(10 * 60),
            look_every: Duration::from_secs(5),
            batch: 16,
            status_within: Duration::from_secs(10),
            request_within: Duration::from_secs(18),
            refresh_within: Duration::from_secs(60),
            most_refreshes: 5,
            book_patience: Duration::from_secs(6),
            most_unsaved: 10_000,
            permits: 1_024,
        }
    }
}

impl UpdateSettings {
    /// How long a node that took a request keeps it from the others: longer than anything it may do with it.
    #[must_use]
    pub fn lease(&self) -> Duration {
        const MARGIN: Duration = Duration::from_secs(30);
        self.status_within + self.refresh_within + self.book_patience * 3 + MARGIN
    }
}
