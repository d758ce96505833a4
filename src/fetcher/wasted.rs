//! Processes that cost money and could not be had: what cannot be read would be paid for by every reader anew. Pure.
//!
//! [`Standing`](super::standing::Standing) does not notice them, because the vendor answers well for all others.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::messages::Failure;
use crate::domain::cnj::Cnj;
use crate::resilience::backoff::Backoff;

/// Processes that are remembered. With more of them than this the vendor is broken, and its standing has noticed.
const MOST: usize = 10_000;

/// The pauses: the first short enough that a reader who is told so waits for it, the last so long that a process which stays
/// unreadable costs some hundred purchases a day and not one for each reader.
const PAUSES: Backoff =
    Backoff { base: Duration::from_secs(4), cap: Duration::from_secs(15 * 60), stable_for: Duration::ZERO };

/// Which processes are not bought for now.
#[derive(Debug, Default)]
pub struct Wasted {
    processes: HashMap<Cnj, Waste>,
}

#[derive(Debug, Clone, Copy)]
struct Waste {
    failure: Failure,
    until: Instant,
    times: u32,
}

impl Wasted {
    /// Why a process is not bought now, and for how long yet.
    #[must_use]
    pub fn check(&self, cnj: Cnj, now: Instant) -> Option<(Failure, Duration)> {
        let waste = self.processes.get(&cnj).filter(|waste| now < waste.until)?;
        Some((waste.failure, waste.until.saturating_duration_since(now)))
    }

    /// Notes that a purchase cost money and failed; `fraction`: jitter in `[0, 1)`. What stops everything stops this process too, and
    /// is none of its business.
    pub fn note(&mut self, cnj: Cnj, failure: Failure, (now, fraction): (Instant, f64)) {
        if !is_about_the_process(failure) || !self.has_room_for(cnj, now) {
            return;
        }
        let times = self.processes.get(&cnj).map_or(0, |waste| waste.times);
        let pause = PAUSES.bound(times).mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0);
        let until = now.checked_add(pause).unwrap_or(now);
        self.processes.insert(cnj, Waste { failure, until, times: times.saturating_add(1) });
    }

    /// The vendor has answered for it.
    pub fn forget(&mut self, cnj: Cnj) {
        self.processes.remove(&cnj);
    }

    fn has_room_for(&mut self, cnj: Cnj, now: Instant) -> bool {
        if self.processes.len() >= MOST {
            self.processes.retain(|_, waste| now < waste.until);
        }
        self.processes.len() < MOST || self.processes.contains_key(&cnj)
    }
}

const fn is_about_the_process(failure: Failure) -> bool {
    match failure {
        Failure::Unreadable
        | Failure::EndlessPages
        | Failure::TimedOut
        | Failure::Unreachable
        | Failure::ServerError
        | Failure::Refused => true,
        Failure::NoProvider
        | Failure::Unauthorized
        | Failure::NoCredit
        | Failure::BudgetExhausted
        | Failure::RateLimited => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::{Clock, SystemClock};

    fn cnj(sequential: u32) -> Cnj {
        // Check digits by the rule of the CNJ: 98 - (number × 100 mod 97).
        let rest = (u64::from(sequential) * 100_000_000_000 + 20_248_260_100) % 97 * 100 % 97;
        Cnj::parse(&format!("{sequential:07}-{:02}.2024.8.26.0100", 98 - rest)).unwrap()
    }

    #[test]
    fn the_pauses_grow_until_it_is_had() {
        let (mut wasted, mut now) = (Wasted::default(), SystemClock.monotonic());
        let mut pauses = Vec::new();
        for _ in 0..10 {
            assert_eq!(wasted.check(cnj(1), now), None);
            wasted.note(cnj(1), Failure::EndlessPages, (now, 1.0));
            let (failure, pause) = wasted.check(cnj(1), now).unwrap();
            assert_eq!(failure, Failure::EndlessPages);
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(wasted.check(cnj(2), now), None, "of others it says nothing");
        wasted.forget(cnj(1));
        wasted.note(cnj(1), Failure::Unreadable, (now, 0.0));
        assert_eq!(wasted.check(cnj(1), now), Some((Failure::Unreadable, Duration::from_secs(2))));
    }

    #[test]
    fn what_stops_everything_is_not_noted() {
        let (mut wasted, now) = (Wasted::default(), SystemClock.monotonic());
        for failure in [Failure::NoCredit, Failure::RateLimited, Failure::BudgetExhausted, Failure::Unauthorized] {
            wasted.note(cnj(1), failure, (now, 1.0));
            assert_eq!(wasted.check(cnj(1), now), None, "{failure}");
        }
    }

    #[test]
    fn it_remembers_so_many_and_makes_room_for_new_ones() {
        let (mut wasted, now) = (Wasted::default(), SystemClock.monotonic());
        let most = u32::try_from(MOST).unwrap();
        (0..=most).for_each(|n| wasted.note(cnj(n), Failure::Unreadable, (now, 1.0)));
        assert_eq!((wasted.processes.len(), wasted.check(cnj(most), now)), (MOST, None));
        let later = now + Duration::from_secs(5);
        wasted.note(cnj(most), Failure::Unreadable, (later, 1.0));
        assert_eq!(wasted.processes.len(), 1);
    }
}
