//! Which read of a copy that is about to expire has it refreshed a little early, so that no reader of a busy process ever finds it expired.
//!
//! XFetch (Vattani, Chierichetti and Lowenstein, VLDB 2015): a read at `now` decides for itself, `now - δ·β·ln(U) ≥ fresh_until`, with δ the time
//! that a fetch takes, β = 1 and U drawn anew from (0, 1]. So the chance that one read asks is `e^(-left/δ)`: the more readers, the earlier
//! somebody does, and what nobody reads is never asked for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

use crate::ambient::SharedRandom;
use crate::domain::cnj::Cnj;

/// A fetch is taken to last at least so long: most wait for the vendor's slower hours, and too early by seconds costs nothing.
pub const LEAST_FETCH_TIME: Duration = Duration::from_secs(3);

/// Copies that expire later than this are left alone without a draw.
pub const HORIZON: TimeDelta = TimeDelta::seconds(60);

/// The last eight fetches make most of the average.
const WEIGHT: u64 = 8;

/// Wishes that may wait: a copy that expires within a minute each.
const MOST_WISHES: usize = 1024;

/// Whoever refreshes copies early.
pub trait EarlyRefresh: Send + Sync {
    /// A reader's copy is about to expire and should be replaced before. Must not block: a reader waits. The same wish may come several
    /// times; it may be dropped.
    fn wish(&self, cnj: Cnj, fresh_until: DateTime<Utc>);
}

/// Decides for every read of a fresh copy, and says so where it is wanted.
pub struct Early {
    random: SharedRandom,
    hook: Arc<dyn EarlyRefresh>,
    /// How long fetches take, in microseconds: a moving average.
    fetch_us: AtomicU64,
}

impl Early {
    /// Tells `hook`.
    #[must_use]
    pub fn new(random: SharedRandom, hook: Arc<dyn EarlyRefresh>) -> Self {
        Self { random, hook, fetch_us: AtomicU64::new(0) }
    }

    /// Takes in how long a fetch took. Of two at the same moment one may be missed.
    pub fn fetched(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX / WEIGHT);
        let before = self.fetch_us.load(Ordering::Relaxed);
        let average = if before == 0 { took } else { (before / WEIGHT) * (WEIGHT - 1) + took / WEIGHT };
        self.fetch_us.store(average, Ordering::Relaxed);
    }

    /// How long a fetch takes, as far as is known.
    #[must_use]
    pub fn fetch_time(&self) -> Duration {
        Duration::from_micros(self.fetch_us.load(Ordering::Relaxed)).max(LEAST_FETCH_TIME)
    }

    /// Has a copy refreshed early, if it is time. One comparison as long as the copy is not about to expire.
    pub fn consider(&self, cnj: &Cnj, fresh_until: DateTime<Utc>, now: DateTime<Utc>) {
        let left = fresh_until - now;
        if left < HORIZON && is_time(left.to_std().unwrap_or_default(), self.fetch_time(), self.random.fraction()) {
            self.hook.wish(*cnj, fresh_until);
        }
    }
}

/// The draw for one read: `left` until the copy expires, `fetch_time` to replace it, `fraction` in `[0, 1)`.
#[must_use]
pub fn is_time(left: Duration, fetch_time: Duration, fraction: f64) -> bool {
    // In (0, 1], so that the logarithm is finite.
    let drawn = 1.0 - fraction;
    -drawn.ln() * fetch_time.as_secs_f64() >= left.as_secs_f64()
}

/// Wishes until somebody takes them: each process once. Outlives whoever takes them.
#[derive(Debug, Default)]
pub struct WishList {
    wishes: Mutex<HashMap<Cnj, DateTime<Utc>>>,
    added: Notify,
}

impl WishList {
    /// Takes at most so many, those first that expire first.
    #[must_use]
    pub fn take(&self, most: usize) -> Vec<(Cnj, DateTime<Utc>)> {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken: Vec<_> = wishes.iter().map(|(cnj, fresh_until)| (*cnj, *fresh_until)).collect();
        taken.sort_unstable_by_key(|(cnj, fresh_until)| (*fresh_until, *cnj));
        taken.truncate(most);
        for (cnj, _) in &taken {
            wishes.remove(cnj);
        }
        taken
    }

    /// Resolves when a wish was added since this was last awaited: one listener is meant.
    pub async fn added(&self) {
        self.added.notified().await;
    }
}

