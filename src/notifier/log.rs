//! The way to the stored events.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ambient::SharedClock;
use crate::domain::cnj::Cnj;
use crate::domain::event::Event;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::events::messages::{ReadEvents, ReadNewestEvent};
use crate::postgres_tier::messages::PostgresError;
use crate::resilience::Deadline;
use crate::supervision::ActorRef;

/// Where events are kept for every node. Their numbers rise in the order in which they become visible.
pub trait EventLog: Send + Sync {
    /// The events after a number, in their order, at most so many; only those of one process if one is named.
    fn read(&self, after: u64, cnj: Option<Cnj>, most: usize) -> BoxFuture<'_, Result<Vec<Event>, PostgresError>>;

    /// The number of the newest event; zero if there never was one.
    fn newest(&self) -> BoxFuture<'_, Result<u64, PostgresError>>;
}

/// The durable tier as an [`EventLog`].
#[derive(Clone)]
pub struct StoredEvents {
    postgres: ActorRef<PostgresTier>,
    clock: SharedClock,
    patience: Duration,
}

impl StoredEvents {
    /// Over the durable tier, which is waited for so long.
    #[must_use]
    pub fn new(postgres: ActorRef<PostgresTier>, clock: SharedClock, patience: Duration) -> Self {
        Self { postgres, clock, patience }
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), self.patience)
    }
}

impl EventLog for StoredEvents {
    fn read(&self, after: u64, cnj: Option<Cnj>, most: usize) -> BoxFuture<'_, Result<Vec<Event>, PostgresError>> {
        let read = ReadEvents { after, cnj, most };
        async move { self.postgres.ask_again(read, self.soon()).await? }.boxed()
    }

    fn newest(&self) -> BoxFuture<'_, Result<u64, PostgresError>> {
        async move { self.postgres.ask_again(ReadNewestEvent, self.soon()).await? }.boxed()
    }
}
