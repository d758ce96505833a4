//! The accounts at the vendors: their pace, their caps, their ledger, and who looks after them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join;
use tokio::time::timeout;

use crate::ambient::{SharedClock, SharedRandom};
use crate::config::{Settings, budget};
use crate::domain::snapshot::Provider;
use crate::fetcher::account::{Account, AccountParts};
use crate::fetcher::actor::FetcherParts;
use crate::fetcher::bookkeeping::Bookkeeper;
use crate::fetcher::budget::Budget;
use crate::fetcher::desk::Desk;
use crate::fetcher::pace::{Pace, Rate};
use crate::fetcher::prices::PriceList;
use crate::fetcher::stock::{StockParts, Stocktaker};
use crate::fetcher::vault::PostgresVault;
use crate::ledger::Ledger;
use crate::postgres_tier::PostgresTier;
use crate::redis_tier::actor::RedisTier;
use crate::supervision::ActorRef;
use crate::telemetry::Metrics;

/// Requests to DataJud on their way at once: it takes tens of seconds for each, and 120 a minute are allowed.
const DATAJUD_IN_FLIGHT: usize = 16;

/// How long telling the other nodes may take; they notice by themselves otherwise.
const SIGN_OFF: Duration = Duration::from_secs(1);

/// What the accounts stand on.
pub(super) struct Ground<'a> {
    pub(super) settings: &'a Settings,
    pub(super) ledger: &'a Ledger,
    pub(super) postgres: &'a ActorRef<PostgresTier>,
    pub(super) redis: Option<&'a ActorRef<RedisTier>>,
    pub(super) clock: &'a SharedClock,
    pub(super) random: &'a SharedRandom,
    pub(super) metrics: &'a Metrics,
}

/// The accounts. They outlive the fetcher's generations.
#[derive(Clone)]
pub(super) struct Vendors {
    pub(super) escavador: Arc<Account>,
    pub(super) datajud: Arc<Account>,
    pub(super) keeper: Arc<Bookkeeper>,
    paces: [Arc<Pace>; 2],
}

impl Vendors {
    pub(super) fn open(ground: &Ground<'_>) -> Self {
        let Ground { settings, ledger, postgres, clock, metrics, .. } = ground;
        let budget = Arc::new(ground.budget());
        let escavador = Rate::per_minute(settings.fetcher.requests_per_minute);
        let datajud = Rate::per_minute(settings.datajud.requests_per_minute);
        let paces = [ground.pace(Provider::Escavador, escavador), ground.pace(Provider::Datajud, datajud)];
        let [paid, free] = &paces;
        let escavador =
            ground.account(Provider::Escavador, "upstream", (paid, settings.fetcher.max_in_flight), &budget);
        let datajud = ground.account(Provider::Datajud, "datajud", (free, DATAJUD_IN_FLIGHT), &budget);
        // Until they are asked, nothing speaks against them.
        metrics.set_tier_up("upstream", settings.fetcher.api_key.is_some());
        metrics.set_tier_up("datajud", settings.datajud.is_on());
        let desk = Desk { postgres: (*postgres).clone(), clock: Arc::clone(clock) };
        let stock = Stocktaker::new(StockParts {
            ledger: (*ledger).clone(),
            account: Arc::clone(&escavador),
            desk: desk.clone(),
            clock: Arc::clone(clock),
            random: Arc::clone(ground.random),
            balance_after: settings.fetcher.balance_after,
        });
        let keeper = Arc::new(Bookkeeper {
            ledger: (*ledger).clone(),
            budget,
            caps: settings.caps,
            account: Arc::clone(&escavador),
            desk,
            stock,
            metrics: (*metrics).clone(),
            clock: Arc::clone(clock),
            flushed: Mutex::default(),
            seen: Mutex::default(),
        });
        Self { escavador, datajud, keeper, paces }
    }

    /// What every generation of the fetcher is made of.
    pub(super) fn parts(&self, ground: &Ground<'_>) -> FetcherParts {
        FetcherParts {
            escavador: ground.settings.fetcher.clone(),
            datajud: ground.settings.datajud.clone(),
            escavador_account: Arc::clone(&self.escavador),
            datajud_account: Arc::clone(&self.datajud),
            keeper: Some(Arc::clone(&self.keeper)),
            paces: self.paces.to_vec(),
            clock: Arc::clone(ground.clock),
            random: Arc::clone(ground.random),
        }
    }

    /// The service ends: what can be told quickly to the database and to the other nodes is.
    pub(super) async fn close(&self) {
        self.keeper.close().await;
        let [paid, free] = &self.paces;
        let _in_time = timeout(SIGN_OFF, join(paid.sign_off(), free.sign_off())).await;
    }
}

impl Ground<'_> {
    fn pace(&self, provider: Provider, rate: Rate) -> Arc<Pace> {
        Pace::over(self.redis, provider, rate, Arc::clone(self.clock), Arc::clone(self.random))
    }

    fn budget(&self) -> Budget {
        let (clock, random) = (Arc::clone(self.clock), Arc::clone(self.random));
        match budget::smallest(self.settings.caps) {
            None => Budget::unlimited(clock, random),
            Some(cap) => {
                let vault = PostgresVault {
                    postgres: self.postgres.clone(),
                    node: self.ledger.node(),
                    caps: self.settings.caps,
                    clock: Arc::clone(&clock),
                };
                Budget::capped(Box::new(vault), cap, clock, random)
            }
        }
    }

    fn account(
        &self,
        provider: Provider,
        tier: &'static str,
        (pace, max_in_flight): (&Arc<Pace>, usize),
        budget: &Arc<Budget>,
    ) -> Arc<Account> {
        let prices = match provider {
            Provider::Escavador => self.settings.fetcher.prices,
            Provider::Datajud => PriceList::FREE,
        };
        Arc::new(Account::new(AccountParts {
            provider,
            tier,
            pace: Arc::clone(pace),
            max_in_flight,
            budget: Arc::clone(budget),
            ledger: self.ledger.clone(),
            prices,
            standing: self.settings.fetcher.standing,
            clock: Arc::clone(self.clock),
            random: Arc::clone(self.random),
            metrics: self.metrics.clone(),
        }))
    }
}
