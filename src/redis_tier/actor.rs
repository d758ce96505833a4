//! The Redis tier: identity, what it owns, and its life.

use std::rc::Rc;

use actix::{Actor, Context};
use thiserror::Error;

use super::commands::Scripts;
use super::connection::Door;
use super::link::Link;
use crate::config::redis::RedisSettings;
use crate::supervised;
use crate::supervision::spawn::detach_named;
use crate::telemetry::Metrics;

/// Owns the connections to Redis, in its own arbiter; nobody else touches them.
pub struct RedisTier {
    pub(super) link: Option<Rc<Link>>,
    pub(super) scripts: Rc<Scripts>,
}

/// The address is not one that the client understands.
#[derive(Debug, Error)]
#[error("REDIS_URL is not an address of redis: {0}")]
pub struct BadAddress(String);

impl RedisTier {
    /// A tier that will connect once it runs. With an address that cannot be parsed it is away for good; see [`check`].
    #[must_use]
    pub fn new(settings: RedisSettings, metrics: Metrics) -> Self {
        let link = Door::new(&settings).map(|door| Rc::new(Link::new(settings, metrics, door)));
        let link = link.inspect_err(|error| tracing::error!(%error, "redis address refused")).ok();
        Self { link, scripts: Rc::new(Scripts::new()) }
    }
}

/// Checks the address without connecting, for whoever reads the configuration.
///
/// # Errors
/// When the client does not understand it.
pub fn check(settings: &RedisSettings) -> Result<(), BadAddress> {
    Door::new(settings).map(|_| ()).map_err(|error| BadAddress(error.category().to_owned()))
}

impl Actor for RedisTier {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        if let Some(link) = &self.link {
            detach_named("redis link", Rc::clone(link).tend());
        }
    }
}

supervised!(RedisTier);
