//! One account at one vendor: whether it may be asked now, what that will cost, and what came of it. Every request to a vendor goes
//! through here, so that none is sent too fast, past a cap, into an outage, or without an entry in the ledger.
//!
//! ```text
//! begin: standing ─► pace ─► budget ─► standing again ─► ledger (on disk) ─► permit
//! end:   ledger ─► prices ─► standing ─► how many may be under way
//! ```
//! It outlives the actor that asks: what one generation learned, and spent, its successor knows.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::messages::Failure;
use super::pace::{Admission, Answered, Held, Limiter, Pace, PaceReport};
use super::prices::{self, PriceList, Prices};
use super::standing::{Change, Hold, HoldReason, Standing, StandingSettings, Ticket};
use crate::ambient::{SharedClock, SharedRandom};
use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
use crate::domain::snapshot::Provider;
use crate::ledger::Ledger;
use crate::ledger::call::{Call, CallOutcome, Charge, Cost, Draw, Endpoint, Id, Sent};
use crate::resilience::deadline::Deadline;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{HoldLabels, LaneLabel, UpstreamLabels};

/// When to come back if what would be spent cannot be written down.
const LEDGER_RETRY: Duration = Duration::from_secs(30);

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

/// The service ends.
const CLOSED: Refusal = Refusal { failure: Failure::Unreachable, retry_after: None };

/// What an account is made of.
#[derive(Debug)]
pub struct AccountParts {
    /// At which vendor.
    pub provider: Provider,
    /// The vendor's name among the tiers.
    pub tier: &'static str,
    /// How fast it is asked.
    pub pace: Arc<Pace>,
    /// The most requests under way at once.
    pub max_in_flight: usize,
    /// The caps.
    pub budget: Arc<Budget>,
    /// Where every request is written down.
    pub ledger: Ledger,
    /// What requests cost until the vendor says otherwise.
    pub prices: PriceList,
    /// When asking stops.
    pub standing: StandingSettings,
    /// Time.
    pub clock: SharedClock,
    /// Names and jitter.
    pub random: SharedRandom,
    /// Where everything is counted.
    pub metrics: Metrics,
}

/// See the module.
#[derive(Debug)]
pub struct Account {
    parts: AccountParts,
    sent: AtomicU64,
    is_closed: AtomicBool,
    prices: Mutex<Prices>,
    standing: Mutex<Standing>,
}

impl Account {
    /// An account in good standing.
    #[must_use]
    pub fn new(parts: AccountParts) -> Self {
        for reason in HoldReason::ALL {
            // The series exist from the start.
            let labels = HoldLabels { provider: parts.provider.as_str(), reason: reason.as_str() };
            parts.metrics.upstream_hold.get_or_create(&labels).set(0);
        }
        let prices = Mutex::new(Prices::new(parts.prices));
        let standing = Mutex::new(Standing::new(parts.standing));
        Self { parts, sent: AtomicU64::new(0), is_closed: AtomicBool::new(false), prices, standing }
    }

