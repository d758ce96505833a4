//! Who listens: so many at the most, and nobody for ever without reading.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;

/// The places for streams. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: usize,
    /// A stream that was not asked for its next piece for so long is not read by its client.
    stalled_after: Duration,
    open: Mutex<Open>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    places: HashMap<u64, Arc<Place>>,
}

#[derive(Debug)]
struct Place {
    touched: Mutex<Instant>,
    is_taken_away: AtomicBool,
}

/// One stream's place, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    number: u64,
    place: Arc<Place>,
    slots: Slots,
}

impl Slots {
    /// So many places.
    pub(super) fn new(most: usize, stalled_after: Duration, gauge: Gauge) -> Self {
        Self { shared: Arc::new(Shared { most, stalled_after, open: Mutex::default(), gauge }) }
    }

    /// A place, if need be that of a client that does not read; none if everybody does.
    pub(super) fn take(&self, now: Instant) -> Option<Slot> {
        let mut open = self.open();
        if open.places.len() >= self.shared.most {
            let stalled_after = self.shared.stalled_after;
            open.places.retain(|_, place| {
                let is_read = now.saturating_duration_since(*place.touched()) < stalled_after;
                if !is_read {
                    place.is_taken_away.store(true, Ordering::SeqCst);
                }
                is_read
            });
        }
        if open.places.len() >= self.shared.most {
            return None;
        }
        let number = open.next;
        open.next = number.wrapping_add(1);
        let place = Arc::new(Place { touched: Mutex::new(now), is_taken_away: AtomicBool::new(false) });
        open.places.insert(number, Arc::clone(&place));
        self.show(&open);
        drop(open);
        Some(Slot { number, place, slots: self.clone() })
    }

    /// Whether anybody listens.
    pub(super) fn is_empty(&self) -> bool {
        self.open().places.is_empty()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, open: &Open) {
        self.shared.gauge.set(i64::try_from(open.places.len()).unwrap_or(i64::MAX));
    }
}

impl Place {
    fn touched(&self) -> MutexGuard<'_, Instant> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Notes that the client reads. False if its place was given to somebody else meanwhile: the stream has to end.
    pub(super) fn touch(&self, now: Instant) -> bool {
        *self.place.touched() = now;
        !self.place.is_taken_away.load(Ordering::SeqCst)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.slots.open();
        open.places.remove(&self.number);
        self.slots.show(&open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::{Clock, SystemClock};

    #[test]
    fn places_are_counted_given_back_and_taken_from_those_who_do_not_read() {
        let (now, gauge) = (SystemClock.monotonic(), Gauge::default());
        let slots = Slots::new(2, Duration::from_secs(60), gauge.clone());
        let (reading, stalled) = (slots.take(now).unwrap(), slots.take(now).unwrap());
        assert!(slots.take(now).is_none() && gauge.get() == 2);

        let later = now + Duration::from_secs(60);
        assert!(reading.touch(later));
        let third = slots.take(later).expect("the place of the one who does not read");
        assert!(!stalled.touch(later) && reading.touch(later) && third.touch(later));
        assert!(slots.take(later).is_none());

        drop(stalled);
        assert_eq!(gauge.get(), 2, "its place is another's already");
        drop((reading, third));
        assert!(slots.is_empty() && gauge.get() == 0);
    }
}
