//! How many requests may be on their way at once, in two lanes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::pace::Pace;
use crate::domain::caller::Lane;
use crate::resilience::adaptive::{Adaptive, AdaptiveSettings, Answered};

/// Requests on their way however badly they are answered: enough to learn from, too few to keep a vendor down.
const FLOOR: usize = 4;

/// The background may have one in so many of the requests on their way, and at least one.
const BACKGROUND_PART: usize = 4;

/// The places behind the gate. Readers are let in first; of each lane one waits at a time (the gate has the lines).
#[derive(Debug)]
pub(super) struct InFlight {
    state: Mutex<State>,
    readers: Notify,
    background: Notify,
    /// Where the numbers are shown.
    pace: Arc<Pace>,
}

#[derive(Debug)]
struct State {
    limit: Adaptive,
    busy: usize,
    in_background: usize,
    readers_waiting: usize,
}

impl State {
    fn has_room(&self, lane: Lane) -> bool {
        let limit = self.limit.limit();
        let room = match lane {
            Lane::Interactive => true,
            Lane::Background => self.readers_waiting == 0 && self.in_background < (limit / BACKGROUND_PART).max(1),
        };
        room && self.busy < limit
    }
}

impl InFlight {
    /// At most `most` places; zero counts as one.
    pub(super) fn new(most: usize, pace: Arc<Pace>) -> Self {
        let limit = Adaptive::new(AdaptiveSettings { floor: FLOOR, ceiling: most });
        let state = State { limit, busy: 0, in_background: 0, readers_waiting: 0 };
        let this = Self { state: Mutex::new(state), readers: Notify::new(), background: Notify::new(), pace };
        this.show(&this.state());
        this
    }

    /// Waits for a place.
    pub(super) async fn enter(&self, lane: Lane) -> Place<'_> {
        let _waiting = (lane == Lane::Interactive).then(|| Waiting::new(self));
        loop {
            // A notice that comes before it is waited for is kept.
            let freed = self.of(lane).notified();
            if let Some(place) = self.try_enter(lane) {
                return place;
            }
            freed.await;
        }
    }

    fn try_enter(&self, lane: Lane) -> Option<Place<'_>> {
        let mut state = self.state();
        if !state.has_room(lane) {
            return None;
        }
        state.busy += 1;
        if lane == Lane::Background {
            state.in_background += 1;
        }
        self.show(&state);
        Some(Place { house: self, lane })
    }

    fn answered(&self, now: Instant, took: Duration, verdict: Answered) {
        let mut state = self.state();
        let busy = state.busy;
        state.limit.answered(now, took, verdict, busy);
    }

    fn of(&self, lane: Lane) -> &Notify {
        match lane {
            Lane::Interactive => &self.readers,
            Lane::Background => &self.background,
        }
    }

    fn wake(&self) {
        self.readers.notify_one();
        self.background.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done with it panics half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &State) {
        self.pace.in_flight.store(state.busy, Ordering::Relaxed);
        self.pace.in_flight_limit.store(state.limit.limit(), Ordering::Relaxed);
    }
}

/// A reader who waits for a place, which the background leaves to him.
struct Waiting<'a>(&'a InFlight);

impl<'a> Waiting<'a> {
    fn new(house: &'a InFlight) -> Self {
        house.state().readers_waiting += 1;
        Self(house)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().readers_waiting -= 1;
        self.0.background.notify_one();
    }
}

/// A place behind the gate, until it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    house: &'a InFlight,
    lane: Lane,
}

impl Place<'_> {
    /// Frees it, and learns from how the request was answered.
    pub(super) fn answered(self, now: Instant, took: Duration, verdict: Answered) {
        self.house.answered(now, took, verdict);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        {
            let mut state = self.house.state();
            state.busy -= 1;
            if self.lane == Lane::Background {
                state.in_background -= 1;
            }
            self.house.show(&state);
        }
        self.house.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join;

    use super::*;
    use crate::ambient::{Clock, SystemClock};

    fn house(most: usize) -> InFlight {
        InFlight::new(most, Pace::new(500, SystemClock::shared()))
    }

    fn now_or_never(house: &InFlight, lane: Lane) -> Option<Place<'_>> {
        house.enter(lane).now_or_never()
    }

    #[test]
    fn the_background_has_a_quarter_and_at_least_one() {
        for (most, limit, background) in [(64, 16, 4), (8, 4, 1), (1, 1, 1)] {
            let house = house(most);
            let held: Vec<_> = std::iter::from_fn(|| now_or_never(&house, Lane::Background)).collect();
            assert_eq!(held.len(), background);
            let readers: Vec<_> = std::iter::from_fn(|| now_or_never(&house, Lane::Interactive)).collect();
            assert_eq!(readers.len(), limit - background);
            assert_eq!(house.pace.report().in_flight, limit);
            drop((held, readers));
            assert_eq!((house.pace.report().in_flight, house.pace.report().in_flight_limit), (0, limit));
        }
    }

    #[actix_rt::test]
    async fn readers_are_let_in_first() {
        let house = house(1);
        let held = now_or_never(&house, Lane::Interactive).unwrap();
        let order = Mutex::new(Vec::new());
        let background = async {
            let _place = house.enter(Lane::Background).await;
            order.lock().unwrap().push(Lane::Background);
        };
        let reader = async {
            let entering = house.enter(Lane::Interactive);
            tokio::pin!(entering);
            assert!(entering.as_mut().now_or_never().is_none());
            drop(held);
            let _place = entering.await;
            order.lock().unwrap().push(Lane::Interactive);
        };
        join(background, reader).await;
        assert_eq!(*order.lock().unwrap(), [Lane::Interactive, Lane::Background]);
    }

    #[actix_rt::test]
    async fn a_reader_who_leaves_the_line_does_not_keep_the_background_out() {
        let house = house(1);
        let held = now_or_never(&house, Lane::Interactive).unwrap();
        let mut reader = Box::pin(house.enter(Lane::Interactive));
        let mut background = Box::pin(house.enter(Lane::Background));
        assert!(reader.as_mut().now_or_never().is_none());
        assert!(background.as_mut().now_or_never().is_none());
        drop(held);
        assert!(background.as_mut().now_or_never().is_none(), "the place is the reader's");
        drop(reader);
        assert!(background.as_mut().now_or_never().is_some());
    }

    #[test]
    fn answers_move_the_limit() {
        let house = house(64);
        let now = SystemClock.monotonic();
        now_or_never(&house, Lane::Interactive).unwrap().answered(now, Duration::from_secs(15), Answered::Badly);
        assert_eq!(house.pace.report().in_flight_limit, 11);
        drop(now_or_never(&house, Lane::Interactive));
        assert_eq!(house.pace.report().in_flight_limit, 11, "no information");
    }
}
