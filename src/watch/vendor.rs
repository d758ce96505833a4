//! The way to the vendor's monitors, behind the fetcher.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ambient::SharedClock;
use crate::config::watch::WatchSettings;
use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
use crate::domain::watch::Frequency;
use crate::fetcher::Fetcher;
use crate::fetcher::messages::{Failure, FetchError};
use crate::fetcher::monitor_messages::{CreateMonitor, FindMonitor, ReadMonitor, RemoveMonitor, VendorMonitor};
use crate::resilience::Deadline;
use crate::supervision::ActorRef;

/// Whoever looks after the monitors at the vendor. An error after `create` leaves open whether there is one.
pub trait Monitors: Send + Sync {
    /// Creates one, once. None: the vendor says that there is one and does not show it.
    fn create(&self, cnj: Cnj, frequency: Frequency) -> BoxFuture<'_, Result<Option<VendorMonitor>, FetchError>>;

    /// Looks for one in the vendor's list.
    fn find(&self, cnj: Cnj) -> BoxFuture<'_, Result<Option<VendorMonitor>, FetchError>>;

    /// Reads one.
    fn read(&self, id: i64) -> BoxFuture<'_, Result<Option<VendorMonitor>, FetchError>>;

    /// Removes one; that there was none is as good.
    fn remove(&self, id: i64) -> BoxFuture<'_, Result<(), FetchError>>;
}

/// The fetcher as [`Monitors`].
#[derive(Clone)]
pub struct AtVendor {
    /// Who speaks to the vendor.
    pub fetcher: ActorRef<Fetcher>,
    /// How long it may take.
    pub settings: WatchSettings,
    /// Time.
    pub clock: SharedClock,
}

impl AtVendor {
    fn soon(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), self.settings.request_within)
    }

    fn later(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), self.settings.list_within)
    }
}

impl Monitors for AtVendor {
    fn create(&self, cnj: Cnj, frequency: Frequency) -> BoxFuture<'_, Result<Option<VendorMonitor>, FetchError>> {
        // The answer "there is one" is followed by a walk over the list.
        let deadline = self.later();
        let create = CreateMonitor { cnj, frequency, lane: Lane::Background, caller: Caller::Service, deadline };
        async move {
            let created = self.fetcher.ask(create, deadline).await.map_err(|_| UNANSWERED)??;
            tracing::info!(%cnj, adopted = created.adopted, cost_centavos = created.cost_centavos, "monitor created");
            Ok(created.monitor)
        }
        .boxed()
    }

    fn find(&self, cnj: Cnj) -> BoxFuture<'_, Result<Option<VendorMonitor>, FetchError>> {
        let deadline = self.later();
        let find = FindMonitor { cnj, deadline };
        async move { self.fetcher.ask_again(find, deadline).await.map_err(|_| UNANSWERED)? }.boxed()
    }

    fn read(&self, id: i64) -> BoxFuture<'_, Result<Option<VendorMonitor>, FetchError>> {
        let deadline = self.soon();
        let read = ReadMonitor { id, deadline };
        async move { self.fetcher.ask_again(read, deadline).await.map_err(|_| UNANSWERED)? }.boxed()
    }

    fn remove(&self, id: i64) -> BoxFuture<'_, Result<(), FetchError>> {
        let deadline = self.soon();
        let remove = RemoveMonitor { id, deadline };
        async move { self.fetcher.ask_again(remove, deadline).await.map_err(|_| UNANSWERED)?.map(|_gone| ()) }.boxed()
    }
}

/// The fetcher gave no answer: whatever it did is as unclear as after a timeout.
const UNANSWERED: FetchError = FetchError { failure: Failure::TimedOut, retry_after: None, cost_centavos: 0 };
