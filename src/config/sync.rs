//! `JUSCACHE_SYNC_INTERVAL`, `JUSCACHE_SYNC_BATCH`, `JUSCACHE_SYNC_DAILY_LIMIT`, `JUSCACHE_SYNC_WINDOW`, `JUSCACHE_RETENTION`, and the
//! bounds of the synchronisation.

use std::time::Duration;

use super::reader::Reader;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How copies are kept fresh in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncSettings {
    /// From one cycle to the next.
    pub interval: Duration,
    /// Processes that are refreshed at once.
    pub batch: u32,
    /// Requests to vendors in a day of America/Sao_Paulo, of all nodes together; zero turns the synchronisation off, but not the clean-up.
    pub daily_limit: u32,
    /// What expires within it goes first.
    pub window: Duration,
    /// What is not watched and was not confirmed for this long goes; none keeps everything.
    pub retention: Option<Duration>,
    /// What one refresh may take: longer than a large process's pages at the vendor's pace, and about as long as a fetch may go on.
    pub refresh_within: Duration,
    /// By how much a claim outlives its refresh: an answer that came at the last moment still has to be written down.
    pub claim_margin: Duration,
    /// What PostgreSQL may take; a little more than its tier's own timeouts.
    pub book_patience: Duration,
    /// Candidates of each kind that are read at once: several batches' worth, so that the choice has a choice, and yet a short list.
    pub slice: u32,
    /// Who was neither read nor first seen for this long is of no interest, unless watched: nobody would notice that it is fresh.
    pub interest: Duration,
    /// The pause after a process's first failure; doubles with each. Longer than a fetch that nobody waits for may go on.
    pub first_backoff: Duration,
    /// The longest pause after failures: a process that fails is tried every day, and never forgotten.
    pub longest_backoff: Duration,
    /// Failures of the vendor in a row that end a cycle: one may be an accident of that process, so many are not.
    pub most_strikes: u32,
    /// How often a node writes down what was read: what a crash forgets is no more than that.
    pub flush_reads_every: Duration,
    /// Processes whose reads wait to be written down while PostgreSQL is away; beyond that they are forgotten.
    pub most_pending_reads: usize,
    /// Processes that one statement cleans: their rows are locked for a moment only.
    pub clean_batch: u32,
    /// Such statements in one go; what is left is for the next cycle.
    pub most_clean_batches: u32,
    /// How long a stop waits for the refreshes under way. What is bought later is stored by the chain, and its claim ends by itself.
    pub stop_within: Duration,
}

impl Default for SyncSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1800),
            batch: 10,
            daily_limit: 200,
            window: Duration::from_secs(7200),
            retention: Some(7 * DAY),
            refresh_within: Duration::from_secs(120),
            claim_margin: Duration::from_secs(30),
            book_patience: Duration::from_secs(6),
            slice: 200,
            interest: 30 * DAY,
            first_backoff: Duration::from_secs(300),
            longest_backoff: DAY,
            most_strikes: 3,
            flush_reads_every: Duration::from_secs(30),
            most_pending_reads: 10_000,
            clean_batch: 200,
            most_clean_batches: 500,
            stop_within: Duration::from_secs(8),
        }
    }
}

impl SyncSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        Self {
            interval: reader.timeout("JUSCACHE_SYNC_INTERVAL", default.interval),
            batch: reader.number("JUSCACHE_SYNC_BATCH", default.batch, (1, 1000)),
            daily_limit: reader.number("JUSCACHE_SYNC_DAILY_LIMIT", default.daily_limit, (0, 1_000_000)),
            window: reader.duration("JUSCACHE_SYNC_WINDOW", default.window),
            retention: reader.retention("JUSCACHE_RETENTION", 7 * DAY),
            ..default
        }
    }

    /// How long a leader leads without renewing: the others wait that long for one that died. A fourth of the interval, so that a
    /// takeover delays no cycle by a whole one, and never so short that a slow database costs the lead.
    #[must_use]
    pub fn lease(&self) -> Duration {
        (self.interval / 4).clamp(Duration::from_secs(1), Duration::from_secs(15))
    }

    /// How often the lease is renewed, and how often the others look whether it ran out.
    #[must_use]
    pub fn renew_every(&self) -> Duration {
        self.lease() / 3
    }

    /// How long a claimed process is kept from the other nodes: longer than its refresh may take.
    #[must_use]
    pub fn claim_lease(&self) -> Duration {
        self.refresh_within + self.claim_margin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_fit_their_work() {
        for (interval, lease) in [(1, 1000), (8, 2000), (1800, 15_000)] {
            let settings = SyncSettings { interval: Duration::from_secs(interval), ..SyncSettings::default() };
            assert_eq!(settings.lease(), Duration::from_millis(lease));
            assert!(settings.renew_every() * 2 < settings.lease());
            assert!(settings.claim_lease() > settings.refresh_within);
        }
    }
}
