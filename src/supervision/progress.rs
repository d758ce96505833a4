//! What one generation of a child shows of itself without being asked.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::watch;

thread_local! {
    /// Every child has its arbiter, and so its thread, to itself. The thread's copy dies with the thread, which is how it is
    /// known whether an abandoned one is still there.
    static OF_THIS_ARBITER: RefCell<Option<Progress>> = const { RefCell::new(None) };
}

/// Signs of life of one generation: a cheap handle to shared counters.
///
/// An actor that handles its messages quickly needs none of this, because it answers its heartbeats. One that is busy for
/// longer than its heartbeat's patience says so: [`record`](Self::record) in a long loop, [`protect`](Self::protect) around a
/// single long call.
#[derive(Debug, Clone)]
pub struct Progress {
    signs: Arc<Signs>,
}

#[derive(Debug)]
struct Signs {
    steps: AtomicU64,
    zones: AtomicUsize,
    /// A watch and not a counter, because the shutdown waits for it to come down to zero.
    unfinished: watch::Sender<usize>,
}

impl Progress {
    /// That of a new generation: nothing done, nothing open.
    pub(super) fn new() -> Self {
        let signs = Signs { steps: AtomicU64::new(0), zones: AtomicUsize::new(0), unfinished: watch::Sender::new(0) };
        Self { signs: Arc::new(signs) }
    }

    /// The progress of the child whose arbiter this code runs on.
    ///
    /// Anywhere else (an actor started by hand in a unit test, say) it is one that nobody watches.
    #[must_use]
    pub fn current() -> Self {
        OF_THIS_ARBITER.with_borrow_mut(|mine| mine.get_or_insert_with(Self::new).clone())
    }

    /// Makes this the [`current`](Self::current) one of the calling thread.
    pub(super) fn settle_here(self) {
        OF_THIS_ARBITER.with_borrow_mut(|mine| *mine = Some(self));
    }

    /// Says: I am getting on. Costs one relaxed atomic increment.
    pub fn record(&self) {
        self.signs.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Opens a protected zone: until the guard is dropped, silence is not taken for being stuck, up to
    /// [`Heartbeat::longest_zone`](super::Heartbeat). Zones nest.
    #[must_use = "the zone ends when the guard is dropped"]
    pub fn protect(&self) -> Zone {
        self.signs.zones.fetch_add(1, Ordering::SeqCst);
        Zone { progress: self.clone() }
    }

    /// How often progress was recorded; leaving a zone records, too.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.signs.steps.load(Ordering::Relaxed)
    }

    /// Whether a protected zone is open.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.signs.zones.load(Ordering::SeqCst) > 0
    }

    /// Counts a piece of work that a shutdown waits for, until the guard is dropped.
    pub(super) fn begin_work(&self) -> Work {
        self.signs.unfinished.send_modify(|unfinished| *unfinished = unfinished.saturating_add(1));
        Work { progress: self.clone() }
    }

    /// Waits until no counted work is left.
    pub(super) async fn all_work_done(&self) {
        // An error would mean that the sender is gone, but `self` holds it.
        let _ = self.signs.unfinished.subscribe().wait_for(|unfinished| *unfinished == 0).await;
    }

    /// Whether somebody other than the caller still holds a handle: the thread of an abandoned generation, above all.
    pub(super) fn is_held_elsewhere(&self) -> bool {
        Arc::strong_count(&self.signs) > 1
    }
}

/// An open protected zone; see [`Progress::protect`].
#[derive(Debug)]
pub struct Zone {
    progress: Progress,
}

impl Drop for Zone {
    fn drop(&mut self) {
        // In this order, so that whoever sees the zone closed sees the step as well.
        self.progress.record();
        self.progress.signs.zones.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A piece of work under way; see [`Progress::begin_work`].
#[derive(Debug)]
pub(super) struct Work {
    progress: Progress,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.progress.signs.unfinished.send_modify(|unfinished| *unfinished = unfinished.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_nest_and_leaving_one_is_progress() {
        let progress = Progress::new();
        let outer = progress.protect();
        drop(progress.protect());
        assert!(progress.is_protected());
        drop(outer);
        assert!(!progress.is_protected());
        assert_eq!(progress.steps(), 2);
    }

    #[test]
    fn the_current_one_is_the_same_for_all_on_a_thread() {
        let progress = Progress::new();
        progress.clone().settle_here();
        Progress::current().record();
        assert_eq!(progress.steps(), 1);
    }

    #[test]
    fn a_finished_thread_lets_go_of_its_progress() {
        let progress = Progress::new();
        let theirs = progress.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || theirs.settle_here()).join().unwrap();
        });
        assert!(!progress.is_held_elsewhere());
    }
}
