//! What the HTTP face needs of the rest of the house.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{Semaphore, watch};

use super::admin::AdminDoor;
use super::callbacks::CallbackDoor;
use crate::ambient::{SharedClock, SharedRandom};
use crate::callbacks::Receipt;
use crate::coordinator::messages::{Lookup, LookupError, Served};
use crate::domain::callback::{CallbackReport, CallbackState};
use crate::domain::cnj::Cnj;
use crate::domain::warm::{WarmDetail, WarmList};
use crate::ledger::report::{Days, LedgerReport};
use crate::notifier::{Feed, WebhookDesk};
use crate::postgres_tier::watch::messages::Note;
use crate::resilience::Deadline;
use crate::telemetry::Metrics;
use crate::updates::messages::{Standing, UpdateError};
use crate::watch::{Line, WatchAway};

/// Whoever answers lookups.
pub trait Lookups: Send + Sync {
    /// The best copy that the lookup's demand allows, within its deadline.
    fn lookup(&self, lookup: Lookup) -> BoxFuture<'_, Result<Served, LookupError>>;

    /// A fresh copy that is at hand, for a reader who wants nothing special. None says nothing: ask with a lookup then.
    fn near(&self, cnj: &Cnj) -> Option<Served>;
}

/// Whoever asks the court through the vendor.
pub trait CourtDesk: Send + Sync {
    /// Has the vendor look at the court, unless it is doing so already. May cost money.
    fn ask(&self, cnj: Cnj, deadline: Deadline) -> BoxFuture<'_, Result<Standing, UpdateError>>;

    /// How the last request of a process stands. Costs nothing.
    fn status(&self, cnj: Cnj, deadline: Deadline) -> BoxFuture<'_, Result<Standing, UpdateError>>;
}

/// Whoever knows what is watched.
pub trait WatchDesk: Send + Sync {
    /// Watches a process. True: it was not watched before.
    fn put(&self, cnj: Cnj, note: Note) -> BoxFuture<'_, Result<(Line, bool), WatchAway>>;

    /// One watched process, if it is.
    fn read(&self, cnj: Cnj) -> BoxFuture<'_, Result<Option<Line>, WatchAway>>;

    /// Ends the watching. False: it was not watched.
    fn remove(&self, cnj: Cnj) -> BoxFuture<'_, Result<bool, WatchAway>>;

    /// Watched processes by their numbers, at most so many behind `after`.
    fn list(&self, after: Option<Cnj>, most: u32) -> BoxFuture<'_, Result<Vec<Line>, WatchAway>>;
}

/// Whoever takes the vendor's callbacks in.
pub trait CallbackDesk: Send + Sync {
    /// Stores a callback as it came. What it asks of us is done afterwards.
    fn take(&self, body: Bytes) -> BoxFuture<'_, Result<Receipt, CallbacksAway>>;

    /// The latest callbacks, newest first, at most so many.
    fn report(&self, state: Option<CallbackState>, most: usize)
    -> BoxFuture<'_, Result<CallbackReport, CallbacksAway>>;
}

/// Callbacks can be neither stored nor read now: the database is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("callbacks cannot be stored or read now")]
pub struct CallbacksAway;

/// Whoever knows how the service is.
pub trait Readiness: Send + Sync {
    /// How it is now. Asked often and answered at once: from what is known, not by asking around.
    fn report(&self) -> Report;
}

/// Whoever keeps the books: what was spent, and what was not.
pub trait Books: Send + Sync {
    /// What was spent in these days.
    fn report(&self, days: Days) -> BoxFuture<'_, Result<LedgerReport, BooksAway>>;
}

/// Whoever loads lists of processes in the background. None costs anything to ask.
pub trait Warmth: Send + Sync {
    /// Takes a list in; none if too many run already.
    fn accept(&self, cnjs: Vec<Cnj>, duplicates: usize) -> BoxFuture<'_, Result<Option<WarmList>, ListsAway>>;

    /// The latest lists, the newest first.
    fn latest(&self, most: usize) -> BoxFuture<'_, Result<Vec<WarmList>, ListsAway>>;

    /// One list, with the first of its processes that failed; none if there is no such list.
    fn read(&self, id: String, most_failed: usize) -> BoxFuture<'_, Result<Option<WarmDetail>, ListsAway>>;

    /// Stops a list; none if there is no such list.
    fn cancel(&self, id: String) -> BoxFuture<'_, Result<Option<WarmList>, ListsAway>>;
}

/// The lists cannot be read or changed now: the database is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the lists cannot be reached now")]
pub struct ListsAway;

/// The books cannot be read now: the database is away. What is spent meanwhile is on disk and gets into them later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the ledger cannot be read now")]
pub struct BooksAway;

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether lookups can be answered at all, from whatever is left.
    pub answering: bool,
    /// One line a tier, nearest first.
    pub tiers: Vec<TierLine>,
    /// One line an actor.
    pub actors: Vec<ActorLine>,
    /// The running version.
    pub version: &'static str,
    /// Paid answers that wait in the journal for PostgreSQL.
    pub journal_pending: u64,
}

