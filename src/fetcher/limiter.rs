//! How fast a vendor is asked, and how many requests may be on their way at once.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout_at;

use crate::ambient::SharedClock;
use crate::resilience::deadline::Deadline;

const MINUTE: Duration = Duration::from_secs(60);

/// What somebody is told who waited in line for a slot in vain: the line is short (the requests in flight), the slots are seconds away.
const LINE_WAIT: Duration = Duration::from_secs(1);

/// The injected clock in the limiter's terms.
#[derive(Debug, Clone)]
struct Monotonic(SharedClock);

impl GovernorClock for Monotonic {
    type Instant = Instant;

    fn now(&self) -> Instant {
        self.0.monotonic()
    }
}

/// Requests per minute of one account.
///
/// It outlives the actor that asks: held by the factory and not by the actor, it makes a fetcher that was replaced after a crash keep
/// within what its predecessor left of the minute.
#[derive(Debug)]
pub struct Pace {
    slots: RateLimiter<NotKeyed, InMemoryState, Monotonic, NoOpMiddleware<Instant>>,
    clock: SharedClock,
}

impl Pace {
    /// A pace of at most `per_minute` requests in **every** span of 60 s; zero counts as one.
    #[must_use]
    pub fn new(per_minute: u32, clock: SharedClock) -> Arc<Self> {
        let slots = RateLimiter::direct_with_clock(quota(per_minute), Monotonic(Arc::clone(&clock)));
        Arc::new(Self { slots, clock })
    }

    /// Takes a slot.
    ///
    /// # Errors
    /// How long until the next one, when there is none.
    fn take(&self) -> Result<(), Duration> {
        self.slots.check().map_err(|not_until| not_until.wait_time_from(self.clock.monotonic()))
    }
}

/// A burst of a tenth, the rest evenly spread: both together are what one window can see, where a bucket as large as the limit would
/// let twice the limit through.
///
/// A fiftieth is left unused. The vendor counts arrivals, not departures, and a slow second on the way moves that many requests from
/// one of its minutes into the next.
fn quota(per_minute: u32) -> Quota {
    let limit = per_minute.max(1);
    let burst = NonZeroU32::new(limit / 10).unwrap_or(NonZeroU32::MIN);
    let spread = limit.saturating_sub(burst.get()).saturating_sub(limit / 50);
    // With nothing left to spread, the next slot comes when the burst has left the window.
    let interval = MINUTE.checked_div(spread).unwrap_or(MINUTE + Duration::from_millis(1));
    Quota::with_period(interval).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
}

/// Why a request may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The account's pace has no slot before the deadline.
    Paced {
        /// When it will have one.
        retry_after: Duration,
    },
    /// As many requests as allowed are on their way, and none came back before the deadline.
    Full,
}

/// Permission to send one request; dropping it says that the answer is here.
#[derive(Debug)]
#[must_use = "the request counts as answered when this is dropped"]
pub struct Admission<'a> {
    _in_flight: SemaphorePermit<'a>,
}

/// The gate before every request of one client.
#[derive(Debug)]
pub struct Limiter {
    pace: Arc<Pace>,
    in_flight: Semaphore,
    /// Only the first in line waits for a slot, so that slots are given in the order of asking.
    turnstile: Semaphore,
    clock: SharedClock,
}

impl Limiter {
    /// A gate of that pace with at most `max_in_flight` requests behind it; zero counts as one.
    #[must_use]
    pub fn new(pace: Arc<Pace>, max_in_flight: usize, clock: SharedClock) -> Self {
        let in_flight = Semaphore::new(max_in_flight.clamp(1, Semaphore::MAX_PERMITS));
        Self { pace, in_flight, turnstile: Semaphore::new(1), clock }
    }

