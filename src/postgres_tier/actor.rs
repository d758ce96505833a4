//! The actor that owns PostgreSQL's connections.

use std::rc::Rc;

use actix::{Actor, Context};
use diesel_async::pooled_connection::deadpool::BuildError;

use super::bell::NewsBell;
use super::status::PostgresStatus;
use super::tier::Tier;
use crate::ambient::SharedClock;
use crate::config::postgres::PostgresSettings;
use crate::journal::Journal;
use crate::supervised;
use crate::supervision::spawn;
use crate::telemetry::Metrics;

/// The durable tier. It answers [`Read`](super::messages::Read), [`Store`](super::messages::Store) and
/// [`StoreAbsence`](super::messages::StoreAbsence), each within the time that its settings give, and at once while PostgreSQL is
/// known to be away. It finds out by itself when PostgreSQL is back, and then stores what the [`Journal`] kept. It rings the
/// [`NewsBell`] whenever what it stored brought news.
pub struct PostgresTier {
    pub(super) tier: Rc<Tier>,
}

impl PostgresTier {
    /// Builds one generation. Call it on the arbiter that the actor will live on: its connections belong there. Nothing is
    /// opened before the actor has started.
    ///
    /// # Errors
    /// None in practice: the pool is given the runtime that it asks for.
    pub fn new(
        settings: PostgresSettings,
        clock: SharedClock,
        metrics: Metrics,
        status: PostgresStatus,
        journal: Journal,
        bell: NewsBell,
    ) -> Result<Self, BuildError> {
        Ok(Self { tier: Rc::new(Tier::new(settings, clock, metrics, status, journal, bell)?) })
    }
}

impl Actor for PostgresTier {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let tier = Rc::clone(&self.tier);
        spawn::detach_named("postgres watch", async move { tier.watch().await });
    }
}

supervised!(PostgresTier);
