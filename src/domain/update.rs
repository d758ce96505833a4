//! A request to look at the court, as we remember it: the vendor takes from minutes to hours, and the request outlives the process that
//! made it.

use chrono::{DateTime, Utc};

use super::cnj::Cnj;

/// How far a request is. It only ever moves on in this order; the last four are ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// It is being sent.
    Asked,
    /// It was sent and not answered: only the vendor's status tells whether it was accepted.
    Uncertain,
    /// The vendor has accepted it and is looking.
    Open,
    /// The vendor is done; our copy of the process is being renewed.
    Refreshing,
    /// Our copy is what the court says now.
    Succeeded,
    /// The court shows the vendor no such process: physical, secret, archived; or the vendor does not know it.
    NotFound,
    /// The vendor failed at the court (it has the vendor's id then), or never accepted the request (it has none).
    Failed,
    /// It did not come to its end in the time that we give it.
    Expired,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Asked,
        Self::Uncertain,
        Self::Open,
        Self::Refreshing,
        Self::Succeeded,
        Self::NotFound,
        Self::Failed,
        Self::Expired,
    ];

    /// The word for JSON, SQL and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Uncertain => "uncertain",
            Self::Open => "open",
            Self::Refreshing => "refreshing",
            Self::Succeeded => "succeeded",
            Self::NotFound => "not-found",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// The stage of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word)
    }

    /// Whether nothing more happens to it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::NotFound | Self::Failed | Self::Expired)
    }
}

/// The last request of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateRecord {
    /// The process.
    pub cnj: Cnj,
    /// How far it is.
    pub stage: Stage,
    /// The vendor's id; none until it confirms one.
    pub vendor_id: Option<i64>,
    /// The vendor's last request before this one. While the vendor still shows that one, concluded, it says nothing about this one:
    /// told by the id, because our clock and the vendor's differ.
    pub previous_id: Option<i64>,
    /// It was open at the vendor already; nothing new was asked.
    pub adopted: bool,
    /// When we asked, or adopted, by our clock, to the microsecond. It names the request.
    pub requested_at: DateTime<Utc>,
    /// When we learned that the vendor was done, by our clock: a copy fetched since then holds the news.
    pub learned_at: Option<DateTime<Utc>>,
    /// When it ended, by the vendor's clock where it tells.
    pub concluded_at: Option<DateTime<Utc>>,
    /// When it is looked at again; none exactly when it is over.
    pub next_check_at: Option<DateTime<Utc>>,
    /// Steps so far. Every step raises it, which is how two nodes find out that they took the same one.
    pub checks: u32,
    /// Renewals of our copy that may have been paid for.
    pub refreshes: u32,
    /// Centavos so far, the renewal of our copy included.
    pub cost_centavos: u64,
    /// Whose request it was; a [`Caller`](super::caller::Caller)'s word.
    pub client: String,
}

impl UpdateRecord {
    /// Which of two records of one process is the later, or the farther: the request, then its steps.
    #[must_use]
    pub fn progress(&self) -> (DateTime<Utc>, u32) {
        (self.requested_at, self.checks)
    }

    /// Whether this may take the place of what is stored: the next step of the same request, never back; or a later request, once
    /// the stored one is over. PostgreSQL decides by the same rule.
    #[must_use]
    pub fn may_replace(&self, stored: &Self) -> bool {
        if stored.requested_at == self.requested_at {
            !stored.stage.is_over() && stored.stage <= self.stage && stored.checks < self.checks
        } else {
            stored.stage.is_over() && stored.requested_at < self.requested_at
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_and_only_ends_are_over() {
        for stage in Stage::ALL {
            assert_eq!(Stage::of_word(stage.as_str()), Some(stage));
            assert_eq!(stage.is_over(), stage > Stage::Refreshing);
        }
        assert_eq!(Stage::of_word("none"), None);
    }
}
