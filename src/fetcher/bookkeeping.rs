//! What the fetcher does beside fetching: brings the ledger to PostgreSQL, keeps the local reserve filled, looks at the balance when
//! that is what asking waits for, and puts the ledger right by it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::Message;
use futures_util::future::{join3, join4};
use tokio::time::{sleep, timeout};

use super::account::Account;
use super::budget::Budget;
use super::escavador::Escavador;
use crate::ambient::SharedClock;
use crate::domain::snapshot::Provider;
use crate::ledger::Ledger;
use crate::ledger::avoided::AvoidedBy;
use crate::ledger::call::Endpoint;
use crate::ledger::report::{Avoided, BudgetLine, BudgetReport};
use crate::ledger::stocktaking::{self, Stock, Verdict};
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::ledger::messages::{
    AddAvoided, Caps, CloseAccount, HasCompany, ReadAccount, ReadBudget, ReadPrices, ReleaseNode, StoreCalls,
};
use crate::postgres_tier::messages::PostgresError;
use crate::resilience::deadline::Deadline;
use crate::supervision::ActorRef;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::PeriodLabel;

/// Rows stored in one transaction: a second's worth at the vendor's limit, many times over.
const BATCH: usize = 500;
/// Rows are gathered for so long, so that a busy minute is not a transaction for each request.
const GATHER: Duration = Duration::from_millis(100);
/// How long to wait before PostgreSQL is asked again, or offered rows that it did not take.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether a probe of the balance is due.
const PROBE_TICK: Duration = Duration::from_millis(500);
/// How often the local reserve, and what the metrics say of the budget, are looked after.
const TEND_EVERY: Duration = Duration::from_secs(5);
/// How often what was avoided is added to the database: what a crash loses of an estimate.
const AVOIDED_EVERY: Duration = Duration::from_secs(5);
/// How often files of processes that ended are looked for.
const ADOPT_EVERY: Duration = Duration::from_secs(60);
/// How long a probe may take.
const PROBE_PATIENCE: Duration = Duration::from_secs(10);
/// How long what other nodes have under way may take to be in the ledger: a request, and a little.
const OTHERS_UNDER_WAY: Duration = Duration::from_secs(20);
/// How long PostgreSQL may take; nobody waits.
const PATIENCE: Duration = Duration::from_secs(6);
/// What a stop waits for the last rows.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is known of the caps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BudgetSeen {
    /// Nothing yet: PostgreSQL was not asked.
    #[default]
    NotAsked,
    /// PostgreSQL did not answer the last time.
    Away,
    /// What it answered.
    Told(BudgetReport),
}

/// Looks after the ledger and the money. One for each service; it outlives the fetcher's generations.
pub struct Bookkeeper {
    /// What was sent.
    pub ledger: Ledger,
    /// The caps.
    pub budget: Arc<Budget>,
    /// What must not be exceeded, for the metrics.
    pub caps: Caps,
    /// The account with Escavador.
    pub account: Arc<Account>,
    /// Where rows go.
    pub postgres: ActorRef<PostgresTier>,
    /// Where everything is counted.
    pub metrics: Metrics,
    /// Time.
    pub clock: SharedClock,
    /// After which quiet the balance is looked at; zero never.
    pub balance_after: Duration,
    /// Avoided lookups that are in the database already, in the order of [`AvoidedBy::ALL`].
    pub flushed: Mutex<[u64; AvoidedBy::ALL.len()]>,
    /// What PostgreSQL last said of the caps.
    pub seen: Mutex<BudgetSeen>,
}

impl Bookkeeper {
    /// Works for as long as it is polled. `escavador`: whom to ask for the balance, if there is a key.
    pub async fn run(self: Arc<Self>, escavador: Option<Arc<Escavador>>) {
        let money = async {
            match &escavador {
                Some(escavador) => {
                    join4(self.probe(escavador), self.take_stock(escavador), self.learn(), self.tend()).await;
                }
                None => self.tend().await,
            }
        };
        join3(self.store(), self.count_avoided(), money).await;
    }

    /// A stop: what can be stored quickly is, and money set aside is given back. The rest waits in the file for the next start.
    pub async fn close(&self) {
        let last_words = async {
            self.store_waiting().await;
            self.budget.close().await;
            self.add_avoided().await;
        };
        let _in_time = timeout(LAST_WORDS, last_words).await;
    }