/// One tier's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TierLine {
    /// `near`, `redis`, `postgres`, `upstream`, `datajud`; and what money depends on, `budget` and `ledger`.
    pub name: &'static str,
    /// How it is.
    pub state: Health,
    /// For engineers, in English, without secrets: what is wrong and since when, or what it is connected to.
    pub detail: String,
}

/// One actor's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorLine {
    /// As the supervisor names it.
    pub name: String,
    /// The supervisor's word for its state.
    pub state: &'static str,
    /// How often it was replaced since the start.
    pub restarts: u64,
}

/// How a tier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It answers.
    Up,
    /// It answers some of the time, or late.
    Degraded,
    /// It does not answer.
    Down,
    /// It is not configured.
    Off,
}

/// The bounds and words of the HTTP face.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// How long a reader waits at the most: every tier's patience in turn, then the vendor's; see `config::lookup_limit`.
    pub lookup_deadline: Duration,
    /// `stale-while-revalidate` in every answer: how long a client's own cache may go on while it asks again.
    pub stale_while_revalidate: Duration,
    /// `stale-if-error` in every answer: how long a client's own cache may go on while we cannot be reached.
    pub stale_if_error: Duration,
    /// Bytes of a request's body: more is 413.
    pub max_body: usize,
    /// As `max_body`, for a list of processes to load: ten thousand numbers with their masks take 280 KiB.
    pub max_list_body: usize,
    /// Cuts of large processes rendered at once beside the workers; more is 503.
    pub max_renders: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            lookup_deadline: Duration::from_secs(31),
            stale_while_revalidate: Duration::from_secs(60),
            stale_if_error: Duration::from_secs(7 * 24 * 60 * 60),
            max_body: 64 * 1024,
            max_list_body: 512 * 1024,
            max_renders: 32,
        }
    }
}

/// Who stands behind the pages.
#[derive(Clone)]
pub struct Services {
    /// Answers lookups.
    pub lookups: Arc<dyn Lookups>,
    /// Knows how the service is.
    pub readiness: Arc<dyn Readiness>,
    /// Keeps the books.
    pub books: Arc<dyn Books>,
    /// Asks the court.
    pub court: Arc<dyn CourtDesk>,
    /// Knows what is watched.
    pub watches: Arc<dyn WatchDesk>,
    /// Takes the vendor's callbacks in.
    pub callbacks: Arc<dyn CallbackDesk>,
    /// Lets the vendor's callbacks in.
    pub callback_door: Arc<CallbackDoor>,
    /// Lets whoever runs the service into the admin pages.
    pub door: Arc<AdminDoor>,
    /// Loads lists.
    pub warm: Arc<dyn Warmth>,
    /// What is new, for streams.
    pub news: Feed,
    /// Keeps the subscribers of webhooks.
    pub webhooks: Arc<dyn WebhookDesk>,
}

/// Everything a handler uses; cloning shares it.
#[derive(Clone)]
pub struct HttpState {
    /// Answers lookups.
    pub lookups: Arc<dyn Lookups>,
    /// Knows how the service is.
    pub readiness: Arc<dyn Readiness>,
    /// Keeps the books.
    pub books: Arc<dyn Books>,
    /// Takes the vendor's callbacks in.
    pub callbacks: Arc<dyn CallbackDesk>,
    /// Lets the vendor's callbacks in.
    pub callback_door: Arc<CallbackDoor>,
    /// Lets whoever runs the service into the admin pages.
    pub door: Arc<AdminDoor>,
    /// Where everything is counted.
    pub metrics: Metrics,
    /// Wall time for ages, monotonic time for deadlines.
    pub clock: SharedClock,
    /// Request ids.
    pub random: SharedRandom,
    /// Bounds and words.
    pub settings: HttpSettings,
    /// Asks the court.
    pub court: Arc<dyn CourtDesk>,
    /// Loads lists.
    pub warm: Arc<dyn Warmth>,
    /// What is new, for streams.
    pub news: Feed,
    /// Keeps the subscribers of webhooks.
    pub webhooks: Arc<dyn WebhookDesk>,
    /// Knows what is watched.
    pub watches: Arc<dyn WatchDesk>,
    /// Permits for renders beside the workers.
    pub(super) renders: Arc<Semaphore>,
    /// Whether the service is about to end.
    closing: watch::Sender<bool>,
}

impl HttpState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        services: Services,
        metrics: Metrics,
        clock: SharedClock,
        random: SharedRandom,
        settings: HttpSettings,
    ) -> Self {
        let renders = Arc::new(Semaphore::new(settings.max_renders));
        let Services {
            lookups,
            readiness,
            books,
            court,
            watches,
            callbacks,
            callback_door,
            door,
            news,
            webhooks,
            warm,
        } = services;
        let closing = watch::Sender::new(false);
        Self {
            lookups,
            readiness,
            books,
            court,
            watches,
            callbacks,
            callback_door,
            door,
            news,
            webhooks,
            warm,
            metrics,
            clock,
            random,
            settings,
            renders,
            closing,
        }
    }

    /// Tells those who still wait that the service is about to end: a clear refusal beats a connection that breaks.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves once the service is about to end.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // An error would mean that the sender is gone, but `self` holds it.
        let _closes = closing.wait_for(|closing| *closing).await.is_ok();
    }
}
