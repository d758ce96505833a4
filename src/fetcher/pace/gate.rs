//! The gate before every request of one client: in line, then a place among those on their way, then a slot of the pace.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout_at};

use super::in_flight::{InFlight, Place};
use super::pace::Pace;
use crate::ambient::SharedClock;
use crate::domain::caller::Lane;
use crate::resilience::adaptive::Answered;
use crate::resilience::deadline::Deadline;

/// What somebody is told who waited in line for a slot in vain: slots are seconds away.
const LINE_WAIT: Duration = Duration::from_secs(1);

/// How many may stand in line, for each lane: two minutes of the documented limit, longer than anybody waits.
const LINE: usize = 1_024;

/// Why a request may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The account's pace has no slot before the deadline.
    Paced {
        /// When it makes sense to ask again.
        retry_after: Duration,
    },
    /// As many requests as allowed are on their way, and none came back before the deadline; or too many wait already.
    Full,
}

/// Permission to send one request; dropping it says that the request is over, and nothing about how it went.
#[derive(Debug)]
#[must_use = "the request counts as over when this is dropped"]
pub struct Admission<'a> {
    place: Place<'a>,
    clock: &'a SharedClock,
}

impl Admission<'_> {
    /// The request is over: how long it took from being sent to its answer, and whether the vendor bears as much as it is asked.
    pub fn answered(self, took: Duration, verdict: Answered) {
        self.place.answered(self.clock.monotonic(), took, verdict);
    }
}

/// The gate before every request of one client.
#[derive(Debug)]
pub struct Limiter {
    pace: Arc<Pace>,
    in_flight: InFlight,
    readers: Line,
    background: Line,
    clock: SharedClock,
}

/// Those who wait, first come, first served: only the first looks for a place and a slot. Who goes on with what was begun passes by those
/// who begin, of whom one at a time stands among them: or, with a long line, everybody would buy the first half of a process and nobody
/// the second.
#[derive(Debug)]
struct Line {
    places: Semaphore,
    beginners: Semaphore,
    turnstile: Semaphore,
    /// Whether it is the pace that keeps the first in line, and not the requests on their way.
    paced: AtomicBool,
}

impl Line {
    fn new() -> Self {
        let paced = AtomicBool::new(false);
        Self { places: Semaphore::new(LINE), beginners: Semaphore::new(1), turnstile: Semaphore::new(1), paced }
    }

    /// What keeps the first in line keeps the others.
    fn held(&self) -> Held {
        if self.paced.load(Ordering::Relaxed) { Held::Paced { retry_after: LINE_WAIT } } else { Held::Full }
    }
}

impl Limiter {
    /// A gate of that pace with at most `max_in_flight` requests behind it, fewer when the vendor cannot bear them; zero counts as one.
    #[must_use]
    pub fn new(pace: Arc<Pace>, max_in_flight: usize, clock: SharedClock) -> Self {
        let in_flight = InFlight::new(max_in_flight, Arc::clone(&pace));
        Self { pace, in_flight, readers: Line::new(), background: Line::new(), clock }
    }

