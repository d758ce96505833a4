//! How often failed requests may be sent again, over all of them together: a share of what is sent for the first time. When
//! everything fails, a limit for each request alone would multiply the load on whoever is down by that limit.

/// How generous a [`RetryBudget`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudgetSettings {
    /// What each first try adds, in thousandths of a retry: with 100, retries are at most a tenth of all first tries.
    pub per_mille: u32,
    /// The most retries that can be saved up: what a burst of failures after a good hour may cost.
    pub most: u32,
    /// What is there at the start, so that the very first hiccup is survived.
    pub first: u32,
}

const ONE: u32 = 1000;

/// The retries left.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    settings: RetryBudgetSettings,
    /// In thousandths.
    left: u32,
}

impl RetryBudget {
    /// A budget with its first retries in it.
    #[must_use]
    pub const fn new(settings: RetryBudgetSettings) -> Self {
        Self { settings, left: settings.first.saturating_mul(ONE) }
    }

    /// Notes a first try.
    pub fn tried(&mut self) {
        let most = self.settings.most.saturating_mul(ONE);
        self.left = self.left.saturating_add(self.settings.per_mille).min(most.max(self.left));
    }

    /// Takes one retry, if one is left.
    pub fn take(&mut self) -> bool {
        match self.left.checked_sub(ONE) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: RetryBudgetSettings = RetryBudgetSettings { per_mille: 100, most: 10, first: 2 };

    #[test]
    fn a_good_hour_is_worth_no_more_than_the_most() {
        let mut budget = RetryBudget::new(SETTINGS);
        (0..10_000).for_each(|_| budget.tried());
        assert_eq!((0..100).filter(|_| budget.take()).count(), 10);
    }

    proptest! {
        /// However tries and retries follow each other, retries are at most the first ones and a tenth of the tries.
        #[test]
        fn retries_are_a_share_of_tries(wanted in prop::collection::vec(0_usize..5, 1..300)) {
            let mut budget = RetryBudget::new(SETTINGS);
            let mut retries = 0;
            for (tries, retries_wanted) in (1..).zip(wanted) {
                budget.tried();
                retries += (0..retries_wanted).filter(|_| budget.take()).count();
                prop_assert!(retries <= 2 + tries / 10, "{retries} retries after {tries} tries");
            }
        }
    }
}
