//! One account at one vendor: whether it may be asked now, what that will cost, and what came of it. Every request to a vendor goes
//! through here, so that none is sent too fast, past a cap, into an outage, or without an entry in the ledger.
//!
//! ```text
//! begin: standing ─► budget ─► pace ─► standing again ─► ledger (on disk) ─► permit
//! end:   ledger ─► prices ─► standing ─► how many may be under way
//! ```
//! It outlives the actor that asks: what one generation learned, and spent, its successor knows.

mod permit;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::permit::{Drawn, Open};
pub use self::permit::{Permit, Prepaid, Session};
use super::budget::Budget;
use super::messages::Failure;
use super::pace::{Admission, Held, Limiter, Pace, PaceReport};
use super::prices::{PriceList, Prices};
use super::standing::{Change, Hold, HoldReason, Standing, StandingSettings, Ticket};
use super::wasted::Wasted;
use crate::ambient::{SharedClock, SharedRandom};
use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
use crate::domain::snapshot::Provider;
use crate::ledger::Ledger;
use crate::ledger::call::{CallOutcome, Charge, Draw, Endpoint, Id, Sent};
use crate::resilience::allowance::Allowance;
use crate::resilience::deadline::Deadline;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::HoldLabels;

/// When to come back if what would be spent cannot be written down.
const LEDGER_RETRY: Duration = Duration::from_secs(30);

/// On whose behalf requests are sent, and until when that is of use.
#[derive(Debug, Clone)]
pub struct Errand {
    /// The process, for the ledger; none for the balance.
    pub cnj: Option<Cnj>,
    /// Who waits.
    pub lane: Lane,
    /// For whom.
    pub caller: Caller,
    /// Until when.
    pub deadline: Deadline,
    /// How many requests may be sent; none: as many as it takes.
    pub allowance: Option<Allowance>,
}

impl Errand {
    /// Whether so many more requests may be sent, as far as the allowance goes.
    #[must_use]
    pub fn allows(&self, requests: u32) -> bool {
        self.allowance.as_ref().is_none_or(|allowance| allowance.left() >= requests)
    }