    /// What is known of the caps, without asking; a few seconds old.
    #[must_use]
    pub fn budget_seen(&self) -> BudgetSeen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn store(&self) {
        let mut looked = self.clock.monotonic();
        loop {
            let stored = self.store_waiting().await;
            self.metrics.ledger_pending.set(i64::try_from(self.ledger.pending()).unwrap_or(i64::MAX));
            if self.clock.monotonic().saturating_duration_since(looked) >= ADOPT_EVERY {
                looked = self.clock.monotonic();
                if let Err(error) = self.ledger.adopt().await {
                    tracing::warn!(%error, "the ledger's folder cannot be listed");
                }
            }
            if stored {
                let _news = timeout(ADOPT_EVERY, self.ledger.changed()).await;
                sleep(GATHER).await;
            } else {
                sleep(STORE_RETRY).await;
            }
        }
    }

    /// Whether everything that waited is stored.
    async fn store_waiting(&self) -> bool {
        while let Some(batch) = self.ledger.next_batch(BATCH) {
            let calls = StoreCalls { node: batch.node, calls: Arc::clone(&batch.calls) };
            if !self.told(calls).await {
                return false;
            }
            self.ledger.stored(&batch).await;
        }
        for node in self.ledger.released() {
            // All that it sent is booked: what it had set aside besides was never spent.
            if !self.told(ReleaseNode { node }).await {
                return false;
            }
            self.ledger.forget(node).await;
        }
        true
    }

    async fn tend(&self) {
        loop {
            let price = self.account.expected(Endpoint::Cover).max(self.account.expected(Endpoint::Movements));
            self.budget.tend(price).await;
            self.show_budget().await;
            sleep(if self.budget_seen() == BudgetSeen::Away { STORE_RETRY } else { TEND_EVERY }).await;
        }
    }

    async fn show_budget(&self) {
        if self.caps == Caps::default() {
            return;
        }
        let report = self.answer(ReadBudget { caps: self.caps }).await;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = report.map_or(BudgetSeen::Away, BudgetSeen::Told);
        let Some(report) = report else { return };
        for (period, BudgetLine { left_centavos, .. }) in [("day", report.day), ("month", report.month)] {
            if let Some(left) = left_centavos {
                let left = i64::try_from(left).unwrap_or(i64::MAX);
                self.metrics.budget_left_centavos.get_or_create(&PeriodLabel { period }).set(left);
            }
        }
    }

    /// Prices that this account has seen before the start.
    async fn learn(&self) {
        loop {
            if let Some(prices) = self.answer(ReadPrices).await {
                let ours = prices.into_iter().filter(|(provider, ..)| *provider == Provider::Escavador);
                return self.account.learn_prices(ours.map(|(_, endpoint, centavos)| (endpoint, centavos)));
            }
            sleep(STORE_RETRY).await;
        }
    }

    async fn probe(&self, escavador: &Escavador) {
        loop {
            sleep(PROBE_TICK).await;
            if self.account.wants_probe()
                && let Ok(balance) = escavador.balance(self.within(PROBE_PATIENCE)).await
            {
                self.account.balance_seen(balance);
            }
        }
    }

