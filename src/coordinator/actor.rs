//! One shard of the coordinator: identity, what it owns, and its life.

use std::rc::Rc;

use actix::{Actor, Context};

use super::shard::{Shard, Shared};
use super::tiers::Tiers;
use crate::ambient::SharedClock;
use crate::config::coordinator::CoordinatorSettings;
use crate::supervised;
use crate::telemetry::Metrics;

/// A shard: the flights of the processes that hash to it. A replaced shard starts without any; near copies are shared and
/// outlive it.
pub struct Coordinator {
    pub(super) shard: Rc<Shard>,
}

impl Coordinator {
    /// A shard without flights.
    #[must_use]
    pub fn new(
        settings: CoordinatorSettings,
        clock: SharedClock,
        metrics: Metrics,
        shared: Shared,
        tiers: Tiers,
    ) -> Self {
        Self { shard: Rc::new(Shard::new(settings, clock, metrics, shared, tiers)) }
    }
}

impl Actor for Coordinator {
    type Context = Context<Self>;
}

supervised!(Coordinator);