    /// Waits for permission, never longer than the deadline, and not at all when the wait cannot end before it.
    ///
    /// # Errors
    /// [`Held`]; no slot was used up.
    pub async fn admit(&self, deadline: Deadline) -> Result<Admission<'_>, Held> {
        let until = deadline.instant().into();
        let Ok(Ok(in_flight)) = timeout_at(until, self.in_flight.acquire()).await else {
            return Err(Held::Full);
        };
        let Ok(Ok(_turn)) = timeout_at(until, self.turnstile.acquire()).await else {
            // The pace alone made it wait: everybody in line is before the vendor, not at it.
            return Err(Held::Paced { retry_after: LINE_WAIT });
        };
        loop {
            match self.pace.take() {
                Ok(()) => return Ok(Admission { _in_flight: in_flight }),
                Err(wait) if wait >= deadline.remaining(self.clock.monotonic()) => {
                    return Err(Held::Paced { retry_after: wait });
                }
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    use super::*;
    use crate::ambient::{Clock, SystemClock};

    /// A clock that stands still until it is told to move.
    #[derive(Debug)]
    struct HandClock {
        start: Instant,
        elapsed_ns: AtomicU64,
    }

    impl HandClock {
        fn new() -> Arc<Self> {
            Arc::new(Self { start: SystemClock.monotonic(), elapsed_ns: AtomicU64::new(0) })
        }

        fn advance(&self, by: Duration) {
            self.elapsed_ns.fetch_add(u64::try_from(by.as_nanos()).unwrap(), Ordering::SeqCst);
        }

        fn elapsed(&self) -> Duration {
            Duration::from_nanos(self.elapsed_ns.load(Ordering::SeqCst))
        }
    }

    impl Clock for HandClock {
        fn now(&self) -> DateTime<Utc> {
            SystemClock.now()
        }

        fn monotonic(&self) -> Instant {
            self.start + self.elapsed()
        }
    }

    fn soon(wait: Duration) -> Deadline {
        Deadline::after(SystemClock.monotonic(), wait)
    }

    proptest! {
        /// Greedy or idle by turns, no window of a minute sees more than the limit.
        #[test]
        fn no_minute_sees_more_than_the_limit(per_minute in 1_u32..600, pauses in prop::collection::vec(0_u64..20_000, 1..40)) {
            let clock = HandClock::new();
            let pace = Pace::new(per_minute, Arc::<HandClock>::clone(&clock));
            let mut sent: Vec<Duration> = Vec::new();
            for pause in pauses {
                for _ in 0..50 {
                    match pace.take() {
                        Ok(()) => sent.push(clock.elapsed()),
                        Err(wait) => clock.advance(wait),
                    }
                }
                clock.advance(Duration::from_millis(pause));
            }
            for (at, first) in sent.iter().enumerate() {
                let in_window = sent[at..].iter().take_while(|moment| **moment <= *first + MINUTE).count();
                prop_assert!(in_window <= usize::try_from(per_minute).unwrap(), "{} in one minute", in_window);
            }
        }
    }

    #[test]
    fn the_documented_limit_is_nearly_used() {
        let quota = quota(500);
        assert_eq!(quota.burst_size().get(), 50);
        assert_eq!(quota.replenish_interval(), MINUTE / 440);
    }

    #[actix_rt::test]
    async fn a_wait_that_cannot_end_in_time_is_not_begun() {
        let clock = SystemClock::shared();
        let limiter = Limiter::new(Pace::new(1, Arc::clone(&clock)), 4, Arc::clone(&clock));
        drop(limiter.admit(soon(Duration::from_secs(5))).await.unwrap());
        let began = clock.monotonic();
        let held = limiter.admit(soon(Duration::from_secs(5))).await.unwrap_err();
        assert!(matches!(held, Held::Paced { retry_after } if retry_after > Duration::from_secs(50)), "{held:?}");
        assert!(clock.monotonic() - began < Duration::from_secs(2));
    }

    #[actix_rt::test]
    async fn a_slot_that_comes_in_time_is_waited_for() {
        let clock = SystemClock::shared();
        let limiter = Limiter::new(Pace::new(6_000, Arc::clone(&clock)), 1, Arc::clone(&clock));
        for _ in 0..620 {
            drop(limiter.admit(soon(Duration::from_secs(5))).await.unwrap());
        }
    }

    #[actix_rt::test]
    async fn no_more_than_the_bound_are_on_their_way() {
        let clock = SystemClock::shared();
        let limiter = Limiter::new(Pace::new(500, Arc::clone(&clock)), 1, clock);
        let first = limiter.admit(soon(Duration::from_secs(5))).await.unwrap();
        assert_eq!(limiter.admit(soon(Duration::from_millis(20))).await.unwrap_err(), Held::Full);
        drop(first);
        drop(limiter.admit(soon(Duration::from_secs(5))).await.unwrap());
    }

    #[actix_rt::test]
    async fn a_successor_keeps_its_predecessors_pace() {
        let clock = SystemClock::shared();
        let pace = Pace::new(1, Arc::clone(&clock));
        drop(Limiter::new(Arc::clone(&pace), 1, Arc::clone(&clock)).admit(soon(Duration::from_secs(5))).await.unwrap());
        assert!(Limiter::new(pace, 1, clock).admit(soon(Duration::from_secs(5))).await.is_err());
    }
}
