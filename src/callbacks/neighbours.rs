//! Whom a callback may concern besides our copies: those who watch a process, and those who follow an update request.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ambient::SharedClock;
use crate::domain::cnj::Cnj;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::callbacks::messages::{IsWatched, NoteMonitor};
use crate::postgres_tier::messages::PostgresError;
use crate::resilience::Deadline;
use crate::supervision::{ActorRef, AskError};
use crate::updates::Updates;

/// Whoever knows which processes are watched.
pub trait Watches: Send + Sync {
    /// Whether somebody watches a process.
    fn is_watched(&self, cnj: Cnj) -> BoxFuture<'_, Result<bool, PostgresError>>;

    /// Writes down what the vendor said about a monitor. False: it is none of ours.
    fn monitor_says(&self, cnj: Cnj, id: Option<i64>, found: bool) -> BoxFuture<'_, Result<bool, PostgresError>>;
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
        async move { self.postgres.ask_again(IsWatched { cnj }, self.soon()).await.map_err(away)? }.boxed()
    }

    fn monitor_says(&self, cnj: Cnj, id: Option<i64>, found: bool) -> BoxFuture<'_, Result<bool, PostgresError>> {
        let note = NoteMonitor { cnj, monitor_id: id, found };
        async move { self.postgres.ask_again(note, self.soon()).await.map_err(away)? }.boxed()
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

/// A durable tier that was not asked, or gave no answer.
pub(super) fn away(error: AskError) -> PostgresError {
    match error {
        AskError::TimedOut => PostgresError::TimedOut,
        AskError::Unavailable | AskError::Overloaded | AskError::Crashed => PostgresError::Away,
    }
}
