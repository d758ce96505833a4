//! How often each process is read, for whoever decides what is worth keeping fresh.
//!
//! Counting is on the fastest path there is, so every thread has a drawer of its own, as far as there are drawers: its lock is then
//! never waited for, except while the counts are fetched.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::cnj::Cnj;

/// More threads than that share drawers.
const DRAWERS: usize = 16;

/// Processes in one drawer: a few MB in all of them together. What is read beyond that between two fetches is rarely read.
const MOST_PROCESSES: usize = 16 * 1024;

/// A drawer's hash: the standard one takes longer than all the rest of counting. Who makes numbers collide on purpose slows down one drawer of
/// bounded size, which is emptied twice a minute.
#[derive(Debug, Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64(bytes);
    }

    /// The length before the digits, which is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

type Counts = HashMap<Cnj, u32, BuildHasherDefault<NumberHasher>>;

/// Counts of reads since they were last fetched.
#[derive(Debug)]
pub struct Reads {
    drawers: [Mutex<Counts>; DRAWERS],
    most: usize,
    dropped: AtomicU64,
}

impl Default for Reads {
    fn default() -> Self {
        Self::with_room(MOST_PROCESSES)
    }
}

impl Reads {
    /// With room for so many processes in each drawer.
    #[must_use]
    pub fn with_room(most: usize) -> Self {
        Self { drawers: Default::default(), most, dropped: AtomicU64::new(0) }
    }

    /// Counts one read.
    pub fn note(&self, cnj: &Cnj) {
        let Some(drawer) = self.drawers.get(own_drawer()) else { return };
        let mut counts = lock(drawer);
        if let Some(count) = counts.get_mut(cnj) {
            *count = count.saturating_add(1);
        } else if counts.len() < self.most {
            counts.insert(*cnj, 1);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the counts; counting begins anew.
    #[must_use]
    pub fn drain(&self) -> Vec<(Cnj, u32)> {
        let mut all = Counts::default();
        for drawer in &self.drawers {
            // Taken whole: those who count wait for a swap, not for our sums.
            let counts = std::mem::take(&mut *lock(drawer));
            for (cnj, count) in counts {
                let sum = all.entry(cnj).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        all.into_iter().collect()
    }

    /// Reads that were not counted since the start, because there was no room for another process.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn lock(drawer: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    drawer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The drawer of this thread.
fn own_drawer() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % DRAWERS);
    }
    OWN.get()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sandbox::demo_numbers;

    fn numbers(count: usize) -> Vec<Cnj> {
        demo_numbers(count, 3).iter().map(|number| Cnj::parse(number).unwrap()).collect()
    }

    #[test]
    fn what_all_threads_count_adds_up_and_is_taken_once() {
        let (reads, numbers) = (Arc::new(Reads::default()), numbers(3));
        std::thread::scope(|scope| {
            for _ in 0..DRAWERS + 2 {
                scope.spawn(|| {
                    for (index, cnj) in numbers.iter().enumerate() {
                        (0..=index).for_each(|_| reads.note(cnj));
                    }
                });
            }
        });
        let mut drained = reads.drain();
        drained.sort_unstable();
        let mut expected: Vec<_> = numbers.iter().copied().zip([18, 36, 54]).collect();
        expected.sort_unstable();
        assert_eq!(drained, expected);
        assert_eq!(reads.drain(), []);
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let (reads, numbers) = (Reads::with_room(2), numbers(3));
        numbers.iter().chain(&numbers).for_each(|cnj| reads.note(cnj));
        assert_eq!((reads.drain().len(), reads.dropped()), (2, 2));
        reads.note(&numbers[2]);
        assert_eq!(reads.drain(), [(numbers[2], 1)], "there is room again");
    }
}
