//! The way to the stored lists.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ambient::SharedClock;
use crate::domain::warm::{ItemNote, TakenItem, WarmDetail, WarmList};
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::warm::messages::{
    AcceptList, CancelList, ClaimItems, NoteItem, PruneLists, ReadList, ReadLists,
};
use crate::resilience::Deadline;
use crate::supervision::ActorRef;

/// Where lists are kept for every node. What each promises is said at its message.
pub trait Book: Send + Sync {
    /// As [`AcceptList`].
    fn accept(&self, list: AcceptList) -> BoxFuture<'_, Result<Option<WarmList>, PostgresError>>;

    /// As [`ReadList`].
    fn read(&self, id: String, most_failed: usize) -> BoxFuture<'_, Result<Option<WarmDetail>, PostgresError>>;

    /// As [`ReadLists`].
    fn latest(&self, most: usize) -> BoxFuture<'_, Result<Vec<WarmList>, PostgresError>>;

    /// As [`CancelList`].
    fn cancel(&self, id: String) -> BoxFuture<'_, Result<Option<WarmList>, PostgresError>>;

    /// As [`ClaimItems`].
    fn claim(&self, most: usize, lease: Duration) -> BoxFuture<'_, Result<Vec<TakenItem>, PostgresError>>;

    /// As [`NoteItem`].
    fn note(&self, item: TakenItem, note: ItemNote) -> BoxFuture<'_, Result<Option<WarmList>, PostgresError>>;

    /// As [`PruneLists`].
    fn prune(&self, keep: Duration, most: usize) -> BoxFuture<'_, Result<usize, PostgresError>>;
}

/// The durable tier as a [`Book`].
#[derive(Clone)]
pub struct Shelf {
    postgres: ActorRef<PostgresTier>,
    clock: SharedClock,
    patience: Duration,
}

impl Shelf {
    /// Over the durable tier, which is waited for so long.
    #[must_use]
    pub fn new(postgres: ActorRef<PostgresTier>, clock: SharedClock, patience: Duration) -> Self {
        Self { postgres, clock, patience }
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), self.patience)
    }
}

impl Book for Shelf {
    fn accept(&self, list: AcceptList) -> BoxFuture<'_, Result<Option<WarmList>, PostgresError>> {
        async move { self.postgres.ask_again(list, self.soon()).await? }.boxed()
    }

    fn read(&self, id: String, most_failed: usize) -> BoxFuture<'_, Result<Option<WarmDetail>, PostgresError>> {
        let read = ReadList { id, most_failed };
        async move { self.postgres.ask_again(read, self.soon()).await? }.boxed()
    }

    fn latest(&self, most: usize) -> BoxFuture<'_, Result<Vec<WarmList>, PostgresError>> {
        async move { self.postgres.ask_again(ReadLists { most }, self.soon()).await? }.boxed()
    }

    fn cancel(&self, id: String) -> BoxFuture<'_, Result<Option<WarmList>, PostgresError>> {
        async move { self.postgres.ask_again(CancelList { id }, self.soon()).await? }.boxed()
    }

    fn claim(&self, most: usize, lease: Duration) -> BoxFuture<'_, Result<Vec<TakenItem>, PostgresError>> {
        async move { self.postgres.ask(ClaimItems { most, lease }, self.soon()).await? }.boxed()
    }

    fn note(&self, item: TakenItem, note: ItemNote) -> BoxFuture<'_, Result<Option<WarmList>, PostgresError>> {
        async move { self.postgres.ask_again(NoteItem { item, note }, self.soon()).await? }.boxed()
    }

    fn prune(&self, keep: Duration, most: usize) -> BoxFuture<'_, Result<usize, PostgresError>> {
        async move { self.postgres.ask(PruneLists { keep, most }, self.soon()).await? }.boxed()
    }
}
