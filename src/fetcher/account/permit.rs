//! What an account gives out: permission to send one request, and money drawn for it.

use std::sync::Arc;
use std::time::Instant;

use super::{Account, AccountParts, End, Errand, Refusal};
use crate::domain::cnj::Cnj;
use crate::fetcher::pace::{Admission, Answered, Limiter};
use crate::fetcher::prices;
use crate::fetcher::standing::Ticket;
use crate::ledger::call::{Call, CallOutcome, Charge, Cost, Draw, Endpoint, Sent};
use crate::telemetry::metrics::{LaneLabel, UpstreamLabels};

/// An account as one generation of the fetcher uses it. Who waits, and who is under way, is the generation's: what hangs with a stuck
/// thread must not keep its successor waiting.
#[derive(Debug)]
pub struct Session {
    account: Arc<Account>,
    limiter: Limiter,
}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(account: Arc<Account>) -> Self {
        let AccountParts { pace, max_in_flight, clock, .. } = &account.parts;
        let limiter = Limiter::new(Arc::clone(pace), *max_in_flight, Arc::clone(clock));
        Self { account, limiter }
    }

    /// What all generations share.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Asks for permission to send one request. The wait for it ends with the errand's deadline. `goes_on`: the errand has sent some
    /// already, and waits for those only that have as well.
    ///
    /// # Errors
    /// [`Refusal`]: nothing was sent and nothing is spent.
    pub async fn begin(&self, endpoint: Endpoint, errand: &Errand, goes_on: bool) -> Result<Permit<'_>, Refusal> {
        self.account.begin(&self.limiter, endpoint, errand, goes_on).await
    }
}

/// Money drawn for a request that is not sent yet: given back if it never is.
pub(super) struct Drawn<'a> {
    pub(super) account: &'a Account,
    pub(super) draw: Option<Draw>,
}

impl Drop for Drawn<'_> {
    fn drop(&mut self) {
        self.account.undo(self.draw.take());
    }
}

/// Money drawn ahead. What is left of it when the fetch is over is given back.
#[derive(Debug)]
#[must_use = "dropped at once, it is given back at once"]
pub struct Prepaid<'a> {
    pub(super) account: &'a Account,
    pub(super) cnj: Option<Cnj>,
}

impl Drop for Prepaid<'_> {
    fn drop(&mut self) {
        let left = self.cnj.and_then(|cnj| self.account.prepaid().remove(&cnj));
        left.into_iter().flatten().for_each(|draw| self.account.undo(Some(draw)));
    }
}

/// Permission to send one request: send it at once, then [`end`](Permit::end) it. One that is dropped counts as interrupted.
#[derive(Debug)]
#[must_use = "an unended request counts as interrupted, and as charged"]
pub struct Permit<'a> {
    pub(super) account: &'a Account,
    pub(super) open: Option<Open<'a>>,
}

#[derive(Debug)]
pub(super) struct Open<'a> {
    pub(super) sent: Sent,
    pub(super) ticket: Ticket,
    pub(super) admission: Admission<'a>,
    pub(super) began: Instant,
}

impl Permit<'_> {
    /// Writes down how it ended; returns what it cost.
    pub async fn end(mut self, end: End) -> Cost {
        let Some(open) = self.open.take() else { return Cost::NOTHING };
        let Open { sent, ticket, admission, began } = open;
        let parts = &self.account.parts;
        let End { outcome, status, charge, retry_after } = end;
        let took = parts.clock.monotonic().saturating_duration_since(began);
        let (endpoint, lane) = (sent.endpoint, sent.lane);
        let cost = prices::cost(charge, status, sent.expected_centavos);

        // Before the ledger is awaited: what was learned holds for everybody at once.
        let now = (parts.clock.monotonic(), parts.random.fraction());
        let change = self.account.standing().report(ticket, endpoint, outcome, retry_after, now);
        self.account.announce(change);
        if let (Charge::Said(centavos), CallOutcome::Ok) = (charge, outcome) {
            self.account.notice_price(endpoint, centavos);
        }
        admission.answered(took, if is_bad(outcome) { Answered::Badly } else { Answered::Well });
        let labels = UpstreamLabels {
            provider: parts.provider.as_str(),
            endpoint: endpoint.as_str(),
            outcome: outcome.as_str(),
        };
        parts.metrics.upstream_requests.get_or_create(&labels).inc();
        parts.metrics.upstream_cost.get_or_create(&LaneLabel { lane: lane.as_str() }).inc_by(cost.centavos());

        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        parts.ledger.ended(Call { sent, outcome, status, cost, took_ms }).await;
        cost
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.account.parts.ledger.interrupt(open.sent.id);
        }
    }
}

/// Whether an outcome speaks for asking less at once.
fn is_bad(outcome: CallOutcome) -> bool {
    matches!(
        outcome,
        CallOutcome::RateLimited | CallOutcome::ServerError | CallOutcome::Unreachable | CallOutcome::TimedOut
    )
}
