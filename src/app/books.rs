//! The books and the lists to load, as PostgreSQL keeps them.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, TryFutureExt};

use crate::ambient::SharedClock;
use crate::domain::cnj::Cnj;
use crate::domain::warm::{WarmDetail, WarmList};
use crate::http::state::{Books, BooksAway, ListsAway, Warmth};
use crate::ledger::report::{Days, LedgerReport};
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::ledger::messages::{Caps, ReadLedger};
use crate::postgres_tier::messages::PostgresError;
use crate::resilience::Deadline;
use crate::supervision::ActorRef;
use crate::warm::WarmDesk;

/// A report over many days takes longer than a lookup; nobody else waits for it.
const PATIENCE: Duration = Duration::from_secs(8);

/// Reads the ledger.
pub(super) struct PostgresBooks {
    pub(super) postgres: ActorRef<PostgresTier>,
    pub(super) caps: Caps,
    pub(super) clock: SharedClock,
}

impl Books for PostgresBooks {
    fn report(&self, days: Days) -> BoxFuture<'_, Result<LedgerReport, BooksAway>> {
        let deadline = Deadline::after(self.clock.monotonic(), PATIENCE);
        let read = ReadLedger { days, caps: self.caps };
        async move { self.postgres.ask(read, deadline).await.map_err(|_| BooksAway)?.map_err(|_| BooksAway) }.boxed()
    }
}

impl Warmth for WarmDesk {
    fn accept(&self, cnjs: Vec<Cnj>, duplicates: usize) -> BoxFuture<'_, Result<Option<WarmList>, ListsAway>> {
        Self::accept(self, cnjs, duplicates).map_err(away).boxed()
    }

    fn latest(&self, most: usize) -> BoxFuture<'_, Result<Vec<WarmList>, ListsAway>> {
        Self::latest(self, most).map_err(away).boxed()
    }

    fn read(&self, id: String, most_failed: usize) -> BoxFuture<'_, Result<Option<WarmDetail>, ListsAway>> {
        Self::read(self, id, most_failed).map_err(away).boxed()
    }

    fn cancel(&self, id: String) -> BoxFuture<'_, Result<Option<WarmList>, ListsAway>> {
        Self::cancel(self, id).map_err(away).boxed()
    }
}

fn away(error: PostgresError) -> ListsAway {
    tracing::debug!(error = error.as_str(), "the lists of processes to load cannot be reached");
    ListsAway
}
