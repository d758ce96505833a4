//! What a vendor's limit means in numbers: how large a burst, how far apart the rest, and what one node may do without asking.

use std::time::Duration;

use crate::domain::caller::Lane;
use crate::resilience::gcra::Micros;

/// A vendor's limit: so many requests in **every** span of the window, both ends included, counted where they arrive.
///
/// A tenth may come as a burst, the rest is evenly spread; both together are what one window can see, where a bucket as large as the
/// limit would let twice the limit through. The spread is a little wider than it would have to be: a request that is under way for
/// a fortieth of the window (1.5 s of a minute) longer than the others moves from one of the vendor's windows into the next, and
/// even then no window sees too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    limit: u32,
    window: Duration,
}

/// A node that never reached Redis does not know how many others there are: it takes an eighth of what is evenly spread. So a whole
/// fleet of eight may start while Redis is away; and the nodes that do know of each other leave that eighth free, so that one may
/// be started beside them.
const NEWCOMERS: u32 = 8;

impl Rate {
    /// So many requests a minute, as vendors say it; zero counts as one.
    #[must_use]
    pub const fn per_minute(limit: u32) -> Self {
        Self::of(limit, Duration::from_secs(60))
    }

    /// So many requests in a window of another length, for tests that cannot wait for minutes.
    #[must_use]
    pub const fn of(limit: u32, window: Duration) -> Self {
        Self { limit: if limit == 0 { 1 } else { limit }, window }
    }

    /// The vendor's window.
    #[must_use]
    pub const fn window(self) -> Duration {
        self.window
    }

    /// How many may come at once after a rest.
    fn burst(self) -> u32 {
        (self.limit / 10).max(1)
    }

    /// How many are evenly spread: with a burst of `b`, a span sees `b + span / interval`, rounded down.
    fn even(self) -> u32 {
        self.limit.saturating_sub(self.burst()).saturating_add(1)
    }

    /// The interval at which a span sees no more than `count`, both ends included, and one less right after a rest of an interval.
    fn interval_of(self, count: u32) -> Option<Micros> {
        let span = micros(self.window + self.window / 40);
        span.checked_div(Micros::from(count)).map(|interval| interval.saturating_add(1))
    }

    /// Between two requests, all nodes together.
    pub(super) fn interval(self) -> Micros {
        self.interval_of(self.even()).unwrap_or(Micros::MAX)
    }

    /// How much earlier than evenly spread a request of this lane may come.
    ///
    /// Half of the burst is the readers': whatever runs in the background, one of them need not wait. A vendor so slow that there is
    /// no burst serves the background only when a slot was left unused.
    pub(super) fn tolerance(self, lane: Lane) -> Micros {
        let burst = Micros::from(self.burst());
        let readers = (burst / 2).max(1);
        let early = match lane {
            Lane::Interactive => burst - 1,
            Lane::Background => burst - 1 - readers,
        };
        early.saturating_mul(self.interval())
    }

    /// As long as it takes to earn the whole burst: what a bucket of which nothing is known owes.
    pub(super) fn burst_time(self) -> Micros {
        Micros::from(self.burst()).saturating_mul(self.interval())
    }

    /// Between two requests of one node that goes by its own share, without a burst; `None` if there is no share so small.
    ///
    /// `nodes` share what newcomers leave; no number means that it is a newcomer's share. The shares of all nodes together never
    /// exceed what is evenly spread, so they may follow upon a burst; and since each is rounded down to whole requests, no window
    /// of any length of the shares alone sees more than the limit either.
    pub(super) fn share(self, nodes: Option<u32>) -> Option<Micros> {
        let newcomers = self.even() / NEWCOMERS;
        let count = nodes.map_or(newcomers, |nodes| (self.even() - newcomers) / nodes.max(1));
        self.interval_of(count)
    }
}

/// Whole microseconds, rounded down.
pub(super) fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

