//! The composition root: configuration → database → actor tree → HTTP, and the way back down.

mod background;
mod books;
mod database;
mod readiness;
mod tree;
mod vendors;
mod watching;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, join_all, join3};
use secrecy::SecretString;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::database::Database;
use self::readiness::Standing;
use self::tree::Tree;
use self::vendors::Vendors;
use crate::ambient::{SharedClock, SharedRandom};
use crate::callbacks::{Intake, Receipt, Via};
use crate::config::{Settings, lookup_limit};
use crate::coordinator::Coordinators;
use crate::coordinator::messages::{Demand, Lookup, LookupError, Served};
use crate::domain::callback::{CallbackReport, CallbackState};
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::http::admin::AdminDoor;
use crate::http::callbacks::CallbackDoor;
use crate::http::server::{ConnectionSettings, bind, serve};
use crate::http::state::{
    CallbackDesk, CallbacksAway, CourtDesk, HttpSettings, HttpState, Lookups, Services, SyncDesk,
};
use crate::journal::{self, Journal};
use crate::ledger::{self, Ledger};
use crate::postgres_tier::sync::messages::{Requested, Run};
use crate::resilience::Deadline;
use crate::scheduler::Reins;
use crate::scheduler::desk::{Cleaned, SyncAway, SyncOffice, SyncStatus};
use crate::supervision::Supervisor;
use crate::supervision::spawn::detach_named;
use crate::telemetry::Metrics;
use crate::updates::Updates;
use crate::updates::messages::{self as updates, UpdateError};
use crate::warm::WarmDesk;

/// How long a start waits for the tier to find the database that was migrated just now.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);

/// How long the very first start waits for the vendor's balance, from which everything that is spent is counted.
const OPENING: Duration = Duration::from_secs(4);

/// How long requests in flight may go on after a stop before they are told that the service ends; less than the server's own
/// grace, so that they hear it.
const CLOSE_AFTER: Duration = Duration::from_secs(7);

/// A running service.
pub struct App {
    address: SocketAddr,
    http: HttpState,
    server: ServerHandle,
    server_ended: oneshot::Receiver<io::Result<()>>,
    supervisor: Supervisor,
    vendors: Vendors,
    coordinators: Coordinators,
    warm: WarmDesk,
    reins: Reins,
    finish_within: Duration,
    database: Database,
    clock: SharedClock,
    lookup_limit: Duration,
    generated_token: Option<SecretString>,
}

/// Why the service does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The port is taken, or not ours to take.
    #[error("cannot listen on {address}: {source} (set JUSCACHE_LISTEN to another address)")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The system's words.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error("cannot use the data folder {folder}: {source} (set JUSCACHE_DATA_DIR to a folder this user may write to)")]
    DataFolder {
        /// The folder.
        folder: String,
        /// The system's words.
        source: io::Error,
    },
    /// The database cannot be made ready, and waiting would not help.
    #[error("{0}")]
    Database(String),
    /// The machine refuses threads.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// How a service ended.
#[derive(Debug)]
pub enum Ending {
    /// It was told to.
    Stopped,
    /// It cannot go on, and says why.
    Fatal(String),
}

impl App {
    /// Starts everything. A Redis or a PostgreSQL server that is away keeps nothing from starting.
    ///
    /// # Errors
    /// Says what to do, see [`StartError`].
    pub async fn start(settings: Settings, clock: SharedClock, random: SharedRandom) -> Result<Self, StartError> {
        // Bound first: a second service on the same port fails before it touches the data folder.
        let listener = bind(settings.server.listen)
            .and_then(|listener| Ok((listener.local_addr()?, listener)))
            .map_err(|source| StartError::Listen { address: settings.server.listen, source })?;
        let (address, listener) = listener;
        let unusable = |source| StartError::DataFolder { folder: settings.data_dir.display().to_string(), source };
        let journal = Journal::open(&journal::folder_in(&settings.data_dir)).map_err(&unusable)?;
        let ledger = Ledger::open(&ledger::folder_in(&settings.data_dir), &random, ledger::DEFAULT_CAPACITY)
            .map_err(&unusable)?;

        let metrics = Metrics::new();
        let database = Database::open(&settings).await?;
        let tree = Tree::grow(&settings, &database, &journal, &ledger, &clock, &random, &metrics)
            .map_err(StartError::Thread)?;
        if database.is_migrated() {
            // So that the first lookups find what is stored; a database that was away just now is not waited for again.
            let _ready = timeout(DATABASE_PATIENCE, tree.postgres_status.becomes(true)).await;
            // Before anything is bought; at every later start this is known.
            let _opened = timeout(OPENING, tree.vendors.keeper.stock.opened()).await;
        }

        let standing = Standing::new(&settings, &tree, journal, ledger, metrics.clone());
        let http = HttpSettings { lookup_deadline: lookup_limit(&settings.coordinator), ..HttpSettings::default() };
        let lookup_limit = http.lookup_deadline;
        let (door, generated_token) = match &settings.admin_token {
            Some(token) => (AdminDoor::new(token), None),
            None => {
                let (door, token) = AdminDoor::with_new_token(&*random);
                (door, Some(token))
            }
        };
        let Tree {
            supervisor,
            coordinators,
            vendors,
            books,
            updates,
            news,
            webhooks,
            watches,
            callbacks,
            warm,
            sync,
            reins,
            ..
        } = tree;
        let callback_door = CallbackDoor::new(settings.callbacks.token.as_ref());
        let services = Services {
            lookups: Arc::new(coordinators.clone()),
            readiness: Arc::new(standing),
            books: Arc::new(books),
            court: Arc::new(updates),
            watches: Arc::new(watches),
            callbacks: Arc::new(callbacks),
            callback_door: Arc::new(callback_door),
            sync: Arc::new(sync),
            door: Arc::new(door),
            news,
            webhooks: Arc::new(webhooks),
            warm: Arc::new(warm.clone()),
        };
        let state = HttpState::new(services, metrics, Arc::clone(&clock), random, http);
        let connections = ConnectionSettings::new(settings.server.workers);
        let (running, server) = serve(listener, state.clone(), &connections)
            .map_err(|source| StartError::Listen { address: settings.server.listen, source })?;
        let (ended, server_ended) = oneshot::channel();
        detach_named("http server", async move {
            // Nobody listens any more when the service was stopped on purpose.
            let _unheard = ended.send(running.await);
        });
        Ok(Self {
            address,
            http: state,
            server,
            server_ended,
            supervisor,
            vendors,
            coordinators,
            warm,
            reins,
            finish_within: settings.sync.stop_within,
            database,
            clock,
            lookup_limit,
            generated_token,
        })
    }

