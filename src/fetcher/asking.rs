//! What surrounds every exchange with a vendor: the account's permission before it, its end written down after it, and another one where
//! that may be.

use std::time::Duration;

use tokio::time::{sleep, timeout_at};

use super::account::{Account, End, Errand, Session};
use super::messages::Failure;
use super::retry::{RetryPolicy, Tries};
use super::setback::{Repeat, Setback};
use super::tally::Tally;
use crate::ambient::{SharedClock, SharedRandom};
use crate::ledger::call::{CallOutcome, Charge, Endpoint};

/// An error's body is waited for no longer: its status has said the essential.
pub(super) const ERROR_BODY_WAIT: Duration = Duration::from_secs(1);

/// How one client asks.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) session: Session,
    pub(super) policy: RetryPolicy,
    /// What counts as charged until the vendor has said something.
    pub(super) unheard: Charge,
    /// Whether a request that timed out is sent again.
    pub(super) timed_out: Repeat,
    pub(super) clock: SharedClock,
    pub(super) random: SharedRandom,
}

/// What was heard of an answer, however far it came.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: Option<u16>,
    pub(super) charge: Charge,
}

/// One exchange, which may be made several times.
pub(super) trait Exchange: Sync {
    /// An answer that stands.
    type Answer: Send;

    /// For what.
    fn endpoint(&self) -> Endpoint;

    /// Sends and reads, and notes what it hears on the way.
    fn make(&self, heard: &mut Heard) -> impl Future<Output = Result<Self::Answer, Setback>> + Send;

    /// What an answer is called in the ledger.
    fn outcome(answer: &Self::Answer) -> CallOutcome;
}

/// Why an attempt gave no answer.
enum Stopped {
    /// It was not made.
    Refused(Setback),
    /// It failed.
    Failed(Setback),
}

impl Asking {
    pub(super) fn account(&self) -> &Account {
        self.session.account()
    }

    /// Asks, and again where that may be; everything sent is tallied.
    ///
    /// # Errors
    /// The last [`Setback`].
    pub(super) async fn ask<E: Exchange>(
        &self,
        exchange: &E,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<E::Answer, Setback> {
        let mut tries = Tries::default();
        let mut last = None;
        self.account().tried();
        loop {
            let setback = match self.attempt(exchange, errand, tally).await {
                Ok(answer) => return Ok(answer),
                // What the vendor did says more than that we could not ask it again.
                Err(Stopped::Refused(refusal)) => return Err(last.unwrap_or(refusal)),
                Err(Stopped::Failed(setback)) => setback,
            };
            tries.note(&setback);
            let (remaining, fraction) = (errand.deadline.remaining(self.clock.monotonic()), self.random.fraction());
            match self.policy.pause(tries, &setback, remaining, fraction) {
                Some(pause) if self.account().may_retry() => sleep(pause).await,
                _ => return Err(self.advised(setback)),
            }
            last = Some(setback);
        }
    }

    /// Asks once: for what a second time would be a second order.
    ///
    /// # Errors
    /// The [`Setback`].
    pub(super) async fn ask_once<E: Exchange>(
        &self,
        exchange: &E,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<E::Answer, Setback> {
        self.account().tried();
        self.attempt(exchange, errand, tally).await.map_err(|stopped| match stopped {
            Stopped::Refused(setback) | Stopped::Failed(setback) => self.advised(setback),
        })
    }

    async fn attempt<E: Exchange>(
        &self,
        exchange: &E,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<E::Answer, Stopped> {
        // Before anything is written down; what is left may still go to somebody else meanwhile.
        if !errand.allows(1) {
            return Err(Stopped::Refused(Setback::lasting(Failure::BudgetExhausted)));
        }
        let begun = self.session.begin(exchange.endpoint(), errand, tally.requests > 0).await;
        let permit = begun.map_err(|refusal| Stopped::Refused(refusal.into()))?;
        // While it was written down.
        let too_late = errand.deadline.is_over(self.clock.monotonic());
        let unsent = if too_late {
            Some((CallOutcome::TimedOut, Failure::TimedOut))
        } else {
            (!errand.draw()).then_some((CallOutcome::Interrupted, Failure::BudgetExhausted))
        };
        if let Some((outcome, failure)) = unsent {
            permit.end(End { outcome, status: None, charge: Charge::NotSent, retry_after: None }).await;
            return Err(Stopped::Refused(Setback::lasting(failure)));
        }
        let until = errand.deadline.cap(self.clock.monotonic(), self.policy.full_try);
        let mut heard = Heard { status: None, charge: self.unheard };
        tally.count_request();
        let answer = match timeout_at(until.instant().into(), exchange.make(&mut heard)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Setback::of(Failure::TimedOut, self.timed_out)),
        };
        let (outcome, retry_after) = match &answer {
            Ok(answer) => (E::outcome(answer), None),
            Err(setback) => (setback.failure.into(), self.advised(*setback).retry_after),
        };
        let end = End { outcome, status: heard.status, charge: heard.charge, retry_after };
        tally.charge(permit.end(end).await);
        answer.map_err(Stopped::Failed)
    }

    fn advised(&self, setback: Setback) -> Setback {
        self.policy.advised(setback, self.clock.now(), self.random.fraction())
    }
}
