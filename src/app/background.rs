//! The actors that nobody waits for: what works beside the lookups, over the same chain.

use std::sync::Arc;

use super::tree::tier;
use super::vendors::Vendors;
use super::watching::Watching;
use crate::ambient::{SharedClock, SharedRandom};
use crate::callbacks::copies::Chain as AmendedCopies;
use crate::callbacks::list::CallbackList;
use crate::callbacks::neighbours::WatchList;
use crate::callbacks::{self, Callbacks, Intake};
use crate::config::Settings;
use crate::coordinator::Coordinators;
use crate::coordinator::early::WishList;
use crate::fetcher::Fetcher;
use crate::notifier::target::{Gate, SystemNames};
use crate::notifier::{Feed, Notifier, NotifierParts, StoredEvents, StoredWebhooks};
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::bell::NewsBell;
use crate::scheduler::choice::Rules;
use crate::scheduler::desk::SyncOffice;
use crate::scheduler::worth::RefreshPrice;
use crate::scheduler::{self, Reins, SyncScheduler};
use crate::supervision::{ActorRef, ChildSpec, Supervisor};
use crate::telemetry::Metrics;
use crate::updates::book::{Shelf, Unsaved};
use crate::updates::court::Vendor;
use crate::updates::refresher::Chain;
use crate::updates::{CourtUpdates, Surroundings, Updates};
use crate::warm::{self, WarmDesk, Warmer};
use crate::watch::Watches;

/// What they stand on.
pub(super) struct Background<'a> {
    pub(super) supervisor: &'a Supervisor,
    pub(super) settings: &'a Settings,
    pub(super) postgres: &'a ActorRef<PostgresTier>,
    pub(super) fetcher: &'a ActorRef<Fetcher>,
    pub(super) coordinators: &'a Coordinators,
    pub(super) clock: &'a SharedClock,
    pub(super) random: &'a SharedRandom,
    pub(super) metrics: &'a Metrics,
}

