//! The words of the synchronisation: the same in SQL, JSON, metrics and logs.

/// Makes a closed enum with a word for each variant.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Whose word it is.
            #[must_use]
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// What begins a run.
    Trigger {
        /// It was due.
        Schedule = "schedule",
        /// Somebody asked for it.
        Request = "request",
    }
}

words! {
    /// How a run ends. What breaks off because its leader stops or dies does not end: the next leader goes on with it.
    Ending {
        /// Nothing was left to do.
        Completed = "completed",
        /// The day's requests are used up.
        DayLimit = "day-limit",
        /// The daily limit is zero: only cleaned up.
        Off = "off",
        /// No vendor is configured.
        NoProvider = "no-provider",
        /// The vendor refuses the key.
        Unauthorized = "unauthorized",
        /// The vendor's account has no credit.
        NoCredit = "no-credit",
        /// Our own cap is reached.
        BudgetExhausted = "budget-exhausted",
        /// The vendor wants fewer requests.
        RateLimited = "rate-limited",
        /// The vendor fails, again and again.
        VendorDown = "vendor-down",
    }
}

words! {
    /// How a claimed process's refresh stands.
    ClaimState {
        /// Under way.
        Refreshing = "refreshing",
        /// It brought something new.
        Refreshed = "refreshed",
        /// It confirmed what was held.
        Unchanged = "unchanged",
        /// It failed.
        Failed = "failed",
        /// The vendor does not know the process.
        Unknown = "unknown",
        /// The node woke up when its claim was over, and asked nobody.
        Late = "late",
    }
}

words! {
    /// Why a process was not taken.
    ClaimRefusal {
        /// Another node leads by now.
        StaleEpoch = "stale-epoch",
        /// It is not as it was when it was chosen: refreshed meanwhile, gone, or being stored.
        Changed = "changed",
        /// Somebody else is at it.
        Taken = "taken",
        /// It failed meanwhile and is left alone.
        BackingOff = "backing-off",
        /// Its requests do not fit the day any more.
        DayLimit = "day-limit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back() {
        for ending in Ending::ALL {
            assert_eq!(Ending::of_word(ending.as_str()), Some(*ending));
        }
        assert_eq!(ClaimState::of_word("late"), Some(ClaimState::Late));
        assert_eq!(Trigger::of_word("whim"), None);
    }
}