/// The same length of time; a negative one is zero.
pub(super) fn duration(micros: Micros) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::resilience::gcra::Gcra;

    fn in_any_window(moments: &[Micros], window: Duration) -> usize {
        let from = |at: usize| {
            let span = micros(window);
            moments[at..].iter().take_while(|moment| **moment - moments[at] <= span).count()
        };
        (0..moments.len()).map(from).max().unwrap_or(0)
    }

    #[test]
    fn the_documented_limit_is_nearly_used() {
        let rate = Rate::per_minute(500);
        assert_eq!((rate.burst(), rate.even()), (50, 451));
        assert_eq!(60_000_000 / rate.interval(), 439);
        assert_eq!(rate.tolerance(Lane::Interactive) / rate.interval(), 49);
        assert_eq!(rate.tolerance(Lane::Background) / rate.interval(), 24);
    }

    #[test]
    fn small_limits_are_kept_and_used() {
        for (limit, an_hour) in [(1, 58), (2, 117), (3, 175), (5, 292), (10, 585), (19, 1_112), (20, 1_112)] {
            assert_eq!(3_600_000_000 / Rate::per_minute(limit).interval(), an_hour, "{limit}");
        }
    }

    #[test]
    fn shares_add_up_to_what_is_evenly_spread() {
        for limit in 1..=600 {
            let rate = Rate::per_minute(limit);
            for nodes in 1..=10_u32 {
                let in_ten_windows = |share: Option<Micros>| share.map_or(0, |interval| 600_000_000 / interval);
                let all = in_ten_windows(rate.share(Some(nodes))) * i64::from(nodes) + in_ten_windows(rate.share(None));
                assert!(all <= 600_000_000 / rate.interval(), "{limit} for {nodes}");
            }
        }
        assert_eq!(Rate::per_minute(5).share(None), None, "an eighth of so little is nothing");
        assert_eq!(Rate::per_minute(2).share(Some(3)), None);
    }

    proptest! {
        /// Greedy or idle by turns, in both lanes, arriving late by up to a fortieth of the window.
        #[test]
        fn no_window_sees_more_than_the_limit(
            limit in prop_oneof![1_u32..6, 1_u32..600],
            seconds in 1_u64..120,
            pauses in prop::collection::vec((0_u64..20_000, any::<bool>()), 1..40),
            lateness in prop::collection::vec(0.0_f64..1.0, 40),
        ) {
            let rate = Rate::of(limit, Duration::from_secs(seconds));
            let (mut now, mut state, mut sent) = (0, Gcra::rested(), Vec::new());
            for (pause, readers) in pauses {
                let lane = if readers { Lane::Interactive } else { Lane::Background };
                for _ in 0..50 {
                    match state.admit(now, rate.interval(), rate.tolerance(lane)) {
                        Ok(next) => {
                            state = next;
                            let late = rate.window().mul_f64(lateness[sent.len() % 40] / 40.0);
                            sent.push(now + micros(late));
                        }
                        Err(wait) => now += wait,
                    }
                }
                now += micros(Duration::from_millis(pause));
            }
            sent.sort_unstable();
            let seen = in_any_window(&sent, rate.window());
            prop_assert!(seen <= usize::try_from(limit).unwrap(), "{seen} in one window");
        }

        /// What runs in the background alone, greedily or not, always leaves a slot for a reader, where there is a burst at all.
        #[test]
        fn the_background_never_makes_a_reader_wait(limit in 20_u32..600, pauses in prop::collection::vec(0_i64..2_000_000, 1..200)) {
            let rate = Rate::per_minute(limit);
            let (mut now, mut state) = (0, Gcra::rested());
            for pause in pauses {
                while let Ok(next) = state.admit(now, rate.interval(), rate.tolerance(Lane::Background)) {
                    state = next;
                    prop_assert!(state.admit(now, rate.interval(), rate.tolerance(Lane::Interactive)).is_ok());
                }
                now += pause;
            }
        }

        /// With readers who take all there is, nothing is left for the background.
        #[test]
        fn the_background_yields(limit in 1_u32..600) {
            let rate = Rate::per_minute(limit);
            let (mut now, mut state) = (0, Gcra::rested());
            for _ in 0..1_000 {
                match state.admit(now, rate.interval(), rate.tolerance(Lane::Interactive)) {
                    Ok(next) => state = next,
                    Err(wait) => now += wait,
                }
            }
            prop_assert!(state.admit(now, rate.interval(), rate.tolerance(Lane::Background)).is_err());
        }
    }
}