    async fn begin<'a>(
        &'a self,
        limiter: &'a Limiter,
        endpoint: Endpoint,
        errand: &Errand,
    ) -> Result<Permit<'a>, Refusal> {
        let AccountParts { clock, budget, .. } = &self.parts;
        let expected = self.expected(endpoint);
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(CLOSED);
        }
        self.standing().check(endpoint, clock.monotonic()).map_err(|hold| self.refusal(hold))?;
        budget.check(expected, errand.lane)?;
        let admission = limiter.admit(errand.lane, errand.deadline).await.map_err(held)?;
        let draw = budget.draw(expected, errand.lane).await?;
        // Once more: much may have been learned while this one waited.
        let ticket = self.standing().admit(endpoint, clock.monotonic()).map_err(|hold| {
            self.undo(draw);
            self.refusal(hold)
        })?;
        if errand.deadline.is_over(clock.monotonic()) {
            self.undo(draw);
            return Err(Refusal { failure: Failure::TimedOut, retry_after: None });
        }
        self.write_down(endpoint, errand, expected, draw, ticket, admission).await
    }

    async fn write_down<'a>(
        &'a self,
        endpoint: Endpoint,
        errand: &Errand,
        expected_centavos: u64,
        draw: Option<Draw>,
        ticket: Ticket,
        admission: Admission<'a>,
    ) -> Result<Permit<'a>, Refusal> {
        let AccountParts { provider, ledger, clock, random, .. } = &self.parts;
        let sent = Sent {
            id: Id::new(random.bits()),
            at: clock.now(),
            provider: *provider,
            endpoint,
            cnj: errand.cnj,
            lane: errand.lane,
            caller: errand.caller,
            expected_centavos,
            draw,
        };
        // Made before the ledger is awaited: whoever is dropped meanwhile leaves no open entry behind.
        let began = clock.monotonic();
        let mut permit = Permit { account: self, open: Some(Open { sent: sent.clone(), ticket, admission, began }) };
        match ledger.sent(sent).await {
            // Asked once the request is open in the ledger: either it sees that the account is closed, or who closes it sees the request.
            Ok(()) if self.is_closed.load(Ordering::SeqCst) => {
                let end =
                    End { outcome: CallOutcome::Interrupted, status: None, charge: Charge::NotSent, retry_after: None };
                permit.end(end).await;
                Err(CLOSED)
            }
            Ok(()) => {
                // Before it is sent: whoever reads the same count twice knows that nothing was sent in between.
                self.sent.fetch_add(1, Ordering::SeqCst);
                Ok(permit)
            }
            Err(error) => {
                permit.open = None;
                self.undo(draw);
                tracing::error!(%error, "the ledger takes no entries: nothing is bought");
                Err(Refusal { failure: Failure::BudgetExhausted, retry_after: Some(LEDGER_RETRY) })
            }
        }
    }

    /// Notes a first try, of which retries are a share.
    pub fn tried(&self) {
        self.standing().tried();
    }

    /// Whether a failed request may be sent again.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        self.standing().may_retry()
    }

    /// Whether an endpoint costs nothing, as far as is known.
    #[must_use]
    pub fn is_free(&self, endpoint: Endpoint) -> bool {
        self.expected(endpoint) == 0
    }

    /// What a request may cost, in centavos.
    #[must_use]
    pub fn expected(&self, endpoint: Endpoint) -> u64 {
        self.prices().expected(endpoint)
    }

    /// What buying one process costs at the least, in centavos.
    #[must_use]
    pub fn price_of_a_fetch(&self) -> u64 {
        self.prices().of_a_fetch()
    }

    /// Prices that an earlier process learned.
    pub fn learn_prices(&self, said: impl IntoIterator<Item = (Endpoint, u64)>) {
        let mut prices = self.prices();
        said.into_iter().for_each(|(endpoint, centavos)| prices.note(endpoint, centavos));
    }

    /// Whether it is time to look at the balance, so that asking can go on.
    #[must_use]
    pub fn wants_probe(&self) -> bool {
        self.standing().wants_probe(self.parts.clock.monotonic())
    }

    /// What a look at the balance found: centavos, or that the vendor does not say.
    pub fn balance_seen(&self, balance: Option<i64>) {
        let now = (self.parts.clock.monotonic(), self.parts.random.fraction());
        let change = match balance {
            Some(balance) => self.standing().has_credit(balance > 0, now),
            None => {
                self.standing().balance_is_mute(now.0);
                Change::None
            }
        };
        self.announce(change);
    }

    /// Why asking has stopped, if it has, and for how long yet.
    #[must_use]
    pub fn hold(&self) -> Option<(HoldReason, Duration)> {
        let now = self.parts.clock.monotonic();
        self.standing().hold().map(|hold| (hold.reason, hold.until.saturating_duration_since(now)))
    }

    /// How many requests were sent since the start. One is counted before it is sent, and after it is open in the ledger.
    #[must_use]
    pub fn sent_so_far(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Sends nothing any more: the service ends. What is under way goes on.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    /// How fast it is asked, for metrics and readiness.
    #[must_use]
    pub fn pace(&self) -> PaceReport {
        self.parts.pace.report()
    }

    fn undo(&self, draw: Option<Draw>) {
        if let Some(draw) = draw {
            self.parts.budget.give_back(draw);
        }
    }

    fn refusal(&self, hold: Hold) -> Refusal {
        let wait = hold.until.saturating_duration_since(self.parts.clock.monotonic());
        Refusal { failure: hold.failure, retry_after: Some(wait) }
    }

    fn announce(&self, change: Change) {
        let AccountParts { provider, tier, metrics, clock, .. } = &self.parts;
        let provider = provider.as_str();
        let stopped = match change {
            Change::None => return,
            Change::Resumed => None,
            Change::Stopped(hold) => Some(hold),
        };
        for reason in HoldReason::ALL {
            let is_this = stopped.is_some_and(|hold| hold.reason == reason);
            let labels = HoldLabels { provider, reason: reason.as_str() };
            metrics.upstream_hold.get_or_create(&labels).set(i64::from(is_this));
        }
        metrics.set_tier_up(tier, stopped.is_none());
        match stopped {
            None => tracing::info!(provider, "the vendor is asked again"),
            Some(hold) => {
                let wait_s = hold.until.saturating_duration_since(clock.monotonic()).as_secs();
                let (reason, failure) = (hold.reason.as_str(), hold.failure.as_str());
                tracing::warn!(provider, reason, failure, wait_s, "the vendor is not asked for now");
            }
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Each change is one step: a panic in between leaves nothing half done.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prices(&self) -> MutexGuard<'_, Prices> {
        self.prices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

    /// Asks for permission to send one request. The wait for it ends with the errand's deadline.
    ///
    /// # Errors
    /// [`Refusal`]: nothing was sent and nothing is spent.
    pub async fn begin(&self, endpoint: Endpoint, errand: &Errand) -> Result<Permit<'_>, Refusal> {
        self.account.begin(&self.limiter, endpoint, errand).await
    }
}

/// Permission to send one request: send it at once, then [`end`](Permit::end) it. One that is dropped counts as interrupted.
#[derive(Debug)]
#[must_use = "an unended request counts as interrupted, and as charged"]
pub struct Permit<'a> {
    account: &'a Account,
    open: Option<Open<'a>>,
}

