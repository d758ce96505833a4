//! A tiny deterministic generator: the same seed and label always throw the same numbers, on every machine and version.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Splitmix64, because a library's generator may change its sequence between versions and every stored demo with it.
#[derive(Debug, Clone)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    /// Dice for one purpose: `label` keeps two purposes with the same seed from throwing alike.
    pub(super) fn new(seed: u64, label: &str) -> Self {
        Self { state: xxh3_64_with_seed(label.as_bytes(), seed) }
    }

    /// The next 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `low..=high` (`low` when the range is empty).
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low)) + 1;
        low.saturating_add(u32::try_from(self.bits() % span).unwrap_or(0))
    }

    /// True in `percent` of a hundred throws.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.between(0, 99) < percent
    }

    /// One of `choices`; `None` only when there are none.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let last = u32::try_from(choices.len().checked_sub(1)?).unwrap_or(u32::MAX);
        choices.get(usize::try_from(self.between(0, last)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_and_label_throw_alike_and_others_do_not() {
        let throw = |seed, label| (0..8).map(move |_| ()).scan(Dice::new(seed, label), |dice, ()| Some(dice.bits()));
        let first: Vec<u64> = throw(1, "a").collect();
        assert_eq!(first, throw(1, "a").collect::<Vec<_>>());
        assert_ne!(first, throw(2, "a").collect::<Vec<_>>());
        assert_ne!(first, throw(1, "b").collect::<Vec<_>>());
    }

    #[test]
    fn between_stays_inside_and_reaches_both_ends() {
        let mut dice = Dice::new(7, "ends");
        let thrown: Vec<u32> = (0..500).map(|_| dice.between(3, 6)).collect();
        assert!(thrown.iter().all(|value| (3..=6).contains(value)));
        assert!(thrown.contains(&3) && thrown.contains(&6));
    }
}
