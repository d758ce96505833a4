//! The watcher: works on the monitors that are due, and buys what is newly watched.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context, Handler};
use futures_util::future::join_all;
use tokio::time::sleep;

use super::messages::Learn;
use super::plan;
use super::vendor::Monitors;
use crate::ambient::SharedClock;
use crate::config::watch::WatchSettings;
use crate::coordinator::Coordinators;
use crate::coordinator::messages::{Demand, Lookup, LookupError, Reach};
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::watch::Frequency;
use crate::fetcher::monitor_messages::VendorMonitor;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::watch::messages::{ClaimMonitors, MonitorJob, MonitorTask, SaveMonitor, SaveRemoval};
use crate::resilience::Deadline;
use crate::supervised;
use crate::supervision::ActorRef;
use crate::supervision::spawn::{detach_named, detach_to_finish};

/// What the actor needs of the rest of the house.
#[derive(Clone)]
pub struct Surroundings {
    /// The vendor's monitors.
    pub vendor: Arc<dyn Monitors>,
    /// The stored rows.
    pub postgres: ActorRef<PostgresTier>,
    /// Our copies.
    pub coordinators: Coordinators,
    /// Time for deadlines.
    pub clock: SharedClock,
}

/// Everything that must outlive it is in PostgreSQL.
pub struct Watcher {
    hand: Rc<Hand>,
}

struct Hand {
    settings: WatchSettings,
    around: Surroundings,
    learning: Cell<usize>,
}

impl Watcher {
    /// One generation.
    #[must_use]
    pub fn new(settings: WatchSettings, around: Surroundings) -> Self {
        Self { hand: Rc::new(Hand { settings, around, learning: Cell::new(0) }) }
    }
}

impl Actor for Watcher {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let hand = Rc::clone(&self.hand);
        detach_named("monitors", async move {
            loop {
                hand.look().await;
                sleep(hand.settings.look_every).await;
            }
        });
    }
}

supervised!(Watcher);

impl Handler<Learn> for Watcher {
    type Result = bool;

    fn handle(&mut self, learn: Learn, _: &mut Self::Context) -> bool {
        let learning = self.hand.learning.get();
        if learning >= self.hand.settings.learning {
            return false;
        }
        self.hand.learning.set(learning + 1);
        let place = Place { hand: Rc::clone(&self.hand) };
        detach_to_finish("watched process", async move { place.hand.learn(learn.cnj).await });
        true
    }
}

/// A place among those that are being bought, also given back after a panic.
struct Place {
    hand: Rc<Hand>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hand.learning.set(self.hand.learning.get().saturating_sub(1));
    }
}

impl Hand {
    /// Buys a process, unless a copy of whatever age is held.
    async fn learn(&self, cnj: Cnj) {
        let deadline = self.until(self.settings.learn_within);
        let held =
            Demand { reach: Reach::Held, max_age: None, max_stale: Some(std::time::Duration::MAX), patient: false };
        for demand in [held, Demand::default()] {
            let lookup = Lookup { cnj, demand, caller: Caller::Service, deadline, allowance: None };
            match self.around.coordinators.lookup(lookup).await {
                Ok(_) => return,
                Err(LookupError::NotHeld) => {}
                Err(error) => tracing::debug!(%cnj, %error, "a newly watched process is not stored yet"),
            }
        }
    }

    /// Works on what is due, a batch at the most.
    async fn look(&self) {
        let settings = &self.settings;
        let claim = ClaimMonitors { most: settings.batch, lease: settings.lease(), wish: settings.monitors };
        match self.around.postgres.ask(claim, self.until(settings.book_patience)).await {
            Ok(Ok(due)) => drop(join_all(due.into_iter().map(|task| self.work(task))).await),
            Ok(Err(error)) => tracing::debug!(error = error.as_str(), "no monitor can be taken"),
            Err(error) => tracing::debug!(%error, "no monitor can be taken"),
        }
    }

    async fn work(&self, task: MonitorTask) {
        let MonitorTask { cnj, job, tries } = task;
        match job {
            MonitorJob::Create(frequency) => {
                let said = self.create(cnj, frequency, tries).await;
                self.keep(cnj, plan::after_creation(&said, tries, &self.settings)).await;
            }
            MonitorJob::Check(id) => {
                let said = self.around.vendor.read(id).await;
                match plan::after_check(&said, tries, &self.settings) {
                    Ok(next) => self.keep(cnj, next).await,
                    // The lease ends by itself; nothing that is stored was wrong.
                    Err(wait) => tracing::debug!(%cnj, ?wait, "a monitor cannot be read"),
                }
            }
            MonitorJob::Remove(id) => {
                let removed = self.remove(cnj, id).await;
                let again = removed.err().map(|error| plan::after_failed_removal(&error, tries, &self.settings));
                tracing::info!(%cnj, gone = again.is_none(), "monitor is to go");
                let save = SaveRemoval { cnj, id, again };
                self.stored(self.around.postgres.ask(save, self.until(self.settings.book_patience)).await);
            }
        }
    }

    /// Creates a monitor, once. If it was tried before, what became of that is found out first.
    async fn create(&self, cnj: Cnj, frequency: Frequency, tries: u32) -> plan::Said {
        if tries > 1
            && let Some(found) = self.around.vendor.find(cnj).await?
        {
            return Ok(Some(found));
        }
        self.around.vendor.create(cnj, frequency).await
    }

    async fn remove(&self, cnj: Cnj, id: Option<i64>) -> Result<(), crate::fetcher::messages::FetchError> {
        let id = match id {
            Some(id) => Some(id),
            None => self.around.vendor.find(cnj).await?.map(|VendorMonitor { id, .. }| id),
        };
        match id {
            Some(id) => self.around.vendor.remove(id).await,
            None => Ok(()),
        }
    }

    async fn keep(&self, cnj: Cnj, next: plan::Next) {
        let plan::Next { id, state, tries, again } = next;
        tracing::debug!(%cnj, state = state.as_str(), tries, "monitor looked after");
        let save = SaveMonitor { cnj, id, state, tries, again };
        self.stored(self.around.postgres.ask(save, self.until(self.settings.book_patience)).await);
    }

    /// What cannot be stored is found out again: the row is due when the lease ends, and a creation is looked for first.
    fn stored<E: std::fmt::Display>(&self, stored: Result<Result<(), PostgresError>, E>) {
        match stored {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = error.as_str(), "how a monitor stands is not stored"),
            Err(error) => tracing::warn!(%error, "how a monitor stands is not stored"),
        }
    }

    fn until(&self, patience: std::time::Duration) -> Deadline {
        Deadline::after(self.around.clock.monotonic(), patience)
    }
}