    /// The admin token that was made at this start, because the settings name none. Whoever starts the service prints it, once.
    #[must_use]
    pub fn generated_token(&self) -> Option<&SecretString> {
        self.generated_token.as_ref()
    }

    /// Where it listens, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The supervisor of the actor tree, for tests that break actors from inside.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// The fallback chain, without HTTP in front.
    #[must_use]
    pub fn coordinators(&self) -> &Coordinators {
        &self.coordinators
    }

    /// Looks processes up, all at once, so that they are known. Numbers that are none are passed over.
    pub async fn learn(&self, numbers: &[String]) {
        let deadline = Deadline::after(self.clock.monotonic(), self.lookup_limit);
        let lookups = numbers.iter().filter_map(|number| Cnj::parse(number).ok()).map(|cnj| async move {
            let lookup = Lookup { cnj, demand: Demand::default(), caller: Caller::Service, deadline, allowance: None };
            if let Err(error) = self.coordinators.lookup(lookup).await {
                tracing::warn!(%cnj, %error, "not learned");
            }
        });
        join_all(lookups).await;
    }

    /// Runs until `stop` resolves or the service cannot go on, then shuts down in order.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Ending {
        let ending = tokio::select! {
            () = stop => Ending::Stopped,
            fatal = self.supervisor.fatal() => Ending::Fatal(format!("{}: {}", fatal.child, fatal.reason)),
            ended = &mut self.server_ended => {
                let cause = ended.ok().and_then(Result::err).map(|error| error.to_string());
                Ending::Fatal(cause.unwrap_or_else(|| "the HTTP server ended".into()))
            }
        };
        self.stop().await;
        ending
    }

    /// Shuts down in order: no new requests, then those in flight, then the actors from the top, then the database.
    pub async fn stop(self) {
        tracing::info!("shutting down");
        let clock = Arc::clone(&self.http.clock);
        let begun = clock.monotonic();
        // Streams would otherwise be waited for.
        self.http.services.news.close();
        self.warm.close();
        // At once: no refresh begins any more, and another node may lead.
        self.reins.stop();
        let served = async {
            let stopped = self.server.stop(true);
            tokio::pin!(stopped);
            if timeout(CLOSE_AFTER, &mut stopped).await.is_err() {
                self.http.close();
                stopped.await;
            }
        };
        // Between a cover and its movements the way to the vendor must not be closed: that would be money for nothing.
        join3(served, self.warm.finish(), self.reins.finished(self.finish_within)).await;
        self.vendors.close().await;
        // Their graces began with the stop: whoever sent the signal waits ten seconds before it kills.
        self.supervisor.shutdown_since(clock.monotonic().saturating_duration_since(begun)).await;
        self.database.close().await;
    }
}

impl Lookups for Coordinators {
    fn lookup(&self, lookup: Lookup) -> BoxFuture<'_, Result<Served, LookupError>> {
        Self::lookup(self, lookup).boxed()
    }

    fn near(&self, cnj: &Cnj) -> Option<Served> {
        Self::near(self, cnj, &Demand::default())?.ok()
    }
}

impl CourtDesk for Updates {
    fn ask(&self, cnj: Cnj, deadline: Deadline) -> BoxFuture<'_, Result<updates::Standing, UpdateError>> {
        Self::ask(self, cnj, Caller::Anonymous, deadline).boxed()
    }

    fn status(&self, cnj: Cnj, deadline: Deadline) -> BoxFuture<'_, Result<updates::Standing, UpdateError>> {
        Self::status(self, cnj, Caller::Anonymous, deadline).boxed()
    }
}

impl CallbackDesk for Intake {
    fn take(&self, body: Bytes) -> BoxFuture<'_, Result<Receipt, CallbacksAway>> {
        async move { Self::take(self, body, Via::Delivery).await.map_err(|_away| CallbacksAway) }.boxed()
    }

    fn report(
        &self,
        state: Option<CallbackState>,
        most: usize,
    ) -> BoxFuture<'_, Result<CallbackReport, CallbacksAway>> {
        async move { Self::report(self, state, most).await.map_err(|_away| CallbacksAway) }.boxed()
    }
}

impl SyncDesk for SyncOffice {
    fn request(&self) -> BoxFuture<'_, Result<Requested, SyncAway>> {
        Self::request(self).boxed()
    }

    fn status(&self) -> BoxFuture<'_, Result<SyncStatus, SyncAway>> {
        Self::status(self).boxed()
    }

    fn runs(&self, most: u32) -> BoxFuture<'_, Result<Vec<Run>, SyncAway>> {
        Self::runs(self, most).boxed()
    }

    fn clean(&self) -> BoxFuture<'_, Result<Cleaned, SyncAway>> {
        Self::clean(self).boxed()
    }
}
