//! What is asked about the court, and what is answered.

use std::time::Duration;

use actix::Message;
use thiserror::Error;

use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::update::UpdateRecord;
use crate::fetcher::messages::FetchError;
use crate::resilience::Deadline;

/// Asks the vendor to look at the court, unless it is doing so already. What was begun is finished even if nobody waits for it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Standing, UpdateError>")]
pub struct Ask {
    /// The process.
    pub cnj: Cnj,
    /// Who wants it.
    pub caller: Caller,
    /// When the caller stops waiting: a message that arrives later is not begun.
    pub deadline: Deadline,
}

/// Asks how the last request stands. Costs nothing; the vendor is asked only while PostgreSQL is away.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Standing, UpdateError>")]
pub struct Status {
    /// The process.
    pub cnj: Cnj,
    /// Who wants it.
    pub caller: Caller,
    /// When the caller stops waiting.
    pub deadline: Deadline,
}

/// Says that the vendor has finished with a process (`atualizacao_processo_concluida`): it is looked at now instead of at the next
/// check. The word of whoever sent it is not taken: the vendor's status decides. Answered at once; false if no request is open.
#[derive(Debug, Clone, Message)]
#[rtype(result = "bool")]
pub struct Concluded {
    /// The process.
    pub cnj: Cnj,
}

/// How the last request of a process stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The process.
    pub cnj: Cnj,
    /// The request; none if none is known.
    pub record: Option<UpdateRecord>,
    /// An open request was joined, and nothing new was asked.
    pub adopted: bool,
    /// Centavos that this very question spent: zero for whoever joined.
    pub spent_centavos: u64,
}

impl Standing {
    /// `none`, or the stage's word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.record.as_ref().map_or("none", |record| record.stage.as_str())
    }
}

/// Why there is no standing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UpdateError {
    /// The vendor does not know the process and will not look for it.
    #[error("the vendor does not know this process")]
    Unknown {
        /// Centavos that finding out has cost.
        cost_centavos: u64,
    },
    /// The vendor, or the way to it, failed, and certainly accepted nothing.
    #[error(transparent)]
    Vendor(#[from] FetchError),
    /// Too many ask at once.
    #[error("too many ask at once")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
    /// The service itself did not manage in time. What was begun goes on: the status tells.
    #[error("the service is recovering")]
    Recovering {
        /// When to come back.
        retry_after: Duration,
    },
}

impl UpdateError {
    /// The same for whoever joined: it spent nothing.
    pub(super) fn for_free(self) -> Self {
        match self {
            Self::Unknown { .. } => Self::Unknown { cost_centavos: 0 },
            Self::Vendor(error) => Self::Vendor(FetchError { cost_centavos: 0, ..error }),
            other => other,
        }
    }
}
