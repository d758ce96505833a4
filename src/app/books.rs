//! The books, as PostgreSQL keeps them.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};

use crate::ambient::SharedClock;
use crate::http::state::{Books, BooksAway};
use crate::ledger::report::{Days, LedgerReport};
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::ledger::messages::{Caps, ReadLedger};
use crate::resilience::Deadline;
use crate::supervision::ActorRef;

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
