//! Warming: lists of processes are loaded in the background, so that whoever asks for them later finds them.
//!
//! - `plan`: what a try means for its process and its list, as a pure function.
//! - `actor`, `worker`: take what is due and look it up; every node does, and they share the work.
//! - `looker`, `book`: the ways to the fallback chain, and to the stored lists. Everything that must outlive a node is in PostgreSQL.
//!
//! A list that was accepted is stored. Who takes a process has it alone for a lease by the database's clock; a node that dies gives it
//! back when that ends. What was bought for it meanwhile is found by whoever takes it then, so nothing is bought twice. What stops
//! everything (no credit, a cap, the vendor's pace, an outage) pauses the list, and after the pause one process at a time finds out
//! whether it is over.

mod actor;
pub mod book;
pub mod looker;
pub mod plan;
mod worker;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;

pub use self::actor::Warmer;
pub use self::worker::Surroundings;

use crate::ambient::SharedRandom;
use crate::config::warm::WarmSettings;
use crate::domain::cnj::Cnj;
use crate::domain::warm::{WarmDetail, WarmList};
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::warm::messages::AcceptList;

use self::book::Book;

/// Wakes this node's warmer, and tells it when to take nothing more. Clones share it, and it outlives the actor's generations.
#[derive(Debug, Clone)]
pub struct Bell {
    rung: watch::Sender<Rung>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rung {
    times: u64,
    closed: bool,
    /// Processes that are being looked up.
    busy: usize,
}

impl Default for Bell {
    fn default() -> Self {
        Self { rung: watch::Sender::new(Rung::default()) }
    }
}

impl Bell {
    /// There may be something to do.
    pub fn ring(&self) {
        self.rung.send_modify(|rung| rung.times = rung.times.wrapping_add(1));
    }

    /// The service ends: what is being looked up is finished, nothing else is begun.
    pub fn close(&self) {
        self.rung.send_modify(|rung| rung.closed = true);
    }

    fn began(&self) {
        self.rung.send_modify(|rung| rung.busy = rung.busy.saturating_add(1));
    }

    /// A lookup has ended: there is room for another.
    fn ended(&self) {
        self.rung.send_modify(|rung| {
            rung.busy = rung.busy.saturating_sub(1);
            rung.times = rung.times.wrapping_add(1);
        });
    }

    async fn idle(&self) {
        // An error would mean that the sender is gone, but `self` holds it.
        let _idle = self.rung.subscribe().wait_for(|rung| rung.busy == 0).await.is_ok();
    }

    fn listen(&self) -> watch::Receiver<Rung> {
        self.rung.subscribe()
    }

    fn is_closed(&self) -> bool {
        self.rung.borrow().closed
    }
}

/// Takes lists in and tells how they stand.
#[derive(Clone)]
pub struct WarmDesk {
    book: Arc<dyn Book>,
    bell: Bell,
    random: SharedRandom,
    settings: WarmSettings,
}

impl WarmDesk {
    /// In front of the stored lists.
    #[must_use]
    pub fn new(book: Arc<dyn Book>, bell: Bell, random: SharedRandom, settings: WarmSettings) -> Self {
        Self { book, bell, random, settings }
    }

    /// Stores a list of processes, each of which comes once; none if too many lists run already.
    ///
    /// # Errors
    /// When PostgreSQL did not take it. It may have done so all the same; whoever sends the list again pays nothing for that.
    pub fn accept(&self, cnjs: Vec<Cnj>, duplicates: usize) -> BoxFuture<'_, Result<Option<WarmList>, PostgresError>> {
        let id = format!("{:016x}", self.random.bits() >> 64);
        let most_running = self.settings.most_running;
        async move {
            let list = self.book.accept(AcceptList { id, cnjs, duplicates, most_running }).await?;
            if let Some(list) = &list {
                tracing::info!(list = list.id, total = list.total, "a list of processes to load was accepted");
                self.bell.ring();
            }
            Ok(list)
        }
        .boxed()
    }

    /// The latest lists, the newest first.
    ///
    /// # Errors
    /// When PostgreSQL cannot be asked.
    pub fn latest(&self, most: usize) -> BoxFuture<'_, Result<Vec<WarmList>, PostgresError>> {
        self.book.latest(most)
    }

    /// One list, with the first of its processes that failed; none if there is no such list.
    ///
    /// # Errors
    /// As [`latest`](Self::latest).
    pub fn read(&self, id: String, most_failed: usize) -> BoxFuture<'_, Result<Option<WarmDetail>, PostgresError>> {
        self.book.read(id, most_failed)
    }

    /// Stops a list and says how it stands; none if there is no such list.
    ///
    /// # Errors
    /// As [`latest`](Self::latest).
    pub fn cancel(&self, id: String) -> BoxFuture<'_, Result<Option<WarmList>, PostgresError>> {
        self.book.cancel(id)
    }

    /// The service ends: nothing more is begun.
    pub fn close(&self) {
        self.bell.close();
    }

    /// Waits a moment for what is being looked up. Call it before the way to the vendor is closed: between a cover and its movements
    /// that would be money for nothing.
    pub async fn finish(&self) {
        let finished = timeout(self.settings.shutdown_grace, self.bell.idle()).await;
        if finished.is_err() {
            tracing::info!("what is being loaded is left to the next start, or to another node");
        }
    }
}