    /// In a quiet moment, with nothing under way: what the vendor's balance says against what the ledger has.
    async fn take_stock(&self, escavador: &Escavador) {
        if self.balance_after.is_zero() {
            return;
        }
        let mut taken_at = self.account.sent_so_far();
        let mut seen = (taken_at, self.clock.monotonic());
        loop {
            sleep(self.balance_after.min(Duration::from_secs(1))).await;
            let sent = self.account.sent_so_far();
            if sent != seen.0 || self.is_busy() {
                seen = (sent, self.clock.monotonic());
            }
            let quiet = self.clock.monotonic().saturating_duration_since(seen.1);
            if sent == taken_at || quiet < self.balance_after || self.account.hold().is_some() {
                continue;
            }
            if self.compare(escavador).await {
                // The look at the balance is itself a request.
                taken_at = self.account.sent_so_far();
                seen.0 = taken_at;
            } else {
                seen.1 = self.clock.monotonic();
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.ledger.open_calls() > 0 || self.ledger.pending() > 0
    }

    /// Whether stock was taken, or cannot be.
    async fn compare(&self, escavador: &Escavador) -> bool {
        if !self.account.is_free(Endpoint::Balance) {
            return true;
        }
        let sent = self.account.sent_so_far();
        // Before the balance: what others have booked between the two is not in that balance, but would be in the books.
        let Some(before) = self.answer(ReadAccount { provider: Provider::Escavador }).await else { return false };
        let Ok(Some(balance)) = escavador.balance(self.within(PROBE_PATIENCE)).await else { return true };
        let Ok(left) = u64::try_from(balance) else { return true };
        let company = HasCompany { provider: Provider::Escavador, node: self.ledger.node() };
        if self.answer(company).await.unwrap_or(true) {
            // What others had under way at that moment will be in the ledger by then, and its total another.
            sleep(OTHERS_UNDER_WAY).await;
        }
        let Some(books) = self.answer(ReadAccount { provider: Provider::Escavador }).await else { return false };
        if books.booked_centavos != before.booked_centavos {
            return false;
        }
        // One request more than before, and that was ours.
        if self.account.sent_so_far() != sent.saturating_add(1) || self.ledger.open_calls() > 0 {
            return false;
        }
        let now = Stock { balance: left, booked: books.booked_centavos };
        let base = books.base.and_then(|base| {
            let balance = u64::try_from(base.balance_centavos).ok()?;
            Some(Stock { balance, booked: base.booked_centavos })
        });
        let uncharged = match stocktaking::decide(base, now, &books.presumed) {
            Verdict::Uncharged(uncharged) => {
                tracing::info!(rows = uncharged.len(), "the balance says that some requests were not charged");
                uncharged
            }
            Verdict::Unexplained { centavos } => {
                tracing::warn!(
                    centavos,
                    "the vendor's balance and the ledger differ; does somebody else use the account?"
                );
                Vec::new()
            }
            Verdict::NoBase | Verdict::Agrees | Verdict::ToppedUp => Vec::new(),
        };
        let close = CloseAccount {
            provider: Provider::Escavador,
            balance_centavos: balance,
            booked_centavos: books.booked_centavos,
            uncharged,
        };
        self.answer(close).await.unwrap_or(false)
    }

    async fn count_avoided(&self) {
        loop {
            sleep(AVOIDED_EVERY).await;
            self.add_avoided().await;
        }
    }

    /// Adds what was avoided since the last time, at the price that one fetch has now.
    async fn add_avoided(&self) {
        let price = self.account.price_of_a_fetch();
        let avoided = self.take_avoided(price);
        if avoided.is_empty() {
            return;
        }
        let told = self.told(AddAvoided { avoided: avoided.clone() }).await;
        let mut flushed = self.flushed();
        for (by, already) in AvoidedBy::ALL.into_iter().zip(flushed.iter_mut()) {
            match avoided.iter().find(|added| added.tier == by.as_str()) {
                Some(added) if told => drop(self.metrics.avoided(by).centavos.inc_by(added.centavos)),
                Some(added) => *already = already.saturating_sub(added.lookups),
                None => {}
            }
        }
    }

    /// What was avoided since it was last taken.
    fn take_avoided(&self, price: u64) -> Vec<Avoided> {
        let mut flushed = self.flushed();
        let counted = AvoidedBy::ALL.into_iter().zip(flushed.iter_mut()).filter_map(|(by, already)| {
            let now = self.metrics.avoided(by).lookups.get();
            let lookups = now.saturating_sub(std::mem::replace(already, now));
            let centavos = lookups.saturating_mul(price);
            (lookups > 0).then(|| Avoided { tier: by.as_str().into(), lookups, centavos })
        });
        counted.collect()
    }

    /// Not held while the database is asked: a generation of the fetcher that hangs would keep it from its successor.
    fn flushed(&self) -> MutexGuard<'_, [u64; AvoidedBy::ALL.len()]> {
        self.flushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn told<M>(&self, message: M) -> bool
    where
        M: Message<Result = Result<(), PostgresError>> + Send + 'static,
        PostgresTier: actix::Handler<M>,
    {
        self.answer(message).await.is_some()
    }

    /// What PostgreSQL answers, if it does.
    async fn answer<M, T>(&self, message: M) -> Option<T>
    where
        M: Message<Result = Result<T, PostgresError>> + Send + 'static,
        T: Send + 'static,
        PostgresTier: actix::Handler<M>,
    {
        self.postgres.ask(message, self.within(PATIENCE)).await.ok()?.ok()
    }

    fn within(&self, patience: Duration) -> Deadline {
        Deadline::after(self.clock.monotonic(), patience)
    }
}
