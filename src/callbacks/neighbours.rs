//! Whom a callback may concern besides our copies: those who watch a process, and those who follow an update request.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ambient::SharedClock;
use crate::domain::cnj::Cnj;
use crate::domain::watch::MonitorState;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::callbacks::messages::IsWatched;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::watch::messages::DoubtMonitor;
use crate::resilience::Deadline;
use crate::supervision::{ActorRef, AskError};
use crate::updates::Updates;

/// Whoever knows which processes are watched.
pub trait Watches: Send + Sync {
    /// Whether somebody watches a process.
    fn is_watched(&self, cnj: Cnj) -> BoxFuture<'_, Result<bool, PostgresError>>;

    /// Has the vendor asked about a monitor of which a callback says something else than is known. False: nothing else is said, or the
    /// process has no monitor of ours.
    fn monitor_says(&self, cnj: Cnj, found: bool) -> BoxFuture<'_, Result<bool, PostgresError>>;
}

/// The durable tier as [`Watches`].
#[derive(Clone)]
pub struct WatchList {
    postgres: ActorRef<PostgresTier>,
    clock: SharedClock,
    patience: Duration,
}

impl WatchList {
    /// Over the durable tier, which is waited for so long.
    #[must_use]
    pub fn new(postgres: ActorRef<PostgresTier>, clock: SharedClock, patience: Duration) -> Self {
        Self { postgres, clock, patience }
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), self.patience)
    }
}

impl Watches for WatchList {
    fn is_watched(&self, cnj: Cnj) -> BoxFuture<'_, Result<bool, PostgresError>> {
        async move { self.postgres.ask_again(IsWatched { cnj }, self.soon()).await? }.boxed()
    }

    fn monitor_says(&self, cnj: Cnj, found: bool) -> BoxFuture<'_, Result<bool, PostgresError>> {
        let state = if found { MonitorState::Found } else { MonitorState::NotFound };
        async move { self.postgres.ask_again(DoubtMonitor { cnj, state }, self.soon()).await? }.boxed()
    }
}

/// Whoever follows update requests.
pub trait Requests: Send + Sync {
    /// Says that the vendor has finished with a process. False: no request of ours is open.
    fn concluded(&self, cnj: Cnj, deadline: Deadline) -> BoxFuture<'_, Result<bool, AskError>>;
}

impl Requests for Updates {
    fn concluded(&self, cnj: Cnj, deadline: Deadline) -> BoxFuture<'_, Result<bool, AskError>> {
        Self::concluded(self, cnj, deadline).boxed()
    }
}
