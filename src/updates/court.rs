//! The way to the court: the vendor, behind the fetcher.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
use crate::fetcher::Fetcher;
use crate::fetcher::messages::FetchError;
use crate::fetcher::update_messages::{ReadUpdateStatus, RequestUpdate, UpdateRequested, UpdateStatus};
use crate::resilience::Deadline;
use crate::supervision::{ActorRef, AskError};

/// On whose behalf the court is asked, and until when the answer is of use.
#[derive(Debug, Clone, Copy)]
pub struct Errand {
    /// The process.
    pub cnj: Cnj,
    /// Who waits.
    pub lane: Lane,
    /// For whom.
    pub caller: Caller,
    /// Until when.
    pub deadline: Deadline,
}

/// Whoever asks the vendor.
pub trait Court: Send + Sync {
    /// How the vendor's last request stands. Free, and may be repeated.
    fn status(&self, errand: Errand) -> BoxFuture<'_, Result<UpdateStatus, CourtError>>;

    /// Asks the vendor to look, once. The vendor does not know the process: neither an update nor busy.
    fn request(&self, errand: Errand) -> BoxFuture<'_, Result<UpdateRequested, CourtError>>;
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CourtError {
    /// There was nobody to send it: certainly nothing was sent.
    #[error("the fetcher was not asked")]
    NotAsked,
    /// Whoever sent it did not come back with an answer.
    #[error("the fetcher gave no answer")]
    Unanswered,
    /// The vendor said no, or nothing.
    #[error(transparent)]
    Vendor(#[from] FetchError),
}

impl CourtError {
    /// Centavos that it cost all the same.
    #[must_use]
    pub fn cost_centavos(&self) -> u64 {
        match self {
            Self::NotAsked | Self::Unanswered => 0,
            Self::Vendor(error) => error.cost_centavos,
        }
    }
}

impl From<AskError> for CourtError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Unavailable | AskError::Overloaded => Self::NotAsked,
            AskError::TimedOut | AskError::Crashed => Self::Unanswered,
        }
    }
}

/// The vendor as a [`Court`].
#[derive(Clone)]
pub struct Vendor {
    fetcher: ActorRef<Fetcher>,
    calls_back: bool,
}

impl Vendor {
    /// Behind the fetcher. With `calls_back` the vendor is asked to say when it is done, which is heard only where its callbacks are let in.
    #[must_use]
    pub fn new(fetcher: ActorRef<Fetcher>, calls_back: bool) -> Self {
        Self { fetcher, calls_back }
    }
}

impl Court for Vendor {
    fn status(&self, errand: Errand) -> BoxFuture<'_, Result<UpdateStatus, CourtError>> {
        let Errand { cnj, lane, caller, deadline } = errand;
        let question = ReadUpdateStatus { cnj, lane, caller, deadline };
        async move { Ok(self.fetcher.ask_again(question, deadline).await??) }.boxed()
    }

    fn request(&self, errand: Errand) -> BoxFuture<'_, Result<UpdateRequested, CourtError>> {
        let Errand { cnj, lane, caller, deadline } = errand;
        let request = RequestUpdate { cnj, callback: self.calls_back, lane, caller, deadline };
        // Never again after a crash: it may be on its way.
        async move { Ok(self.fetcher.ask(request, deadline).await??) }.boxed()
    }
}
