//! The actor's identity and life. It answers no messages but the supervisor's: who wants something of it writes that into the book, which
//! every node reads, and nudges it.

use std::rc::Rc;

use actix::{Actor, Context};

use super::choice::Rules;
use super::worker::{Surroundings, Worker};
use crate::config::sync::SyncSettings;
use crate::supervised;
use crate::supervision::spawn::detach_to_finish;

/// Keeps copies fresh. Everything that must outlive it is in PostgreSQL.
pub struct SyncScheduler {
    worker: Rc<Worker>,
}

impl SyncScheduler {
    /// One generation.
    #[must_use]
    pub fn new(settings: SyncSettings, rules: Rules, around: Surroundings) -> Self {
        Self { worker: Rc::new(Worker::new(settings, rules, around)) }
    }
}

impl Actor for SyncScheduler {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let worker = Rc::clone(&self.worker);
        // It ends soon after it is told to stop, with what was paid written down.
        detach_to_finish("synchronisation", async move { worker.live().await });
    }
}

supervised!(SyncScheduler);
