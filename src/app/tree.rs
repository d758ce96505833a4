//! The actor tree: who is started, in which order, and how much is put up with from each.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::books::PostgresBooks;
use super::database::Database;
use super::vendors::{Ground, Vendors};
use super::watching::Watching;
use crate::ambient::{SharedClock, SharedRandom};
use crate::callbacks::copies::Chain as AmendedCopies;
use crate::callbacks::list::CallbackList;
use crate::callbacks::neighbours::WatchList;
use crate::callbacks::{self, Callbacks, Intake};
use crate::config::Settings;
use crate::config::supervision::SupervisionSettings;
use crate::coordinator::actor::Coordinator;
use crate::coordinator::early::{Early, WishList};
use crate::coordinator::near::NearCopies;
use crate::coordinator::tiers::Tiers;
use crate::coordinator::{Coordinators, Shared};
use crate::fetcher::Fetcher;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::notifier::target::{Gate, SystemNames};
use crate::notifier::{Feed, Notifier, NotifierParts, StoredEvents, StoredWebhooks};
use crate::postgres_tier::bell::NewsBell;
use crate::postgres_tier::{PostgresStatus, PostgresTier};
use crate::redis_tier::actor::RedisTier;
use crate::scheduler::choice::Rules;
use crate::scheduler::desk::SyncOffice;
use crate::scheduler::worth::RefreshPrice;
use crate::scheduler::{self, Reins, SyncScheduler};
use crate::supervision::{Child, ChildEvent, ChildSpec, Escalation, Supervisor};
use crate::telemetry::metrics::{ActorLabel, Metrics};
use crate::updates::book::{Shelf, Unsaved};
use crate::updates::court::Vendor;
use crate::updates::refresher::Chain;
use crate::updates::{CourtUpdates, Surroundings, Updates};
use crate::warm::{self, WarmDesk, Warmer};
use crate::watch::Watches;

/// Asks in flight in one tier. Readers of one process share one ask, so this many processes may be looked for at once.
const TIER_PERMITS: usize = 65_536;

/// What writing a paid answer to the journal may take once PostgreSQL was waited for in vain.
const JOURNAL_GRACE: Duration = Duration::from_secs(3);

/// The tree, and what is known of it from outside.
pub(super) struct Tree {
    pub(super) supervisor: Supervisor,
    pub(super) coordinators: Coordinators,
    pub(super) updates: Updates,
    pub(super) watches: Watches,
    pub(super) callbacks: Intake,
    pub(super) warm: WarmDesk,
    pub(super) sync: SyncOffice,
    pub(super) reins: Reins,
    pub(super) postgres_status: PostgresStatus,
    pub(super) vendors: Vendors,
    pub(super) books: PostgresBooks,
    pub(super) news: Feed,
    pub(super) webhooks: StoredWebhooks,
}

