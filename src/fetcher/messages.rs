//! What the fetcher is asked, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use actix::Message;
use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
use crate::domain::entry::Entry;
use crate::domain::served::StaleReason;
use crate::domain::snapshot::Snapshot;
use crate::ledger::call::CallOutcome;
use crate::resilience::allowance::Allowance;
use crate::resilience::deadline::Deadline;

/// Brings one whole process up to date: asks what is free first, then buys cover and every movement. It may cost money; it is never
/// repeated by whoever sends it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Fetched, FetchError>")]
pub struct Fetch {
    /// The process.
    pub cnj: Cnj,
    /// Who is waiting.
    pub lane: Lane,
    /// Whose request it is.
    pub caller: Caller,
    /// The best copy in hand. A poorer provider's answer must not take its place.
    pub held: Option<Arc<Entry>>,
    /// Buy, even if the vendor has nothing newer than the copy in hand: the reader insists.
    pub insist: bool,
    /// When the answer stops being of use; retries end before it.
    pub deadline: Deadline,
    /// How many requests may be sent to all providers together; none: as many as it takes.
    pub allowance: Option<Allowance>,
}

/// What the vendor said, with what it cost.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The process, or that there is none.
    pub answer: Answer,
    /// Centavos of a real over all requests of this fetch, as far as the vendor said.
    pub cost_centavos: u64,
    /// Requests sent, retries included.
    pub requests: u32,
    /// A poorer provider answered because the one that is preferred could not: worth replacing soon.
    pub stand_in: bool,
}

/// An answer that stands.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The whole process.
    Found(Box<Snapshot>),
    /// The vendor has nothing newer than the copy in hand, which is what it would sell us.
    Current {
        /// When the vendor last looked at the court.
        verified_at: DateTime<Utc>,
    },
    /// The vendor does not know the process (404).
    Unknown,
}

/// Why there is no answer. `cost_centavos` may be above zero: a page may have been paid before the next one failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{failure}")]
pub struct FetchError {
    /// What went wrong.
    pub failure: Failure,
    /// How long the vendor, or our own limiter, asks us to wait.
    pub retry_after: Option<Duration>,
    /// Centavos spent before it failed.
    pub cost_centavos: u64,
}

/// Every way in which the vendor can fail us, each with one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Failure {
    /// No key is configured.
    #[error("no provider is configured")]
    NoProvider,
    /// 401 or 403: the key is refused.
    #[error("the vendor refuses the key")]
    Unauthorized,
    /// 402, or 403 "saldo bloqueado".
    #[error("the vendor's account has no credit")]
    NoCredit,
    /// Our own cap is reached, the budget cannot be asked, or the work's own allowance is used up.
    #[error("our own cap is reached")]
    BudgetExhausted,
    /// 422 that is no busy answer: this request will never be right.
    #[error("the vendor refuses the request")]
    Refused,
    /// 429.
    #[error("the vendor limits our requests")]
    RateLimited,
    /// 5xx.
    #[error("the vendor answers with a server error")]
    ServerError,
    /// Refused, reset, no route, no name.
    #[error("the vendor cannot be reached")]
    Unreachable,
    /// Not in time.
    #[error("the vendor does not answer in time")]
    TimedOut,
    /// Cut off, not JSON, too large, a redirect (none is documented, none is followed), or a shape we cannot read.
    #[error("the vendor's answer cannot be read")]
    Unreadable,
    /// A page loop, or more pages than the cap.
    #[error("the vendor's pages do not end")]
    EndlessPages,
}

impl Failure {
    /// The word for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoProvider => "no-provider",
            Self::Unauthorized => "unauthorized",
            Self::NoCredit => "no-credit",
            Self::BudgetExhausted => "budget-exhausted",
            Self::Refused => "refused",
            Self::RateLimited => "rate-limited",
            Self::ServerError => "server-error",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::Unreadable => "unreadable",
            Self::EndlessPages => "endless-pages",
        }
    }

    /// What a reader of a stale copy is told.
    #[must_use]
    pub fn stale_reason(self) -> StaleReason {
        match self {
            Self::NoProvider => StaleReason::NoProvider,
            Self::NoCredit => StaleReason::CreditsExhausted,
            Self::BudgetExhausted => StaleReason::BudgetExhausted,
            Self::RateLimited => StaleReason::RateLimited,
            Self::TimedOut => StaleReason::UpstreamTimeout,
            Self::Unauthorized
            | Self::Refused
            | Self::ServerError
            | Self::Unreachable
            | Self::Unreadable
            | Self::EndlessPages => StaleReason::UpstreamUnavailable,
        }
    }
}

impl From<Failure> for CallOutcome {
    /// How a request ended that failed in this way; what never became a request counts as none that arrived.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unauthorized => Self::Unauthorized,
            Failure::NoCredit => Self::NoCredit,
            Failure::Refused => Self::Refused,
            Failure::RateLimited => Self::RateLimited,
            Failure::ServerError => Self::ServerError,
            Failure::TimedOut => Self::TimedOut,
            Failure::Unreadable | Failure::EndlessPages => Self::Unreadable,
            Failure::Unreachable | Failure::NoProvider | Failure::BudgetExhausted => Self::Unreachable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_word_in_the_ledger() {
        use CallOutcome as Call;
        for (failure, call) in [
            (Failure::Unauthorized, Call::Unauthorized),
            (Failure::NoCredit, Call::NoCredit),
            (Failure::Refused, Call::Refused),
            (Failure::RateLimited, Call::RateLimited),
            (Failure::ServerError, Call::ServerError),
            (Failure::TimedOut, Call::TimedOut),
            (Failure::Unreadable, Call::Unreadable),
            (Failure::EndlessPages, Call::Unreadable),
            (Failure::Unreachable, Call::Unreachable),
        ] {
            assert_eq!(Call::from(failure), call, "{failure}");
        }
    }
}
