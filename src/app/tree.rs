//! The actor tree: who is started, in which order, and how much is put up with from each.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::books::PostgresBooks;
use super::database::Database;
use super::vendors::{Ground, Vendors};
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::Settings;
use crate::config::supervision::SupervisionSettings;
use crate::coordinator::Coordinators;
use crate::coordinator::actor::Coordinator;
use crate::coordinator::near::NearCopies;
use crate::coordinator::tiers::Tiers;
use crate::fetcher::Fetcher;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::postgres_tier::{PostgresStatus, PostgresTier};
use crate::redis_tier::actor::RedisTier;
use crate::scheduler::choice::Rules;
use crate::scheduler::desk::SyncOffice;
use crate::scheduler::reads::NoReads;
use crate::scheduler::worth::RefreshPrice;
use crate::scheduler::{self, Reins, SyncScheduler};
use crate::supervision::{Child, ChildEvent, ChildSpec, Escalation, Supervisor};
use crate::telemetry::metrics::{ActorLabel, Metrics};
use crate::updates::book::{Shelf, Unsaved};
use crate::updates::refresher::Chain;
use crate::updates::{CourtUpdates, Surroundings, Updates};

/// Asks in flight in one tier. Readers of one process share one ask, so this many processes may be looked for at once.
const TIER_PERMITS: usize = 65_536;

/// What writing a paid answer to the journal may take once PostgreSQL was waited for in vain.
const JOURNAL_GRACE: Duration = Duration::from_secs(4);

/// The tree, and what is known of it from outside.
pub(super) struct Tree {
    pub(super) supervisor: Supervisor,
    pub(super) coordinators: Coordinators,
    pub(super) updates: Updates,
    pub(super) sync: SyncOffice,
    pub(super) reins: Reins,
    pub(super) postgres_status: PostgresStatus,
    pub(super) vendors: Vendors,
    pub(super) books: PostgresBooks,
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
        let postgres = {
            let settings = database.settings().clone();
            let (clock, metrics) = (Arc::clone(clock), metrics.clone());
            let (status, journal) = (postgres_status.clone(), journal.clone());
            supervisor.child(tier(patience, "postgres", move || {
                let (clock, status, journal) = (Arc::clone(&clock), status.clone(), journal.clone());
                #[expect(clippy::expect_used, reason = "a factory that panics is a failed generation, tried again")]
                PostgresTier::new(settings.clone(), clock, metrics.clone(), status, journal)
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
        let (court, shelf, sync_shelf) = (fetcher.clone(), postgres.clone(), postgres.clone());
        let tiers = Tiers { redis, postgres, fetcher, journal: journal.clone() };
        let near = Arc::new(NearCopies::new(settings.coordinator.near_bytes, settings.coordinator.near_ttl));
        let shards = (0..settings.coordinator.shards.max(1)).map(|index| {
            let settings = settings.coordinator.clone();
            let permits = settings.permits;
            let grace = settings.store_patience + JOURNAL_GRACE;
            let (clock, metrics, near, tiers) = (Arc::clone(clock), metrics.clone(), Arc::clone(&near), tiers.clone());
            let factory = move || {
                Coordinator::new(
                    settings.clone(),
                    Arc::clone(&clock),
                    metrics.clone(),
                    Arc::clone(&near),
                    tiers.clone(),
                )
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
        let coordinators = Coordinators::new(Arc::clone(&near), shards.collect(), Arc::clone(clock));
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
        let reins = Reins::default();
        let sync = {
            let (settings, prices) = (settings.sync, settings.fetcher.prices);
            let book = Arc::new(scheduler::book::Shelf::new(sync_shelf, Arc::clone(clock), settings.book_patience));
            let price = RefreshPrice { status: prices.status, cover: prices.cover, page: prices.movements };
            let around = scheduler::Surroundings {
                book: Arc::<scheduler::book::Shelf>::clone(&book),
                refresher: Arc::new(scheduler::chain::Chain::new(coordinators.clone())),
                reads: Arc::new(NoReads),
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
        Ok(Self { supervisor, coordinators, updates, sync, reins, postgres_status, vendors, books })
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
