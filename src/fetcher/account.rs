//! One account at one vendor: whether it may be asked now, what that will cost, and what came of it. Every request to a vendor goes
//! through here, so that none is sent too fast, past a cap, into an outage, or without an entry in the ledger.

use std::time::Duration;

use super::messages::Failure;
use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
pub use crate::ledger::call::Charge;
use crate::ledger::call::{CallOutcome, Cost, Endpoint};
use crate::resilience::deadline::Deadline;

/// On whose behalf requests are sent, and until when that is of use.
#[derive(Debug, Clone, Copy)]
pub struct Errand {
    /// The process, for the ledger; none for the balance.
    pub cnj: Option<Cnj>,
    /// Who waits.
    pub lane: Lane,
    /// For whom.
    pub caller: Caller,
    /// Until when.
    pub deadline: Deadline,
}

/// Why a request was not sent. It cost nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What a reader is told.
    pub failure: Failure,
    /// When it makes sense to come back.
    pub retry_after: Option<Duration>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// In which of the ways that there are.
    pub outcome: CallOutcome,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// The price.
    pub charge: Charge,
    /// When the vendor would have us come back.
    pub retry_after: Option<Duration>,
}

/// See the module.
#[derive(Debug)]
pub struct Account {}

impl Account {
    /// Asks for permission to send one request. The wait for it ends with the errand's deadline.
    ///
    /// # Errors
    /// [`Refusal`].
    #[expect(clippy::unused_async, reason = "a skeleton")]
    pub async fn begin(&self, _endpoint: Endpoint, _errand: &Errand) -> Result<Permit<'_>, Refusal> {
        Ok(Permit { _account: self })
    }
}

/// Permission to send one request: send it at once, then [`end`](Permit::end) it. One that is dropped counts as interrupted.
#[derive(Debug)]
#[must_use = "an unended request counts as interrupted, and as charged"]
pub struct Permit<'a> {
    _account: &'a Account,
}

impl Permit<'_> {
    /// Writes down how it ended; returns what it cost.
    #[expect(clippy::unused_async, reason = "a skeleton")]
    pub async fn end(self, end: End) -> Cost {
        match end.charge {
            Charge::Said(centavos) => Cost::Charged(centavos),
            Charge::Silent | Charge::NotSent => Cost::NOTHING,
        }
    }
}
