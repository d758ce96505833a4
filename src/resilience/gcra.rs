//! How often something may be done: the generic cell rate algorithm, one number of state.
//!
//! The state is the *theoretical arrival time*: when the next event is due if all of them came evenly spread. An event may come
//! before it is due by the tolerance, so that `tolerance / interval + 1` events may come at once after a rest.

/// Microseconds, since whatever moment its owner counts from. Signed, because a tolerance may be negative.
pub type Micros = i64;

/// When the next event is due.
///
/// Whatever is asked and when: in any span `s`, both ends included, no more than `(s + tolerance) / interval + 1` events, rounded
/// down, are let through. The greatest tolerance and the least interval that were ever passed count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gcra {
    due: Micros,
}

impl Gcra {
    /// One that has rested for ever.
    #[must_use]
    pub const fn rested() -> Self {
        // Far from the end of the range, so that no sum leaves it.
        Self { due: Micros::MIN / 4 }
    }

    /// One whose next event is due at `moment`.
    #[must_use]
    pub const fn due_at(moment: Micros) -> Self {
        Self { due: moment }
    }

    /// When the next event is due.
    #[must_use]
    pub const fn due(self) -> Micros {
        self.due
    }

    /// The state after one more event at `now`. With a negative tolerance it must have rested for that long beyond being due.
    ///
    /// # Errors
    /// How long until it may come, never zero.
    pub fn admit(self, now: Micros, interval: Micros, tolerance: Micros) -> Result<Self, Micros> {
        let wait = self.due.saturating_sub(tolerance).saturating_sub(now);
        if wait > 0 { Err(wait) } else { Ok(self.after(now, interval)) }
    }

    /// The state if so many more events came at `now`.
    #[must_use]
    pub fn with(self, events: usize, now: Micros, interval: Micros) -> Self {
        (0..events).fold(self, |state, _| state.after(now, interval))
    }

    /// The state after one more event at `now`, whether it was allowed or not.
    #[must_use]
    pub fn after(self, now: Micros, interval: Micros) -> Self {
        Self { due: self.due.max(now).saturating_add(interval) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn after_a_rest_a_burst_and_then_one_each_interval() {
        let mut state = Gcra::rested();
        for _ in 0..3 {
            state = state.admit(1_000, 100, 200).unwrap();
        }
        assert_eq!(state.admit(1_000, 100, 200), Err(100));
        assert_eq!(state.admit(1_099, 100, 200), Err(1));
        state = state.admit(1_100, 100, 200).unwrap();
        assert_eq!(state.due(), 1_400);
        assert_eq!(state.admit(1_100, 100, 200), Err(100));
    }

    #[test]
    fn a_negative_tolerance_leaves_room_before_it_comes() {
        let state = Gcra::due_at(500);
        assert_eq!(state.admit(500, 100, -100), Err(100));
        assert_eq!(state.admit(600, 100, -100), Ok(Gcra::due_at(700)));
        assert!(Gcra::rested().admit(0, 100, -100).is_ok());
    }

    proptest! {
        #[test]
        fn no_span_sees_more_than_promised(
            interval in 1_i64..500,
            most in 0_i64..3_000,
            asks in prop::collection::vec((0_i64..700, -3_000_i64..3_000), 1..300),
            span in 0_i64..5_000,
        ) {
            let (mut now, mut state, mut admitted) = (0, Gcra::rested(), Vec::new());
            for (pause, tolerance) in asks {
                now += pause;
                if let Ok(next) = state.admit(now, interval, tolerance.min(most)) {
                    state = next;
                    admitted.push(now);
                }
            }
            let promised = usize::try_from((span + most) / interval + 1).unwrap();
            for (at, first) in admitted.iter().enumerate() {
                let seen = admitted[at..].iter().take_while(|moment| **moment <= first + span).count();
                prop_assert!(seen <= promised, "{seen} of {promised}");
            }
        }

        #[test]
        fn whoever_waits_as_told_is_admitted(now in -5_000_i64..5_000, due in -5_000_i64..5_000, tolerance in -500_i64..500) {
            if let Err(wait) = Gcra::due_at(due).admit(now, 10, tolerance) {
                prop_assert!(wait > 0);
                prop_assert!(Gcra::due_at(due).admit(now + wait, 10, tolerance).is_ok());
                prop_assert!(Gcra::due_at(due).admit(now + wait - 1, 10, tolerance).is_err());
            }
        }
    }
}
