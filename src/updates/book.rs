//! The way to the stored records, and the ones that could not be stored yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ambient::SharedClock;
use crate::domain::cnj::Cnj;
use crate::domain::update::UpdateRecord;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::updates::messages::{ClaimDue, ReadUpdate, SaveUpdate, Saved};
use crate::resilience::Deadline;
use crate::supervision::ActorRef;

/// Where records are kept for every node.
pub trait Book: Send + Sync {
    /// Stores a record by the rule of [`UpdateRecord::may_replace`]; it is due again after `check_in`.
    fn save(&self, record: UpdateRecord, check_in: Option<Duration>) -> BoxFuture<'_, Result<Saved, PostgresError>>;

    /// The record of a process.
    fn read(&self, cnj: Cnj) -> BoxFuture<'_, Result<Option<UpdateRecord>, PostgresError>>;

    /// Takes what is due, at most so many; nobody else gets them for as long as the lease.
    fn claim(&self, most: usize, lease: Duration) -> BoxFuture<'_, Result<Vec<UpdateRecord>, PostgresError>>;
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
    fn save(&self, record: UpdateRecord, check_in: Option<Duration>) -> BoxFuture<'_, Result<Saved, PostgresError>> {
        let save = SaveUpdate { record: Box::new(record), check_in };
        async move { self.postgres.ask(save, self.soon()).await? }.boxed()
    }

    fn read(&self, cnj: Cnj) -> BoxFuture<'_, Result<Option<UpdateRecord>, PostgresError>> {
        async move { self.postgres.ask_again(ReadUpdate { cnj }, self.soon()).await? }.boxed()
    }

    fn claim(&self, most: usize, lease: Duration) -> BoxFuture<'_, Result<Vec<UpdateRecord>, PostgresError>> {
        async move { self.postgres.ask(ClaimDue { most, lease }, self.soon()).await? }.boxed()
    }
}

/// The records that PostgreSQL did not take. Clones share them, and they outlive the actor's generations; a process that ends loses
/// them, and the vendor's own status is the truth then.
#[derive(Debug, Clone, Default)]
pub struct Unsaved {
    records: Arc<Mutex<HashMap<Cnj, UpdateRecord>>>,
}

impl Unsaved {
    /// Keeps a record, unless it is behind the one that is kept, or `most` are. Says whether it is kept.
    pub(super) fn keep(&self, record: &UpdateRecord, most: usize) -> bool {
        let mut records = self.records();
        let room = records.len() < most;
        match records.get_mut(&record.cnj) {
            Some(kept) if kept.progress() <= record.progress() => record.clone_into(kept),
            Some(_farther) => return false,
            None if room => drop(records.insert(record.cnj, record.clone())),
            None => return false,
        }
        true
    }

    /// Forgets what is no farther than this.
    pub(super) fn forget(&self, record: &UpdateRecord) {
        let mut records = self.records();
        if records.get(&record.cnj).is_some_and(|kept| kept.progress() <= record.progress()) {
            records.remove(&record.cnj);
        }
    }

    /// The record that is kept for a process.
    pub(super) fn get(&self, cnj: &Cnj) -> Option<UpdateRecord> {
        self.records().get(cnj).cloned()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<UpdateRecord> {
        self.records().values().cloned().collect()
    }

    /// At most so many of those that are due.
    pub(super) fn due(&self, now: DateTime<Utc>, most: usize) -> Vec<UpdateRecord> {
        let is_due = |record: &&UpdateRecord| record.next_check_at.is_some_and(|at| at <= now);
        self.records().values().filter(is_due).take(most).cloned().collect()
    }

    fn records(&self) -> MutexGuard<'_, HashMap<Cnj, UpdateRecord>> {
        // Every change is a single insertion or removal: a panic leaves nothing half done.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