impl Background<'_> {
    /// News, to streams and to subscribers.
    pub(super) fn notifier(&self, bell: NewsBell) -> (Feed, StoredWebhooks) {
        let Self { postgres, clock, random, metrics, .. } = *self;
        let mut settings = self.settings.notifier.clone();
        if self.settings.database_url.is_none() {
            // Nobody else stores anything, and its one connection is the lookups' own.
            settings.look_every = settings.look_idle;
        }
        let log = StoredEvents::new(postgres.clone(), Arc::clone(clock), settings.patience);
        let news = Feed::new(Arc::new(log.clone()), settings.clone(), Arc::clone(clock), metrics.clone());
        let gate = Gate::new(Arc::new(SystemNames), settings.webhook_private);
        let parts = NotifierParts {
            postgres: postgres.clone(),
            log: Arc::new(log),
            feed: news.clone(),
            bell,
            gate: gate.clone(),
            settings: settings.clone(),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            metrics: metrics.clone(),
        };
        let patience = &self.settings.supervision;
        self.supervisor.child(tier(patience, "notifier", move || Notifier::new(parts.clone())));
        let (postgres, clock, random) = (postgres.clone(), Arc::clone(clock), Arc::clone(random));
        (news, StoredWebhooks { postgres, gate, settings, clock, random })
    }

    /// Requests to look at the court.
    pub(super) fn updates(&self) -> Updates {
        let Self { postgres, clock, .. } = *self;
        let settings = self.settings.updates;
        let court = Vendor::new(self.fetcher.clone(), self.settings.callbacks.token.is_some());
        let around = Surroundings {
            court: Arc::new(court),
            refresher: Arc::new(Chain::new(self.coordinators.clone(), Arc::clone(clock))),
            book: Arc::new(Shelf::new(postgres.clone(), Arc::clone(clock), settings.book_patience)),
            unsaved: Unsaved::default(),
            clock: Arc::clone(clock),
        };
        let factory = move || CourtUpdates::new(settings, around.clone());
        let child = ChildSpec { permits: settings.permits, ..tier(&self.settings.supervision, "updates", factory) };
        Updates::new(self.supervisor.child(child))
    }

    /// Watched processes and their monitors.
    pub(super) fn watches(&self, vendors: &Vendors) -> Watches {
        let Self { settings, coordinators, clock, .. } = *self;
        let (fetcher, postgres) = (self.fetcher.clone(), self.postgres.clone());
        let watching = Watching { fetcher, postgres, coordinators, settings, clock };
        let (parts, face) = watching.parts(&vendors.escavador);
        let factory = move || parts.watcher();
        let permits = settings.watch.permits;
        face.over(self.supervisor.child(ChildSpec { permits, ..tier(&settings.supervision, "watcher", factory) }))
    }

    /// What the vendor calls back.
    pub(super) fn callbacks(&self, updates: &Updates) -> Intake {
        let Self { postgres, clock, metrics, .. } = *self;
        let settings = self.settings.callbacks.clone();
        let intake = Intake::new(postgres.clone(), Arc::clone(clock), metrics.clone(), settings.intake_patience);
        // Whoever takes no callbacks has none to miss, and without a key there is nobody to ask.
        let hears = settings.token.is_some() && self.settings.fetcher.api_key.is_some();
        let list: Option<Arc<dyn CallbackList>> = if hears { Some(Arc::new(self.fetcher.clone())) } else { None };
        let around = callbacks::Surroundings {
            copies: Arc::new(AmendedCopies::new(self.coordinators.clone())),
            watches: Arc::new(WatchList::new(postgres.clone(), Arc::clone(clock), settings.book_patience)),
            requests: Arc::new(updates.clone()),
            list,
            intake: intake.clone(),
            postgres: postgres.clone(),
            metrics: metrics.clone(),
            clock: Arc::clone(clock),
        };
        let factory = move || Callbacks::new(settings.clone(), around.clone());
        let _nobody_asks_it = self.supervisor.child(tier(&self.settings.supervision, "callbacks", factory));
        intake
    }

    /// Lists to be loaded.
    pub(super) fn warm(&self) -> WarmDesk {
        let Self { postgres, clock, .. } = *self;
        let settings = self.settings.warm;
        let book = Arc::new(warm::book::Shelf::new(postgres.clone(), Arc::clone(clock), settings.book_patience));
        let looker = Arc::new(warm::looker::Chain::new(self.coordinators.clone(), Arc::clone(clock), &settings));
        let (bell, random) = (warm::Bell::default(), Arc::clone(self.random));
        let desk = WarmDesk::new(book.clone(), bell.clone(), Arc::clone(&random), settings);
        let around = warm::Surroundings { book, looker, bell, random };
        let factory = move || Warmer::new(settings, around.clone());
        let shutdown_grace = settings.shutdown_grace;
        let child = ChildSpec { shutdown_grace, ..tier(&self.settings.supervision, "warmer", factory) };
        self.supervisor.child(child);
        desk
    }

    /// The synchronisation.
    pub(super) fn sync(&self, wishes: Arc<WishList>) -> (SyncOffice, Reins) {
        let Self { postgres, clock, random, metrics, .. } = *self;
        let (settings, prices) = (self.settings.sync, self.settings.fetcher.prices);
        let reins = Reins::default();
        let book = Arc::new(scheduler::book::Shelf::new(postgres.clone(), Arc::clone(clock), settings.book_patience));
        let price = RefreshPrice { status: prices.status, cover: prices.cover, page: prices.movements };
        let around = scheduler::Surroundings {
            book: Arc::<scheduler::book::Shelf>::clone(&book),
            refresher: Arc::new(scheduler::chain::Chain::new(self.coordinators.clone(), Arc::clone(clock))),
            reads: Arc::new(self.coordinators.clone()),
            wishes,
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            metrics: metrics.clone(),
            reins: reins.clone(),
        };
        let rules = Rules { price, ..Rules::default() };
        let factory = move || SyncScheduler::new(settings, rules, around.clone());
        let shutdown_grace = settings.stop_within;
        let child = ChildSpec { shutdown_grace, ..tier(&self.settings.supervision, "scheduler", factory) };
        self.supervisor.child(child);
        (SyncOffice::new(settings, book, reins.clone(), Arc::clone(clock)), reins)
    }
}
