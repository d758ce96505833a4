//! Watching, put together: the watcher's surroundings and the face before them.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};

use crate::ambient::SharedClock;
use crate::config::Settings;
use crate::config::watch::WatchSettings;
use crate::coordinator::Coordinators;
use crate::domain::cnj::Cnj;
use crate::fetcher::Fetcher;
use crate::fetcher::account::Account;
use crate::http::state::WatchDesk;
use crate::ledger::call::Endpoint;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::watch::messages::Note;
use crate::supervision::ActorRef;
use crate::watch::actor::Surroundings;
use crate::watch::report::Prices;
use crate::watch::vendor::AtVendor;
use crate::watch::{CurrentPrices, Line, WatchAway, Watcher, Watches};

/// What watching stands on.
pub(super) struct Watching<'a> {
    pub(super) fetcher: ActorRef<Fetcher>,
    pub(super) postgres: ActorRef<PostgresTier>,
    pub(super) coordinators: &'a Coordinators,
    pub(super) settings: &'a Settings,
    pub(super) clock: &'a SharedClock,
}

/// What every generation of the watcher is made of.
pub(super) struct WatcherParts {
    settings: WatchSettings,
    around: Surroundings,
}

/// A face that has no actor yet.
pub(super) struct Face {
    postgres: ActorRef<PostgresTier>,
    settings: WatchSettings,
    prices: CurrentPrices,
    clock: SharedClock,
}

impl Watching<'_> {
    /// The watcher's parts, and the face; prices are the account's.
    pub(super) fn parts(self, account: &Arc<Account>) -> (WatcherParts, Face) {
        let settings = self.settings.watch;
        let clock = Arc::clone(self.clock);
        let vendor = AtVendor { fetcher: self.fetcher, settings, clock: Arc::clone(&clock) };
        let around = Surroundings {
            vendor: Arc::new(vendor),
            postgres: self.postgres.clone(),
            coordinators: self.coordinators.clone(),
            clock: Arc::clone(&clock),
        };
        let (account, monitor) = (Arc::clone(account), self.settings.fetcher.prices.monitor_month);
        let prices: CurrentPrices = Arc::new(move || Prices {
            status: account.expected(Endpoint::Status),
            refresh: account.price_of_a_fetch(),
            monitor,
        });
        (WatcherParts { settings, around }, Face { postgres: self.postgres, settings, prices, clock })
    }
}

impl WatcherParts {
    /// One generation.
    pub(super) fn watcher(&self) -> Watcher {
        Watcher::new(self.settings, self.around.clone())
    }
}

impl Face {
    /// The face in front of its actor.
    pub(super) fn over(self, watcher: ActorRef<Watcher>) -> Watches {
        Watches::new(self.postgres, watcher, self.settings, self.prices, self.clock)
    }
}

impl WatchDesk for Watches {
    fn put(&self, cnj: Cnj, note: Note) -> BoxFuture<'_, Result<(Line, bool), WatchAway>> {
        Self::put(self, cnj, note).boxed()
    }

    fn read(&self, cnj: Cnj) -> BoxFuture<'_, Result<Option<Line>, WatchAway>> {
        Self::read(self, cnj).boxed()
    }

    fn remove(&self, cnj: Cnj) -> BoxFuture<'_, Result<bool, WatchAway>> {
        Self::remove(self, cnj).boxed()
    }

    fn list(&self, after: Option<Cnj>, most: u32) -> BoxFuture<'_, Result<Vec<Line>, WatchAway>> {
        Self::list(self, after, most).boxed()
    }
}
