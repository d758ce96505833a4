//! The way to our copies: changed at no cost by what the vendor calls back, bought where a watched process is not held.

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::coordinator::Coordinators;
use crate::coordinator::messages::{Demand, Lookup, LookupError};
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::movement::Movement;
use crate::resilience::Deadline;

/// What changes a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amendment {
    /// A movement that the vendor has.
    Movement(Box<Movement>),
    /// The vendor looked at the court then and found nothing that it had not told.
    Verified(DateTime<Utc>),
}

/// What became of it. Every amendment may be repeated, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amended {
    /// The copy is changed in every tier.
    Done,
    /// The copy knew it.
    Already,
    /// There is no copy.
    NotHeld,
}

/// Why a copy was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmendError {
    /// Whoever keeps the copies is being replaced, or busy with this one.
    #[error("the service is recovering")]
    Recovering,
    /// PostgreSQL cannot be asked, so nobody knows what is stored.
    #[error("postgresql is away")]
    PostgresAway,
}

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
    fn amend(&self, _: Cnj, _: Amendment, _: Deadline) -> BoxFuture<'_, Result<Amended, AmendError>> {
        // Until the coordinator can: what arrives waits.
        std::future::ready(Err(AmendError::Recovering)).boxed()
    }

    fn bring(&self, cnj: Cnj, deadline: Deadline) -> BoxFuture<'_, Result<(), BringError>> {
        let lookup = Lookup { cnj, demand: Demand::default(), caller: Caller::Service, deadline, allowance: None };
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
