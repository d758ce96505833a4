//! Asking the court: the vendor is asked to look at it (`solicitar-atualizacao`), which costs money once and takes from minutes to
//! hours; the request is followed to its end by reading the vendor's status, which is free; then our copy is renewed.
//!
//! - `plan`: what to do next, as a pure function.
//! - `actor`, `handlers`, `clerk`: carry it out. Who asks for one process at the same moment shares one request.
//! - `court`, `refresher`, `book`: the ways to the vendor, to our copies, to the stored records, which all nodes share: of several
//!   nodes exactly one takes each step, and another takes over from one that died.

pub mod actor;
pub mod book;
mod clerk;
pub mod court;
mod handlers;
pub mod messages;
pub mod plan;
pub mod refresher;
#[cfg(test)]
mod tests;

pub use self::actor::CourtUpdates;
pub use self::clerk::Surroundings;

use self::clerk::RECOVERY_RETRY;
use self::messages::{Ask, Concluded, Standing, Status, UpdateError};
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::resilience::Deadline;
use crate::supervision::{ActorRef, AskError};

/// The actor behind one face.
#[derive(Clone)]
pub struct Updates {
    actor: ActorRef<CourtUpdates>,
}

impl Updates {
    /// In front of the actor.
    #[must_use]
    pub fn new(actor: ActorRef<CourtUpdates>) -> Self {
        Self { actor }
    }

    /// Has the vendor look at the court, unless it is doing so already. An actor that is being replaced is waited for; one that
    /// crashes in the middle is not asked again, because the request may be on its way: the status tells.
    ///
    /// # Errors
    /// As [`UpdateError`] says.
    pub async fn ask(&self, cnj: Cnj, caller: Caller, deadline: Deadline) -> Result<Standing, UpdateError> {
        self.actor.ready(deadline).await.map_err(recovering)?;
        self.actor.ask(Ask { cnj, caller, deadline }, deadline).await.map_err(recovering)?
    }

    /// How the last request of a process stands.
    ///
    /// # Errors
    /// As [`UpdateError`] says; only while PostgreSQL is away does it depend on the vendor.
    pub async fn status(&self, cnj: Cnj, caller: Caller, deadline: Deadline) -> Result<Standing, UpdateError> {
        self.actor.ask_again(Status { cnj, caller, deadline }, deadline).await.map_err(recovering)?
    }

    /// Says that the vendor has finished with a process: for its callbacks. True if a request of ours was open and is being looked at.
    ///
    /// # Errors
    /// When the actor does not answer; it finds out by itself later.
    pub async fn concluded(&self, cnj: Cnj, deadline: Deadline) -> Result<bool, AskError> {
        self.actor.ask_again(Concluded { cnj }, deadline).await
    }
}

fn recovering(error: AskError) -> UpdateError {
    match error {
        AskError::Overloaded => UpdateError::Overloaded { retry_after: RECOVERY_RETRY },
        AskError::Unavailable | AskError::TimedOut | AskError::Crashed => {
            UpdateError::Recovering { retry_after: RECOVERY_RETRY }
        }
    }
}
