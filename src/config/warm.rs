//! The bounds of loading lists in the background. None of them is in the environment: they follow from how the vendor and the other rooms
//! behave.

use std::time::Duration;

use crate::resilience::Backoff;

/// How lists of processes are loaded.
#[derive(Debug, Clone, Copy)]
pub struct WarmSettings {
    /// Processes that one node has in hand at once. The background has a quarter of the requests that may be under way
    /// (`fetcher::pace`); ten fill that, with some whose copies are just being read or stored. More would only wait in line.
    pub at_once: usize,
    /// How often a node looks for what is due when nothing tells it to: lists that other nodes accepted, pauses that are over.
    pub look_every: Duration,
    /// What finding out about held copies may take.
    pub held_within: Duration,
    /// What one process may take. Longer than a fetch goes on after its readers have gone (`CoordinatorSettings::fetch_limit`) and what it
    /// buys takes to be stored: nobody begins again what is still under way.
    pub lookup_within: Duration,
    /// How often a fetch is looked after whose shard was replaced.
    pub follow_every: Duration,
    /// The pauses of a list, doubling, while the vendor, the credit, the cap or the pace stops it. The longest is what a service is late
    /// when the credit is back; a look after it costs at the most one request.
    pub pause: Backoff,
    /// The pauses of a process that failed by itself. Longer than the first ones for which a process that was bought in vain is not bought
    /// again (`fetcher::wasted`).
    pub again: Backoff,
    /// How often a process may fail by itself before it is given up, if the vendor answers for others.
    pub most_attempts: u32,
    /// As `most_attempts`, if nobody can tell whether it is the process or the vendor: eight hours of an outage with
    /// the pauses above, and that for each process of the list, because they take turns.
    pub most_doubts: u32,
    /// What PostgreSQL may take; a little more than its tier's own timeouts.
    pub book_patience: Duration,
    /// What a lease is longer than everything that it covers: a busy machine is not
    /// that late.
    pub lease_margin: Duration,
    /// How often a word that PostgreSQL did not take is offered again.
    pub note_every: Duration,
    /// How long a node waits before it takes anything once PostgreSQL answers again: longer than `note_every`, so that the others have
    /// written down what they finished meanwhile.
    pub settle: Duration,
    /// Lists that may run at once: a million processes are weeks of work, and the tables have an end.
    pub most_running: u32,
    /// How long lists are kept after their end.
    pub keep: Duration,
    /// How often lists that are too old are looked for.
    pub prune_every: Duration,
    /// Rows that are removed at once.
    pub prune_batch: usize,
    /// How long a stop waits for what is being looked up: long enough for what is nearly done, shorter than a supervisor's patience.
    pub shutdown_grace: Duration,
}

impl Default for WarmSettings {
    fn default() -> Self {
        Self {
            at_once: 10,
            look_every: Duration::from_secs(5),
            held_within: Duration::from_secs(5),
            lookup_within: Duration::from_secs(150),
            follow_every: Duration::from_secs(2),
            pause: Backoff {
                base: Duration::from_secs(5),
                cap: Duration::from_secs(10 * 60),
                stable_for: Duration::ZERO,
            },
            again: Backoff {
                base: Duration::from_secs(30),
                cap: Duration::from_secs(15 * 60),
                stable_for: Duration::ZERO,
            },
            most_attempts: 5,
            most_doubts: 50,
            book_patience: Duration::from_secs(6),
            lease_margin: Duration::from_secs(10),
            note_every: Duration::from_secs(1),
            settle: Duration::from_secs(5),
            most_running: 100,
            keep: Duration::from_secs(30 * 24 * 3600),
            prune_every: Duration::from_secs(60),
            prune_batch: 1_000,
            shutdown_grace: Duration::from_secs(4),
        }
    }
}

impl WarmSettings {
    /// The defaults for a service whose readers wait so long for the vendor: a fetch may go on as long.
    #[must_use]
    pub fn for_patience(hard: Duration) -> Self {
        const STORING: Duration = Duration::from_secs(30);
        let default = Self::default();
        Self { lookup_within: default.lookup_within.max(hard + STORING), ..default }
    }

    /// How long a node that took a process keeps it from the others: longer than anything it may do with it.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.held_within + self.lookup_within + self.book_patience + self.lease_margin
    }
}
