//! Two books to put the same questions to: the model, and PostgreSQL. On both, time passes at once.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use juscache::ambient::SystemClock;
use juscache::domain::cnj::Cnj;
use juscache::scheduler::book::{Book, Shelf};

use super::model::{Fate, Model, Process};
use crate::postgres::samples::Tier;
use crate::support::postgres::{Postgres, TestDatabase};

/// A process to begin with, in seconds from now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed {
    pub(crate) expires_in: i64,
    pub(crate) synced_ago: i64,
    pub(crate) created_ago: i64,
    pub(crate) watched: bool,
}

impl Default for Seed {
    fn default() -> Self {
        Self { expires_in: -60, synced_ago: 3600, created_ago: 3600, watched: false }
    }
}

/// A book, and the hands behind it.
pub(crate) trait Stage {
    fn name(&self) -> &'static str;
    fn book(&self) -> &dyn Book;
    /// Stores a process, or replaces it.
    fn put(&self, cnj: Cnj, seed: Seed);
    /// Lets time pass.
    fn passes(&self, time: Duration);
    /// What today was becomes yesterday.
    fn next_day(&self);
    /// How many processes are stored.
    fn stored(&self) -> usize;
}

pub(crate) struct Memory {
    model: Model,
    moved: Arc<AtomicI64>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let moved = Arc::new(AtomicI64::new(0));
        let noon = DateTime::from_timestamp(1_795_359_600, 0).unwrap();
        let (theirs, ticks) = (Arc::clone(&moved), Mutex::new(0_i64));
        // Each look at the clock finds it a little later, as two statements never run at one moment.
        let time = move || -> DateTime<Utc> {
            let mut ticks = ticks.lock().unwrap();
            *ticks += 1;
            noon + TimeDelta::microseconds(theirs.load(SeqCst) + *ticks)
        };
        Self { model: Model::new(Arc::new(time), Arc::new(|| Fate::Arrives(Duration::ZERO))), moved }
    }
}

impl Stage for Memory {
    fn name(&self) -> &'static str {
        "the model"
    }

    fn book(&self) -> &dyn Book {
        &self.model
    }

    fn put(&self, cnj: Cnj, seed: Seed) {
        let now = self.model.now();
        let process = Process {
            valid_until: now + TimeDelta::seconds(seed.expires_in),
            last_sync: now - TimeDelta::seconds(seed.synced_ago),
            created_at: now - TimeDelta::seconds(seed.created_ago),
            watched: seed.watched,
            change_rate: None,
            total_movements: 3,
            reads: 0.0,
            reads_at: None,
            failures: 0,
            next_attempt_at: None,
            claim: None,
        };
        let mut tables = self.model.tables();
        let Process { claim, next_attempt_at, failures, reads, reads_at, .. } =
            tables.processes.get(&cnj).cloned().unwrap_or_else(|| process.clone());
        tables.processes.insert(cnj, Process { claim, next_attempt_at, failures, reads, reads_at, ..process });
    }

    fn passes(&self, time: Duration) {
        self.moved.fetch_add(i64::try_from(time.as_micros()).unwrap(), SeqCst);
    }

    fn next_day(&self) {
        let mut tables = self.model.tables();
        let days = std::mem::take(&mut tables.days);
        tables.days = days.into_iter().map(|(day, count)| (day.pred_opt().unwrap(), count)).collect();
    }

    fn stored(&self) -> usize {
        self.model.tables().processes.len()
    }
}

pub(crate) struct Real {
    shelf: Shelf,
    database: TestDatabase<'static>,
    _tier: Tier,
}

impl Real {
    pub(crate) async fn new(name: &str) -> Self {
        let database = Postgres::shared().database(name);
        let tier = Tier::on(&database.url).await;
        let shelf = Shelf::new(tier.actor.clone(), SystemClock::shared(), Duration::from_secs(30));
        Self { shelf, database, _tier: tier }
    }

    fn execute(&self, sql: &str) {
        Postgres::shared().execute(self.database.name(), sql);
    }
}

impl Stage for Real {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn book(&self) -> &dyn Book {
        &self.shelf
    }

    fn put(&self, cnj: Cnj, seed: Seed) {
        let Seed { expires_in, synced_ago, created_ago, watched } = seed;
        let cnj = cnj.masked();
        self.execute(&format!(
            "INSERT INTO process_status_cache (cnj, sync_status, cache_valid_until, last_api_sync, total_movements, snapshot, created_at)
             VALUES ('{cnj}', 'success', now() + interval '{expires_in} s', now() - interval '{synced_ago} s', 3, '\\x00',
                     now() - interval '{created_ago} s')
             ON CONFLICT (cnj) DO UPDATE SET cache_valid_until = EXCLUDED.cache_valid_until, last_api_sync = EXCLUDED.last_api_sync,
                 created_at = EXCLUDED.created_at"
        ));
        if watched {
            self.execute(&format!("INSERT INTO watched_processes (cnj) VALUES ('{cnj}') ON CONFLICT DO NOTHING"));
        }
    }

    fn passes(&self, time: Duration) {
        for (table, columns) in [
            ("sync_state", &["leased_until", "next_run_at", "requested_at"][..]),
            ("sync_runs", &["due_at", "started_at", "ended_at"]),
            ("process_sync", &["reads_at", "next_attempt_at", "claimed_at", "claimed_until", "claimed_expiry"]),
            ("process_status_cache", &["cache_valid_until", "last_api_sync", "created_at"]),
        ] {
            let back = |column: &&str| format!("{column} = {column} - interval '{} ms'", time.as_millis());
            let moves: Vec<String> = columns.iter().map(back).collect();
            self.execute(&format!("UPDATE {table} SET {}", moves.join(", ")));
        }
    }

    fn next_day(&self) {
        self.execute("UPDATE sync_days SET day = day - 1");
    }

    fn stored(&self) -> usize {
        Postgres::shared().rows(self.database.name(), "SELECT 1 FROM process_status_cache").len()
    }
}
