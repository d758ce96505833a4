//! What the fetcher does beside fetching: brings the ledger to PostgreSQL, keeps the local reserve filled, looks at the balance when
//! that is what asking waits for, and puts the ledger right by it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{join3, join4};
use tokio::time::{sleep, timeout};

use super::account::Account;
use super::budget::Budget;
use super::desk::Desk;
use super::escavador::Escavador;
use super::stock::Stocktaker;
use crate::ambient::SharedClock;
use crate::domain::snapshot::Provider;
use crate::ledger::Ledger;
use crate::ledger::avoided::AvoidedBy;
use crate::ledger::call::Endpoint;
use crate::ledger::report::{Avoided, BudgetLine, BudgetReport};
use crate::postgres_tier::ledger::messages::{AddAvoided, Caps, ReadBudget, ReadPrices, ReleaseNode, StoreCalls};
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
    pub desk: Desk,
    /// Lays the balance beside the ledger.
    pub stock: Stocktaker,
    /// Where everything is counted.
    pub metrics: Metrics,
    /// Time.
    pub clock: SharedClock,
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
                    join4(self.probe(escavador), self.stock.run(escavador), self.learn(), self.tend()).await;
                }
                None => {
                    self.stock.is_not_needed();
                    self.tend().await;
                }
            }
        };
        join3(self.store(), self.count_avoided(), money).await;
    }

    /// A stop: what can be stored quickly is, and money set aside is given back. The rest waits in the file for the next start.
    pub async fn close(&self) {
        let last_words = async {
            self.account.close();
            self.store_waiting().await;
            self.budget.close().await;
            self.add_avoided().await;
            self.stock.leave().await;
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
                match self.ledger.adopt().await {
                    Ok(0) => {}
                    Ok(_files) => self.stock.stir(),
                    Err(error) => tracing::warn!(%error, "the ledger's folder cannot be listed"),
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
            if !self.desk.told(calls).await {
                return false;
            }
            self.ledger.stored(&batch).await;
        }
        for node in self.ledger.released() {
            // All that it sent is booked: what it had set aside besides was never spent.
            if !self.desk.told(ReleaseNode { node }).await {
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
        let report = self.desk.answer(ReadBudget { caps: self.caps }).await;
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
            if let Some(prices) = self.desk.answer(ReadPrices).await {
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
                && let Ok(balance) = escavador.balance(self.desk.within(PROBE_PATIENCE)).await
            {
                self.account.balance_seen(balance);
            }
        }
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
        let told = self.desk.told(AddAvoided { avoided: avoided.clone() }).await;
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
}
