//! Chance with a seed that a failed run names.

use std::time::Duration;

use juscache::ambient::{Random, SystemRandom};
use juscache::sandbox::{Endpoint, Fault};

/// SplitMix64: good enough to choose what breaks next.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    pub(crate) seed: u64,
    state: u64,
}

impl Dice {
    pub(crate) fn new() -> Self {
        let seed = u64::try_from(SystemRandom.bits() & u128::from(u64::MAX)).expect("64 bits");
        Self { seed, state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).expect("a count")).expect("a count")
    }

    /// A fault that a vendor may recover from by itself, and whom it meets.
    pub(crate) fn fault(&mut self) -> (Fault, Option<Endpoint>) {
        let limited = |seconds: &str| Fault::RateLimited { retry_after: Some(seconds.to_owned()), html: false };
        let faults = [
            Fault::ChargedTimeout,
            Fault::ChargedTimeout,
            Fault::Truncated,
            Fault::Truncated,
            Fault::CutJson,
            Fault::NeverEnds,
            Fault::Reset,
            Fault::Reset,
            Fault::Html500,
            Fault::Json503,
            Fault::NextLoops,
            Fault::NextRepeatsCursor,
            Fault::WrongShape,
            Fault::Slow(Duration::from_millis(200)),
            Fault::Slow(Duration::from_secs(2)),
            limited("0"),
            limited("1"),
        ];
        let whom = [Some(Endpoint::Cover), Some(Endpoint::Movements), Some(Endpoint::Status), None];
        let (fault, whose) = (self.below(faults.len()), self.below(whom.len()));
        (faults[fault].clone(), whom[whose])
    }
}
