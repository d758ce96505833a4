//! A list of processes that somebody wants to be known, and how far it got.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::cnj::Cnj;
use super::served::StaleReason;

/// Processes of one list at the most: what a request's body holds, and what one statement stores within its time.
pub const MOST_IN_A_LIST: usize = 10_000;

/// How a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListState {
    /// Something waits, or is being looked up.
    Running,
    /// Nothing waits any more.
    Done,
    /// Somebody stopped it.
    Cancelled,
}

impl ListState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Running, Self::Done, Self::Cancelled];

    /// The word in the table and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// How one process of a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemState {
    /// It is to be looked up, or is being.
    Waiting,
    /// The vendor was asked and answered.
    Done,
    /// A copy was held that needed no asking.
    Known,
    /// The vendor does not know it.
    Unknown,
    /// Given up.
    Failed,
}

impl ItemState {
    /// The word in the table and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }
}

/// What stops a whole list for a while, in the words that readers of stale copies are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseReason {
    /// No provider is configured.
    NoProvider,
    /// The vendor's account has no credit.
    CreditsExhausted,
    /// Our own cap is reached.
    BudgetExhausted,
    /// The vendor's limit, or our own pace, is used up.
    RateLimited,
    /// The vendor cannot be reached, answers with errors, or refuses our key.
    UpstreamUnavailable,
    /// The vendor does not answer in time.
    UpstreamTimeout,
    /// The service itself has too much to do, or recovers.
    Overloaded,
}

impl PauseReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NoProvider,
        Self::CreditsExhausted,
        Self::BudgetExhausted,
        Self::RateLimited,
        Self::UpstreamUnavailable,
        Self::UpstreamTimeout,
        Self::Overloaded,
    ];

    /// The word in the table and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoProvider => StaleReason::NoProvider.as_str(),
            Self::CreditsExhausted => StaleReason::CreditsExhausted.as_str(),
            Self::BudgetExhausted => StaleReason::BudgetExhausted.as_str(),
            Self::RateLimited => StaleReason::RateLimited.as_str(),
            Self::UpstreamUnavailable => StaleReason::UpstreamUnavailable.as_str(),
            Self::UpstreamTimeout => StaleReason::UpstreamTimeout.as_str(),
            Self::Overloaded => "overloaded",
        }
    }

    /// The reason of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

impl From<StaleReason> for PauseReason {
    fn from(reason: StaleReason) -> Self {
        match reason {
            StaleReason::NoProvider => Self::NoProvider,
            StaleReason::CreditsExhausted => Self::CreditsExhausted,
            StaleReason::BudgetExhausted => Self::BudgetExhausted,
            StaleReason::RateLimited => Self::RateLimited,
            StaleReason::UpstreamUnavailable => Self::UpstreamUnavailable,
            // Whoever is told so did not wait for the vendor either.
            StaleReason::UpstreamTimeout | StaleReason::Revalidating => Self::UpstreamTimeout,
        }
    }
}

/// A list and how far it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmList {
    /// Its name in addresses: 16 hexadecimal digits.
    pub id: String,
    /// How it stands.
    pub state: ListState,
    /// When it was accepted, by the database's clock.
    pub requested_at: DateTime<Utc>,
    /// When it was done or cancelled.
    pub ended_at: Option<DateTime<Utc>>,
    /// Processes, each counted once.
    pub total: u64,
    /// Numbers that were named once more and passed over.
    pub duplicates: u64,
    /// Processes that are not over: of a cancelled list, what is not looked up any more.
    pub waiting: u64,
    /// Processes that the vendor was asked for and answered.
    pub done: u64,
    /// Processes of which a fresh copy was held.
    pub known: u64,
    /// Processes that the vendor does not know.
    pub unknown: u64,
    /// Processes that were given up.
    pub failed: u64,
    /// Centavos that the lookups said they spent.
    pub cost_centavos: u64,
    /// Nothing is begun before.
    pub paused_until: Option<DateTime<Utc>>,
    /// What stopped it; kept until something is answered again.
    pub paused_reason: Option<PauseReason>,
}

/// A process that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedItem {
    /// The process, masked.
    pub cnj: String,
    /// Its place in the list, counted from one.
    pub position: u64,
    /// What went wrong in the last attempt.
    pub outcome: String,
    /// How often it was tried.
    pub attempts: u64,
}

/// A list, and what it says of single processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmDetail {
    /// The list.
    pub list: WarmList,
    /// The first of those that were given up, in the list's order.
    pub failures: Vec<FailedItem>,
}

/// A process that a node has taken, to look it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenItem {
    /// Whose process it is.
    pub list: String,
    /// Its place there.
    pub position: u32,
    /// The process.
    pub cnj: Cnj,
    /// How often it failed by itself so far.
    pub attempts: u32,
    /// Which time it is that a node took it.
    pub claim: u32,
    /// How often in a row its list was stopped; above zero this is the one that finds out whether that is over.
    pub strikes: u32,
    /// When the list was accepted: a copy that was fetched since will do.
    pub requested_at: DateTime<Utc>,
}

/// What became of a try, for the item and its list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItemNote {
    /// What comes next for it.
    pub next: ItemNext,
    /// How often it has failed by itself now.
    pub attempts: u32,
    /// Where the copy came from, or what went wrong.
    pub outcome: &'static str,
    /// Centavos that this try spent.
    pub cost_centavos: u64,
    /// What follows for its list.
    pub list: ListChange,
}

/// What comes next for an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ItemNext {
    /// It is over.
    Over(ItemState),
    /// It is tried again.
    Again {
        /// Not before so many seconds from now, by the database's clock.
        after_seconds: f64,
    },
}

impl ItemNext {
    /// How the item stands then.
    #[must_use]
    pub fn state(self) -> ItemState {
        match self {
            Self::Over(state) => state,
            Self::Again { .. } => ItemState::Waiting,
        }
    }
}

/// What follows for a list from a try of one of its items.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ListChange {
    /// Nothing.
    None,
    /// What had stopped it is over.
    Resume,
    /// The try told nothing about what had stopped it: the next one may find out.
    TryNext,
    /// It stops.
    Pause {
        /// For so many seconds.
        seconds: f64,
        /// Why.
        reason: PauseReason,
        /// The how manieth time in a row.
        strikes: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for state in ListState::ALL {
            assert_eq!(ListState::of_word(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        for reason in PauseReason::ALL {
            assert_eq!(PauseReason::of_word(reason.as_str()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        assert_eq!((ListState::of_word("waiting"), PauseReason::of_word("revalidating")), (None, None));
    }
}
