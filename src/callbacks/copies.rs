//! The way to our copies: changed at no cost by what the vendor calls back, bought where a watched process is not held.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

pub use crate::coordinator::amending::AmendError;
pub use crate::coordinator::amendment::{Amended, Amendment};

use crate::coordinator::Coordinators;
use crate::coordinator::messages::{Demand, Lookup, LookupError};
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::resilience::Deadline;

/// Why a process was not bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BringError {
    /// The vendor does not know it.
    #[error("the vendor does not know this process")]
    Unknown,
    /// Not in this attempt.
    #[error("the process cannot be had now")]
    NotYet,
}

/// Whoever keeps our copies.
pub trait Copies: Send + Sync {
    /// Changes the copy of a process. Costs nothing.
    fn amend(&self, cnj: Cnj, amendment: Amendment, deadline: Deadline) -> BoxFuture<'_, Result<Amended, AmendError>>;

    /// Has a copy of the whole process, bought in the background if none is held.
    fn bring(&self, cnj: Cnj, deadline: Deadline) -> BoxFuture<'_, Result<(), BringError>>;
}

/// The fallback chain as [`Copies`].
#[derive(Clone)]
pub struct Chain {
    coordinators: Coordinators,
}

impl Chain {
    /// Over all shards.
    #[must_use]
    pub fn new(coordinators: Coordinators) -> Self {
        Self { coordinators }
    }
}

impl Copies for Chain {
    fn amend(&self, cnj: Cnj, amendment: Amendment, deadline: Deadline) -> BoxFuture<'_, Result<Amended, AmendError>> {
        self.coordinators.amend(cnj, amendment, deadline).boxed()
    }

    fn bring(&self, cnj: Cnj, deadline: Deadline) -> BoxFuture<'_, Result<(), BringError>> {
        let (demand, caller) = (Demand::default(), Caller::Service);
        let lookup = Lookup { cnj, demand, caller, allowance: None, deadline };
        async move {
            match self.coordinators.lookup(lookup).await {
                Ok(_) => Ok(()),
                Err(LookupError::Unknown) => Err(BringError::Unknown),
                Err(_) => Err(BringError::NotYet),
            }
        }
        .boxed()
    }
}