impl Tree {
    /// Starts every actor, what others depend on first.
    pub(super) fn grow(
        settings: &Settings,
        database: &Database,
        journal: &Journal,
        ledger: &Ledger,
        clock: &SharedClock,
        random: &SharedRandom,
        metrics: &Metrics,
    ) -> io::Result<Self> {
        let supervisor = Supervisor::start(Arc::clone(clock), Arc::clone(random), observer(metrics.clone()))?;

        let patience = &settings.supervision;

        let postgres_status = PostgresStatus::default();
        let bell = NewsBell::default();
        let postgres = {
            let settings = database.settings().clone();
            let (clock, metrics) = (Arc::clone(clock), metrics.clone());
            let (status, journal, bell) = (postgres_status.clone(), journal.clone(), bell.clone());
            supervisor.child(tier(patience, "postgres", move || {
                let (clock, status) = (Arc::clone(&clock), status.clone());
                let (journal, bell) = (journal.clone(), bell.clone());
                #[expect(clippy::expect_used, reason = "a factory that panics is a failed generation, tried again")]
                PostgresTier::new(settings.clone(), clock, metrics.clone(), status, journal, bell)
                    .expect("a pool can be made")
            }))
        };
        // Also when no copies are kept there: the nodes share their pace through it.
        let redis = settings.redis.clone().map(|settings| {
            let metrics = metrics.clone();
            supervisor.child(tier(patience, "redis", move || RedisTier::new(settings.clone(), metrics.clone())))
        });
        let ground = Ground { settings, ledger, postgres: &postgres, redis: redis.as_ref(), clock, random, metrics };
        let vendors = Vendors::open(&ground);
        let parts = vendors.parts(&ground);
        let fetcher = supervisor.child(tier(patience, "fetcher", move || Fetcher::new(parts.clone())));
        let books = PostgresBooks { postgres: postgres.clone(), caps: settings.caps, clock: Arc::clone(clock) };
        let mut notifier = settings.notifier.clone();
        if settings.database_url.is_none() {
            // Nobody else stores anything, and its one connection is the lookups' own.
            notifier.look_every = notifier.look_idle;
        }
        let log = StoredEvents::new(postgres.clone(), Arc::clone(clock), notifier.patience);
        let news = Feed::new(Arc::new(log.clone()), notifier.clone(), Arc::clone(clock), metrics.clone());
        let gate = Gate::new(Arc::new(SystemNames), notifier.webhook_private);
        let parts = NotifierParts {
            postgres: postgres.clone(),
            log: Arc::new(log),
            feed: news.clone(),
            bell: bell.clone(),
            gate: gate.clone(),
            settings: notifier.clone(),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            metrics: metrics.clone(),
        };
        supervisor.child(tier(patience, "notifier", move || Notifier::new(parts.clone())));
        let webhooks = StoredWebhooks {
            postgres: postgres.clone(),
            gate,
            settings: notifier,
            clock: Arc::clone(clock),
            random: Arc::clone(random),
        };
        let (monitors, watched) = (fetcher.clone(), postgres.clone());
        // Whoever takes no callbacks has none to miss, and without a key there is nobody to ask.
        let hears = settings.callbacks.token.is_some() && settings.fetcher.api_key.is_some();
        let callback_list: Option<Arc<dyn CallbackList>> = if hears { Some(Arc::new(fetcher.clone())) } else { None };
        let court = Vendor::new(fetcher.clone(), settings.callbacks.token.is_some());
        let (shelf, callback_shelf) = (postgres.clone(), postgres.clone());
        let lists = postgres.clone();
        let sync_shelf = postgres.clone();
        let tiers = Tiers { redis, postgres, fetcher, journal: journal.clone() };
        let wishes = Arc::new(WishList::default());
        let shared = Shared {
            near: Arc::new(NearCopies::new(settings.coordinator.near_bytes, settings.coordinator.near_ttl)),
            early: Arc::new(Early::new(Arc::clone(random), wishes)),
        };
        let in_common = shared.clone();
        let shards = (0..settings.coordinator.shards.max(1)).map(|index| {
            let settings = settings.coordinator.clone();
            let permits = settings.permits;
            let grace = settings.store_patience + JOURNAL_GRACE;
            let (clock, metrics, shared, tiers) = (Arc::clone(clock), metrics.clone(), shared.clone(), tiers.clone());
            let factory = move || {
                Coordinator::new(settings.clone(), Arc::clone(&clock), metrics.clone(), shared.clone(), tiers.clone())
            };
            supervisor.child(ChildSpec {
                permits,
                // A purchase that is being stored, or journaled because PostgreSQL hangs, is worth waiting for.
                shutdown_grace: grace,
                intensity: patience.intensity,
                escalation: Escalation::ExitProcess,
                ..tier(patience, format!("coordinator-{index}"), factory)
            })
        });
        let coordinators = Coordinators::new(in_common, shards.collect(), Arc::clone(clock));
        let updates = {
            let settings = settings.updates;
            let around = Surroundings {
                court: Arc::new(court),
                refresher: Arc::new(Chain::new(coordinators.clone(), Arc::clone(clock))),
                book: Arc::new(Shelf::new(shelf, Arc::clone(clock), settings.book_patience)),
                unsaved: Unsaved::default(),
                clock: Arc::clone(clock),
            };
            let factory = move || CourtUpdates::new(settings, around.clone());
            let permits = settings.permits;
            Updates::new(supervisor.child(ChildSpec { permits, ..tier(patience, "updates", factory) }))
        };
        let watches = {
            let watching =
                Watching { fetcher: monitors, postgres: watched, coordinators: &coordinators, settings, clock };
            let (parts, face) = watching.parts(&vendors.escavador);
            let factory = move || parts.watcher();
            let permits = settings.watch.permits;
            face.over(supervisor.child(ChildSpec { permits, ..tier(patience, "watcher", factory) }))
        };
        let callbacks = {
            let (settings, postgres) = (settings.callbacks.clone(), callback_shelf);
            let intake = Intake::new(postgres.clone(), Arc::clone(clock), metrics.clone(), settings.intake_patience);
            let around = callbacks::Surroundings {
                copies: Arc::new(AmendedCopies::new(coordinators.clone())),
                watches: Arc::new(WatchList::new(postgres.clone(), Arc::clone(clock), settings.book_patience)),
                requests: Arc::new(updates.clone()),
                list: callback_list,
                intake: intake.clone(),
                postgres,
                metrics: metrics.clone(),
                clock: Arc::clone(clock),
            };
            let factory = move || Callbacks::new(settings.clone(), around.clone());
            let _nobody_asks_it = supervisor.child(tier(patience, "callbacks", factory));
            intake
        };
        let warm = {
            let settings = settings.warm;
            let book = Arc::new(warm::book::Shelf::new(lists, Arc::clone(clock), settings.book_patience));
            let looker = Arc::new(warm::looker::Chain::new(coordinators.clone(), Arc::clone(clock), &settings));
            let (bell, random) = (warm::Bell::default(), Arc::clone(random));
            let desk = WarmDesk::new(book.clone(), bell.clone(), Arc::clone(&random), settings);
            let around = warm::Surroundings { book, looker, bell, random };
            let factory = move || Warmer::new(settings, around.clone());
            let shutdown_grace = settings.shutdown_grace;
            supervisor.child(ChildSpec { shutdown_grace, ..tier(patience, "warmer", factory) });
            desk
        };
        let reins = Reins::default();
        let sync = {
            let (settings, prices) = (settings.sync, settings.fetcher.prices);
            let book = Arc::new(scheduler::book::Shelf::new(sync_shelf, Arc::clone(clock), settings.book_patience));
            let price = RefreshPrice { status: prices.status, cover: prices.cover, page: prices.movements };
            let around = scheduler::Surroundings {
                book: Arc::<scheduler::book::Shelf>::clone(&book),
                refresher: Arc::new(scheduler::chain::Chain::new(coordinators.clone(), Arc::clone(clock))),
                reads: Arc::new(coordinators.clone()),
                clock: Arc::clone(clock),
                random: Arc::clone(random),
                metrics: metrics.clone(),
                reins: reins.clone(),
            };
            let rules = Rules { price, ..Rules::default() };
            let factory = move || SyncScheduler::new(settings, rules, around.clone());
            supervisor
                .child(ChildSpec { shutdown_grace: settings.stop_within, ..tier(patience, "scheduler", factory) });
            SyncOffice::new(settings, book, reins.clone(), Arc::clone(clock))
        };
        Ok(Self {
            supervisor,
            coordinators,
            updates,
            watches,
            callbacks,
            warm,
            sync,
            reins,
            postgres_status,
            vendors,
            books,
            news,
            webhooks,
        })
    }
}

fn tier<A: Child>(
    patience: &SupervisionSettings,
    name: impl Into<Arc<str>>,
    factory: impl Fn() -> A + Send + Sync + 'static,
) -> ChildSpec<A> {
    let SupervisionSettings { heartbeat, backoff, .. } = *patience;
    ChildSpec { permits: TIER_PERMITS, heartbeat, backoff, ..ChildSpec::new(name, factory) }
}

/// Counts restarts and says them.
fn observer(metrics: Metrics) -> Box<dyn Fn(&ChildEvent) + Send + Sync> {
    Box::new(move |event| match event {
        ChildEvent::Up { child, generation } => {
            // The series exists from the start, so that its first increase is seen.
            let _restarts = metrics.actor_restarts.get_or_create(&ActorLabel { actor: child.to_string() });
            tracing::debug!(actor = %child, generation, "actor is up");
        }
        ChildEvent::Failed { child, generation, cause, next } => {
            metrics.actor_restarts.get_or_create(&ActorLabel { actor: child.to_string() }).inc();
            tracing::warn!(actor = %child, generation, cause = cause.as_str(), next = next.as_str(), "actor failed");
        }
    })
}