    /// Takes one request from the allowance, just before it is sent. False: it must not be sent.
    #[must_use]
    pub fn draw(&self) -> bool {
        self.allowance.as_ref().is_none_or(Allowance::draw)
    }
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
    /// Money drawn ahead for the requests of a fetch. Each process has one fetch at a time.
    prepaid: Mutex<HashMap<Cnj, Vec<Draw>>>,
    wasted: Mutex<Wasted>,
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
        let mut standing = Standing::new(parts.standing);
        if parts.provider == Provider::Datajud {
            // It has no balance that could tell: only a search shows that its key is good again.
            standing.balance_is_mute(parts.clock.monotonic());
        }
        Self {
            parts,
            sent: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            prices,
            standing: Mutex::new(standing),
            prepaid: Mutex::default(),
            wasted: Mutex::default(),
        }
    }

    async fn begin<'a>(
        &'a self,
        limiter: &'a Limiter,
        endpoint: Endpoint,
        errand: &Errand,
        goes_on: bool,
    ) -> Result<Permit<'a>, Refusal> {
        let AccountParts { clock, budget, .. } = &self.parts;
        let expected = self.expected(endpoint);
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(CLOSED);
        }
        self.standing().check(endpoint, clock.monotonic()).map_err(|hold| self.refusal(hold))?;
        let is_prepaid = errand.cnj.is_some_and(|cnj| self.is_prepaid(cnj));
        if !is_prepaid {
            budget.check(expected, errand.lane)?;
        }
        // Before a slot is taken: a request must leave soon after it has one.
        let draw = match errand.cnj.and_then(|cnj| self.take_prepaid(cnj, expected)) {
            Some(draw) => Some(draw),
            None => budget.draw(expected, errand.lane).await?,
        };
        let drawn = Drawn { account: self, draw };
        let admitted = if goes_on {
            limiter.go_on(errand.lane, errand.deadline).await
        } else {
            limiter.admit(errand.lane, errand.deadline).await
        };
        let admission = admitted.map_err(held)?;
        if errand.deadline.is_over(clock.monotonic()) {
            return Err(Refusal { failure: Failure::TimedOut, retry_after: None });
        }
        // Once more: much may have been learned while this one waited.
        let ticket = self.standing().admit(endpoint, clock.monotonic()).map_err(|hold| self.refusal(hold))?;
        self.write_down(endpoint, errand, expected, drawn, (ticket, admission)).await
    }

    async fn write_down<'a>(
        &'a self,
        endpoint: Endpoint,
        errand: &Errand,
        expected_centavos: u64,
        mut drawn: Drawn<'a>,
        (ticket, admission): (Ticket, Admission<'a>),
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
            draw: drawn.draw,
        };
        // Whoever goes away before this has returned has sent nothing, and gets the money back.
        if let Err(error) = ledger.sent(sent.clone()).await {
            tracing::error!(%error, "the ledger takes no entries: nothing is bought");
            return Err(Refusal { failure: Failure::BudgetExhausted, retry_after: Some(LEDGER_RETRY) });
        }
        drawn.draw = None;
        let began = clock.monotonic();
        let permit = Permit { account: self, open: Some(Open { sent, ticket, admission, began }) };
        // Asked once the request is open in the ledger: either it sees that the account is closed, or who closes it sees the request.
        if self.is_closed.load(Ordering::SeqCst) {
            let outcome = CallOutcome::Interrupted;
            permit.end(End { outcome, status: None, charge: Charge::NotSent, retry_after: None }).await;
            return Err(CLOSED);
        }
        // Before it is sent: whoever reads the same count twice knows that nothing was sent in between.
        self.sent.fetch_add(1, Ordering::SeqCst);
        Ok(permit)
    }

    /// Draws the money for several requests before the first of them is sent: a cover whose movements cannot be paid is money lost.
    ///
    /// # Errors
    /// The refusal, when there is not enough for all of them; nothing is kept then.
    pub async fn prepay(&self, endpoints: &[Endpoint], errand: &Errand) -> Result<Prepaid<'_>, Refusal> {
        let mut prepaid = Prepaid { account: self, cnj: None };
        let Some(cnj) = errand.cnj.filter(|_| self.parts.budget.is_capped()) else { return Ok(prepaid) };
        for endpoint in endpoints {
            self.standing().check(*endpoint, self.parts.clock.monotonic()).map_err(|hold| self.refusal(hold))?;
        }
        let amounts: Vec<u64> = endpoints.iter().map(|endpoint| self.expected(*endpoint)).collect();
        let draws = self.parts.budget.draw_all(&amounts, errand.lane).await?;
        prepaid.cnj = Some(cnj);
        self.prepaid().entry(cnj).or_default().extend(draws);
        Ok(prepaid)
    }

    fn is_prepaid(&self, cnj: Cnj) -> bool {
        self.parts.budget.is_capped() && self.prepaid().contains_key(&cnj)
    }

    /// The smallest draw that is enough.
    fn take_prepaid(&self, cnj: Cnj, centavos: u64) -> Option<Draw> {
        if centavos == 0 || !self.parts.budget.is_capped() {
            return None;
        }
        let mut prepaid = self.prepaid();
        let draws = prepaid.get_mut(&cnj)?;
        let enough = draws.iter().enumerate().filter(|(_, draw)| draw.centavos >= centavos);
        let at = enough.min_by_key(|(_, draw)| draw.centavos).map(|(at, _)| at)?;
        Some(draws.swap_remove(at))
    }

    fn prepaid(&self) -> MutexGuard<'_, HashMap<Cnj, Vec<Draw>>> {
        self.prepaid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a process may be bought, after what buying it came to before.
    ///
    /// # Errors
    /// It cost money and could not be had, a moment ago.
    pub fn worth_buying(&self, cnj: Cnj) -> Result<(), Refusal> {
        let wasted = self.wasted().check(cnj, self.parts.clock.monotonic());
        wasted.map_or(Ok(()), |(failure, wait)| Err(Refusal { failure, retry_after: Some(wait) }))
    }

    /// What came of buying a process: it is had, or the vendor does not know it; or it failed, and had cost so many centavos.
    pub fn bought(&self, cnj: Cnj, outcome: Result<(), (Failure, u64)>) {
        match outcome {
            Ok(()) => self.wasted().forget(cnj),
            Err((_, 0)) => {}
            Err((failure, _)) => {
                let now = (self.parts.clock.monotonic(), self.parts.random.fraction());
                self.wasted().note(cnj, failure, now);
            }
        }
    }

    fn wasted(&self) -> MutexGuard<'_, Wasted> {
        self.wasted.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// No client can be made for it: it will not be asked until somebody changes a setting.
    pub fn cannot_be_used(&self) {
        self.parts.metrics.set_tier_up(self.parts.tier, false);
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

    fn notice_price(&self, endpoint: Endpoint, centavos: u64) {
        let was_free = self.is_free(endpoint);
        self.prices().note(endpoint, centavos);
        if was_free && centavos > 0 {
            tracing::warn!(endpoint = endpoint.as_str(), centavos, "the vendor charges for what was free until now");
        }
    }
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
    use futures_util::FutureExt;

    use super::*;
    use crate::ambient::{Clock, SystemClock};
    use crate::config::fetcher::FetcherSettings;
    use crate::fetcher::fixture;
    use crate::ledger::call::Cost;

    fn errand() -> Errand {
        let deadline = Deadline::after(SystemClock.monotonic(), Duration::from_secs(20));
        Errand { cnj: None, lane: Lane::Background, caller: Caller::Service, deadline, allowance: None }
    }

    #[tokio::test]
    async fn a_closed_account_sends_nothing_more_and_lets_end_what_is_under_way() {
        let opened = fixture::account(Provider::Escavador, &FetcherSettings::default());
        let session = Session::new(Arc::clone(&opened.account));
        let under_way = session.begin(Endpoint::Cover, &errand(), false).await.unwrap();
        assert_eq!((opened.account.sent_so_far(), opened.ledger.open_calls()), (1, 1));
        opened.account.close();
        assert_eq!(session.begin(Endpoint::Cover, &errand(), false).await.unwrap_err(), CLOSED);
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
        let begin = session.begin(Endpoint::Cover, &errand, false);
        tokio::pin!(begin);
        // As far as the wait for the ledger's file.
        while opened.ledger.open_calls() == 0 {
            assert!((&mut begin).now_or_never().is_none());
        }
        opened.account.close();
        assert_eq!(begin.await.unwrap_err(), CLOSED);
        let batch = opened.ledger.next_batch(10).unwrap();
        assert_eq!((batch.calls[0].outcome, batch.calls[0].cost), (CallOutcome::Interrupted, Cost::NOTHING));
        assert_eq!((opened.account.sent_so_far(), opened.ledger.open_calls()), (0, 0));
    }
}