#[derive(Debug)]
struct Open<'a> {
    sent: Sent,
    ticket: Ticket,
    admission: Admission<'a>,
    began: Instant,
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

impl Account {
    fn notice_price(&self, endpoint: Endpoint, centavos: u64) {
        let was_free = self.is_free(endpoint);
        self.prices().note(endpoint, centavos);
        if was_free && centavos > 0 {
            tracing::warn!(endpoint = endpoint.as_str(), centavos, "the vendor charges for what was free until now");
        }
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

fn held(held: Held) -> Refusal {
    match held {
        Held::Paced { retry_after } => Refusal { failure: Failure::RateLimited, retry_after: Some(retry_after) },
        // All our requests are at the vendor and none comes back: it is slow.
        Held::Full => Refusal { failure: Failure::TimedOut, retry_after: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::{Clock, SystemClock};
    use crate::config::fetcher::FetcherSettings;
    use crate::fetcher::fixture;

    fn errand() -> Errand {
        let deadline = Deadline::after(SystemClock.monotonic(), Duration::from_secs(20));
        Errand { cnj: None, lane: Lane::Background, caller: Caller::Service, deadline }
    }

    #[tokio::test]
    async fn a_closed_account_sends_nothing_more_and_lets_end_what_is_under_way() {
        let opened = fixture::account(Provider::Escavador, &FetcherSettings::default());
        let session = Session::new(Arc::clone(&opened.account));
        let under_way = session.begin(Endpoint::Cover, &errand()).await.unwrap();
        assert_eq!((opened.account.sent_so_far(), opened.ledger.open_calls()), (1, 1));
        opened.account.close();
        assert_eq!(session.begin(Endpoint::Cover, &errand()).await.unwrap_err(), CLOSED);
        assert_eq!((opened.account.sent_so_far(), opened.ledger.open_calls(), opened.ledger.pending()), (1, 1, 0));
        let end = End { outcome: CallOutcome::Ok, status: Some(200), charge: Charge::Said(5), retry_after: None };
        assert_eq!(under_way.end(end).await, Cost::Charged(5));
        assert_eq!((opened.ledger.open_calls(), opened.ledger.pending()), (0, 1));
    }

    #[tokio::test]
    async fn what_is_closed_while_it_is_written_down_is_not_sent_and_cost_nothing() {
        let opened = fixture::account(Provider::Escavador, &FetcherSettings::default());
        let session = Session::new(Arc::clone(&opened.account));
        let errand = errand();
        let begin = session.begin(Endpoint::Cover, &errand);
        tokio::pin!(begin);
        // As far as the wait for the ledger's file.
        while opened.ledger.open_calls() == 0 {
            assert!(futures_util::poll!(&mut begin).is_pending());
        }
        opened.account.close();
        assert_eq!(begin.await.unwrap_err(), CLOSED);
        let batch = opened.ledger.next_batch(10).unwrap();
        assert_eq!((batch.calls[0].outcome, batch.calls[0].cost), (CallOutcome::Interrupted, Cost::NOTHING));
        assert_eq!((opened.account.sent_so_far(), opened.ledger.open_calls()), (0, 0));
    }
}
