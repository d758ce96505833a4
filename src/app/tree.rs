//! The actor tree: who is started, in which order, and how much is put up with from each.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::background::Background;
use super::books::PostgresBooks;
use super::database::Database;
use super::vendors::{Ground, Vendors};
use crate::ambient::{SharedClock, SharedRandom};
use crate::callbacks::Intake;
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
use crate::notifier::{Feed, StoredWebhooks};
use crate::postgres_tier::bell::NewsBell;
use crate::postgres_tier::{PostgresStatus, PostgresTier};
use crate::redis_tier::actor::RedisTier;
use crate::scheduler::Reins;
use crate::scheduler::desk::SyncOffice;
use crate::supervision::{Child, ChildEvent, ChildSpec, Escalation, Supervisor};
use crate::telemetry::metrics::{ActorLabel, Metrics};
use crate::updates::Updates;
use crate::warm::WarmDesk;
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
        let tiers = Tiers { redis, postgres: postgres.clone(), fetcher: fetcher.clone(), journal: journal.clone() };
        let wishes = Arc::new(WishList::default());
        let shared = Shared {
            near: Arc::new(NearCopies::new(settings.coordinator.near_bytes, settings.coordinator.near_ttl)),
            early: Arc::new(Early::new(Arc::clone(random), Arc::<WishList>::clone(&wishes))),
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
        let background = Background {
            supervisor: &supervisor,
            settings,
            postgres: &postgres,
            fetcher: &fetcher,
            coordinators: &coordinators,
            clock,
            random,
            metrics,
        };
        let (news, webhooks) = background.notifier(bell);
        let updates = background.updates();
        let watches = background.watches(&vendors);
        let callbacks = background.callbacks(&updates);
        let warm = background.warm();
        let (sync, reins) = background.sync(wishes);
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

/// A child that is tried for ever.
pub(super) fn tier<A: Child>(
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