impl EarlyRefresh for WishList {
    fn wish(&self, cnj: Cnj, fresh_until: DateTime<Utc>) {
        let mut wishes = match self.wishes.try_lock() {
            Ok(wishes) => wishes,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another read of a busy process will wish the same.
            Err(TryLockError::WouldBlock) => return,
        };
        if wishes.len() >= MOST_WISHES && !wishes.contains_key(&cnj) {
            return;
        }
        if wishes.insert(cnj, fresh_until) != Some(fresh_until) {
            self.added.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;
    use crate::ambient::{Random, SystemRandom};
    use crate::domain::sample::instant;
    use crate::sandbox::demo_numbers;

    const DELTA: Duration = Duration::from_secs(3);

    fn numbers(count: usize) -> Vec<Cnj> {
        demo_numbers(count, 3).iter().map(|number| Cnj::parse(number).unwrap()).collect()
    }

    /// `e^(-left/δ)`: 36.8 % at δ (not 63 %, as a tutorial in circulation prints), 100 % at the end.
    #[test]
    fn the_chance_falls_exponentially_with_the_time_left() {
        const DRAWS: u32 = 100_000;
        for (left, expected) in [(0, 1.0), (1500, 0.6065), (3000, 0.3679), (6000, 0.1353), (12_000, 0.0183)] {
            let hits = (0..DRAWS).filter(|draw| {
                // Evenly spread, so that the test says the same every time.
                is_time(Duration::from_millis(left), DELTA, f64::from(*draw) / f64::from(DRAWS))
            });
            let share = f64::from(u32::try_from(hits.count()).unwrap()) / f64::from(DRAWS);
            assert!((share - expected).abs() < 0.001, "{left} ms left: {share}");
        }
    }

    /// What `facts` say of λ = 100 reads a second: about 19 s early in the mean, so half a percent more calls for an hour's copies.
    #[test]
    fn a_busy_process_is_refreshed_some_seconds_early() {
        let trials: u32 = 300;
        let mut lead = 0.0;
        for _ in 0..trials {
            // Reads every 10 ms from a minute before the end.
            let first = (0..6000).map(|tick| Duration::from_millis(60_000 - 10 * tick));
            let mut reads = first.filter(|left| is_time(*left, DELTA, SystemRandom.fraction()));
            lead += reads.next().unwrap_or_default().as_secs_f64();
        }
        let mean = lead / f64::from(trials);
        assert!((15.0..23.0).contains(&mean), "{mean} s");
    }

    #[test]
    fn a_fetch_is_never_taken_for_shorter_than_the_least_and_the_average_follows() {
        let early = Early::new(SystemRandom::shared(), Arc::new(WishList::default()));
        assert_eq!(early.fetch_time(), LEAST_FETCH_TIME);
        early.fetched(Duration::from_millis(80));
        assert_eq!(early.fetch_time(), LEAST_FETCH_TIME);
        (0..60).for_each(|_| early.fetched(Duration::from_secs(20)));
        let slow = early.fetch_time();
        assert!(slow > Duration::from_secs(19) && slow <= Duration::from_secs(20), "{slow:?}");
    }

    #[test]
    fn copies_that_live_on_for_long_are_left_alone_and_expired_ones_never_are() {
        let wishes = Arc::new(WishList::default());
        let early = Early::new(SystemRandom::shared(), Arc::<WishList>::clone(&wishes));
        let cnj = numbers(1)[0];
        (0..1000).for_each(|_| early.consider(&cnj, instant(60), instant(0)));
        assert_eq!(wishes.take(9), []);
        early.consider(&cnj, instant(0), instant(0));
        assert_eq!(wishes.take(9), [(cnj, instant(0))]);
    }

    #[test]
    fn each_process_waits_once_and_there_is_an_end_of_wishes() {
        let (wishes, numbers) = (WishList::default(), numbers(MOST_WISHES + 5));
        for (second, cnj) in (0_i64..).zip(&numbers) {
            wishes.wish(*cnj, instant(second));
            wishes.wish(*cnj, instant(second));
        }
        assert!(wishes.added().now_or_never().is_some());
        let first = wishes.take(2);
        assert_eq!(first, [(numbers[0], instant(0)), (numbers[1], instant(1))]);
        assert_eq!(wishes.take(usize::MAX).len(), MOST_WISHES - 2);
        assert!(wishes.added().now_or_never().is_none());
    }

    proptest! {
        #[test]
        fn the_nearer_the_end_the_likelier(left in 0_u64..60_000, closer in 0_u64..60_000, fraction in 0.0_f64..1.0) {
            let (far, near) = (Duration::from_millis(left.max(closer)), Duration::from_millis(left.min(closer)));
            prop_assert!(!is_time(far, DELTA, fraction) || is_time(near, DELTA, fraction));
        }
    }
}
