//! The actor's identity and life.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context};
use tokio::sync::Notify;

use super::courier::Courier;
use super::feed::Feed;
use super::housekeeping::Housekeeper;
use super::log::EventLog;
use super::postman::Postman;
use super::target::Gate;
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::notifier::NotifierSettings;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::bell::NewsBell;
use crate::supervised;
use crate::supervision::ActorRef;
use crate::supervision::spawn::detach_named;
use crate::telemetry::Metrics;

/// What every generation is made of.
#[derive(Clone)]
pub struct NotifierParts {
    /// Where deliveries are kept.
    pub postgres: ActorRef<PostgresTier>,
    /// Where events are kept.
    pub log: Arc<dyn EventLog>,
    /// What streams read; it outlives the generations.
    pub feed: Feed,
    /// Rings when this node has stored something.
    pub bell: NewsBell,
    /// Where webhooks may lead.
    pub gate: Gate,
    /// The bounds.
    pub settings: NotifierSettings,
    /// Wall time for messages, monotonic time for deadlines.
    pub clock: SharedClock,
    /// Jitter.
    pub random: SharedRandom,
    /// Where everything is counted.
    pub metrics: Metrics,
}

/// Tells others what is new: keeps the feed of the streams up to date, and delivers webhooks. It is asked nothing; whatever must
/// outlive it is in PostgreSQL or in the [`Feed`].
pub struct Notifier {
    parts: NotifierParts,
}

impl Notifier {
    /// One generation.
    #[must_use]
    pub fn new(parts: NotifierParts) -> Self {
        Self { parts }
    }
}

impl Actor for Notifier {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let NotifierParts { postgres, log, feed, bell, gate, settings, clock, random, metrics } = self.parts.clone();
        let keeper = Rc::new(Housekeeper {
            postgres: postgres.clone(),
            settings: settings.clone(),
            clock: Arc::clone(&clock),
            metrics: metrics.clone(),
        });
        let counter = Rc::clone(&keeper);
        let postman = Postman::new(gate, settings.attempt_within);
        let (in_flight, finished) = (Cell::new(0), Notify::new());
        let courier =
            Rc::new(Courier { postgres, log, postman, settings, clock, random, metrics, in_flight, finished });
        let (reading, rings) = (feed.clone(), bell.clone());
        detach_named("news feed", async move { reading.run(&rings).await });
        detach_named("webhook courier", async move { courier.run(&bell, &feed).await });
        detach_named("webhook count", async move { counter.count().await });
        detach_named("webhook housekeeping", async move { keeper.tidy().await });
    }
}

supervised!(Notifier);
