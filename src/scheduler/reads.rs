//! How often a process is read: counted in memory, written down now and then, forgotten little by little.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::coordinator::Coordinators;
use crate::domain::cnj::Cnj;

/// In this time half of the reads are forgotten: a week of habits counts more than the months before it.
pub const HALF_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

const DAY_SECONDS: f64 = 24.0 * 3600.0;

/// Whoever counts reads.
pub trait ReadCounts: Send + Sync {
    /// What was counted since the last call.
    fn drain(&self) -> Vec<(Cnj, u32)>;
}

impl ReadCounts for Coordinators {
    fn drain(&self) -> Vec<(Cnj, u32)> {
        self.reads().drain()
    }
}

/// Reads a day that lead to this count in the long run.
#[must_use]
pub fn per_day(decayed: f64) -> f64 {
    (decayed.max(0.0) * std::f64::consts::LN_2 * DAY_SECONDS) / HALF_LIFE.as_secs_f64()
}

/// What is left of a count after some time.
#[must_use]
pub fn decayed(count: f64, elapsed: Duration) -> f64 {
    count * (-elapsed.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2()
}

/// Reads that could not be written down yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    reads: Mutex<HashMap<Cnj, u32>>,
}

impl Pending {
    /// Adds reads, of at most so many processes in all.
    pub(super) fn add(&self, reads: Vec<(Cnj, u32)>, most: usize) {
        let mut pending = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        for (cnj, count) in reads {
            let room = pending.len() < most;
            match pending.get_mut(&cnj) {
                Some(known) => *known = known.saturating_add(count),
                None if room => drop(pending.insert(cnj, count)),
                None => {}
            }
        }
    }

    /// Takes at most so many processes' reads.
    pub(super) fn take(&self, most: usize) -> Vec<(Cnj, u32)> {
        let mut pending = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen: Vec<Cnj> = pending.keys().take(most).copied().collect();
        chosen.into_iter().filter_map(|cnj| pending.remove_entry(&cnj)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_reader_is_seen_as_one() {
        let day = Duration::from_secs(24 * 3600);
        let count = (0..365).fold(0.0, |count, _| decayed(count, day) + 12.0);
        assert!((per_day(count) - 12.0).abs() < 1.0, "{}", per_day(count));
        assert!((decayed(8.0, HALF_LIFE) - 4.0).abs() < 1e-9);
        assert!(per_day(-1.0).abs() < 1e-9);
    }

    #[test]
    fn what_waits_is_summed_and_has_an_end() {
        let [one, two] = ["0000001-39.2024.8.26.0100", "0000002-24.2024.8.26.0100"].map(|cnj| Cnj::parse(cnj).unwrap());
        let pending = Pending::default();
        pending.add(vec![(one, 1), (one, 2), (two, 1)], 1);
        assert_eq!(pending.take(9), [(one, 3)]);
        assert!(pending.take(9).is_empty());
    }
}
