//! The actor's identity and life.

use std::rc::Rc;

use actix::{Actor, Context};

use super::worker::{Surroundings, Worker};
use crate::config::warm::WarmSettings;
use crate::supervised;
use crate::supervision::spawn::detach_named;

/// Loads the lists, together with those of the other nodes. It is asked nothing: whoever wants something writes it into PostgreSQL and
/// rings the bell.
pub struct Warmer {
    worker: Rc<Worker>,
}

impl Warmer {
    /// One generation.
    #[must_use]
    pub fn new(settings: WarmSettings, around: Surroundings) -> Self {
        Self { worker: Rc::new(Worker::new(settings, around)) }
    }
}

impl Actor for Warmer {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let worker = Rc::clone(&self.worker);
        detach_named("warm watch", async move { worker.watch().await });
        let worker = Rc::clone(&self.worker);
        detach_named("warm pruning", async move { worker.prune().await });
    }
}

supervised!(Warmer);
