//! The actor's identity and life.

use std::rc::Rc;

use actix::{Actor, Context};

use super::clerk::{Clerk, Surroundings};
use crate::config::updates::UpdateSettings;
use crate::supervised;
use crate::supervision::spawn::detach_named;

/// Asks the court through the vendor and follows what it asked. Everything that must outlive it is in PostgreSQL, or in
/// [`Unsaved`](super::book::Unsaved).
pub struct CourtUpdates {
    pub(super) clerk: Rc<Clerk>,
}

impl CourtUpdates {
    /// One generation.
    #[must_use]
    pub fn new(settings: UpdateSettings, around: Surroundings) -> Self {
        Self { clerk: Rc::new(Clerk::new(settings, around)) }
    }
}

impl Actor for CourtUpdates {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let clerk = Rc::clone(&self.clerk);
        detach_named("updates watch", async move { clerk.watch().await });
    }
}

supervised!(CourtUpdates);