    /// Waits for permission, never longer than the deadline, and not at all when the wait cannot end before it.
    ///
    /// # Errors
    /// [`Held`].
    pub async fn admit(&self, lane: Lane, deadline: Deadline) -> Result<Admission<'_>, Held> {
        let line = self.line(lane);
        let Ok(_place_in_line) = line.places.try_acquire() else {
            return Err(line.held());
        };
        let Ok(Ok(_first)) = timeout_at(deadline.instant().into(), line.beginners.acquire()).await else {
            return Err(line.held());
        };
        self.go_on(lane, deadline).await
    }

    /// The same for the next request of what was begun, which may be paid in part. Those are no more than have begun.
    ///
    /// # Errors
    /// [`Held`].
    pub async fn go_on(&self, lane: Lane, deadline: Deadline) -> Result<Admission<'_>, Held> {
        let until = deadline.instant().into();
        let line = self.line(lane);
        let Ok(Ok(_turn)) = timeout_at(until, line.turnstile.acquire()).await else {
            return Err(line.held());
        };
        line.paced.store(false, Ordering::Relaxed);
        let Ok(place) = timeout_at(until, self.in_flight.enter(lane)).await else {
            return Err(Held::Full);
        };
        line.paced.store(true, Ordering::Relaxed);
        loop {
            let mut changed = pin!(self.pace.changed());
            changed.as_mut().enable();
            match timeout_at(until, self.pace.take(lane)).await {
                Ok(Ok(())) => return Ok(Admission { place, clock: &self.clock }),
                Ok(Err(wait)) if wait >= deadline.remaining(self.clock.monotonic()) => {
                    return Err(Held::Paced { retry_after: wait });
                }
                Ok(Err(wait)) => tokio::select! {
                    () = sleep(wait) => {}
                    () = changed.as_mut() => {}
                },
                Err(_elapsed) => return Err(Held::Paced { retry_after: LINE_WAIT }),
            }
        }
    }

    fn line(&self, lane: Lane) -> &Line {
        match lane {
            Lane::Interactive => &self.readers,
            Lane::Background => &self.background,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::{join, join_all};

    use super::*;
    use crate::ambient::{Clock, SystemClock};

    const READER: Lane = Lane::Interactive;

    fn soon(wait: Duration) -> Deadline {
        Deadline::after(SystemClock.monotonic(), wait)
    }

    #[actix_rt::test]
    async fn a_wait_that_cannot_end_in_time_is_not_begun() {
        let clock = SystemClock::shared();
        let limiter = Limiter::new(Pace::new(1, Arc::clone(&clock)), 4, Arc::clone(&clock));
        drop(limiter.admit(READER, soon(Duration::from_secs(5))).await.unwrap());
        let began = clock.monotonic();
        let held = limiter.admit(READER, soon(Duration::from_secs(5))).await.unwrap_err();
        assert!(matches!(held, Held::Paced { retry_after } if retry_after > Duration::from_secs(50)), "{held:?}");
        assert!(clock.monotonic() - began < Duration::from_secs(2));
    }

    #[actix_rt::test]
    async fn a_slot_that_comes_in_time_is_waited_for() {
        let clock = SystemClock::shared();
        let limiter = Limiter::new(Pace::new(6_000, Arc::clone(&clock)), 1, Arc::clone(&clock));
        for _ in 0..620 {
            drop(limiter.admit(READER, soon(Duration::from_secs(5))).await.unwrap());
        }
    }

    #[actix_rt::test]
    async fn no_more_than_the_bound_are_on_their_way() {
        let clock = SystemClock::shared();
        let limiter = Limiter::new(Pace::new(500, Arc::clone(&clock)), 1, clock);
        let first = limiter.admit(READER, soon(Duration::from_secs(5))).await.unwrap();
        assert_eq!(limiter.admit(READER, soon(Duration::from_millis(20))).await.unwrap_err(), Held::Full);
        drop(first);
        drop(limiter.admit(READER, soon(Duration::from_secs(5))).await.unwrap());
    }

    #[actix_rt::test]
    async fn a_successor_keeps_its_predecessors_pace() {
        let clock = SystemClock::shared();
        let pace = Pace::new(1, Arc::clone(&clock));
        drop(
            Limiter::new(Arc::clone(&pace), 1, Arc::clone(&clock))
                .admit(READER, soon(Duration::from_secs(5)))
                .await
                .unwrap(),
        );
        assert!(Limiter::new(pace, 1, clock).admit(READER, soon(Duration::from_secs(5))).await.is_err());
    }

    #[actix_rt::test]
    async fn a_flood_in_the_background_does_not_keep_a_reader_waiting() {
        let clock = SystemClock::shared();
        let limiter = Limiter::new(Pace::new(500, Arc::clone(&clock)), 64, Arc::clone(&clock));
        let flood = join_all((0..200).map(|_| limiter.admit(Lane::Background, soon(Duration::from_secs(1)))));
        let readers = async {
            for _ in 0..20 {
                let began = clock.monotonic();
                drop(limiter.admit(READER, soon(Duration::from_secs(5))).await.unwrap());
                assert!(clock.monotonic() - began < Duration::from_millis(100));
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        };
        let (flood, ()) = join(flood, readers).await;
        let admitted = flood.iter().filter(|one| one.is_ok()).count();
        assert_eq!(admitted, 4, "a quarter of what may be on its way, since none is answered");
        assert!(flood.iter().all(|one| one.as_ref().is_ok() || *one.as_ref().unwrap_err() == Held::Full));
    }

    #[actix_rt::test]
    async fn each_lane_is_first_come_first_served_and_who_leaves_is_skipped() {
        let clock = SystemClock::shared();
        let limiter = Limiter::new(Pace::new(60_000, Arc::clone(&clock)), 1, clock);
        let first = limiter.admit(READER, soon(Duration::from_secs(5))).await.unwrap();
        let order = Mutex::new(Vec::new());
        let wait = |number: u32, patience| {
            let (limiter, order) = (&limiter, &order);
            async move {
                if let Ok(admission) = limiter.admit(READER, soon(patience)).await {
                    order.lock().unwrap().push(number);
                    admission.answered(Duration::from_millis(1), Answered::Well);
                }
            }
        };
        let patience = |number| Duration::from_millis(if number % 3 == 0 { 10 } else { 5_000 });
        let answer = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(first);
        };
        join(join_all((0..12).map(|number| wait(number, patience(number)))), answer).await;
        assert_eq!(*order.lock().unwrap(), [1, 2, 4, 5, 7, 8, 10, 11]);
    }

    #[actix_rt::test]
    async fn who_waits_in_line_for_the_pace_is_told_so() {
        let clock = SystemClock::shared();
        let limiter = Limiter::new(Pace::new(60, Arc::clone(&clock)), 1, clock);
        for _ in 0..6 {
            drop(limiter.admit(READER, soon(Duration::from_secs(5))).await.unwrap());
        }
        let first = limiter.admit(READER, soon(Duration::from_secs(5)));
        let (first, second) = join(first, limiter.admit(READER, soon(Duration::from_millis(50)))).await;
        assert_eq!(second.unwrap_err(), Held::Paced { retry_after: LINE_WAIT });
        drop(first.unwrap());
    }
}
