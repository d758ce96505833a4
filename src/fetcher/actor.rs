//! The fetcher's identity, state and life.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context};
use futures_util::future::{LocalBoxFuture, Shared};

use super::escavador::Escavador;
use super::messages::{Failure, FetchError, Fetched};
use super::pace::Pace;
use super::provider::Provider;
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::fetcher::FetcherSettings;
use crate::domain::cnj::Cnj;
use crate::supervised;
use crate::supervision::spawn::detach_named;
use crate::telemetry::Metrics;

/// The vendor's name among the tiers.
pub(super) const TIER: &str = "upstream";

/// Owns the connections to the vendors. It must be built on its own arbiter, because the connections it opens live and die there.
pub struct Fetcher {
    /// The vendor, or why there is none to ask.
    pub(super) provider: Result<Arc<dyn Provider>, Failure>,
    pub(super) metrics: Metrics,
    pace: Arc<Pace>,
    /// The fetches under way.
    pub(super) running: Rc<RefCell<HashMap<Cnj, Running>>>,
}

/// A fetch that others may join.
pub(super) type Running = Shared<LocalBoxFuture<'static, Result<Fetched, FetchError>>>;

impl Fetcher {
    /// A fetcher with a pace of its own. One that is supervised wants [`Fetcher::paced`]: here every generation would begin a new
    /// minute.
    #[must_use]
    pub fn new(settings: FetcherSettings, clock: SharedClock, random: SharedRandom, metrics: Metrics) -> Self {
        let pace = Pace::new(settings.requests_per_minute, Arc::clone(&clock));
        Self::paced(pace, settings, clock, random, metrics)
    }

    /// A fetcher that keeps a pace begun by its predecessors: what they sent in the last minute still counts.
    ///
    /// It does not fail: without a key, or with a setting that no client can be made of, every fetch fails, and the log says why.
    #[must_use]
    pub fn paced(
        pace: Arc<Pace>,
        settings: FetcherSettings,
        clock: SharedClock,
        random: SharedRandom,
        metrics: Metrics,
    ) -> Self {
        let provider = Self::provider(Arc::clone(&pace), settings, clock, random, metrics.clone());
        // Until it is asked, nothing speaks against it.
        metrics.set_tier_up(TIER, provider.is_ok());
        Self { provider, metrics, pace, running: Rc::default() }
    }

    fn provider(
        pace: Arc<Pace>,
        settings: FetcherSettings,
        clock: SharedClock,
        random: SharedRandom,
        metrics: Metrics,
    ) -> Result<Arc<dyn Provider>, Failure> {
        let Some(key) = settings.api_key.clone() else {
            tracing::warn!("no ESCAVADOR_API_KEY: nothing can be bought, only copies are served");
            return Err(Failure::NoProvider);
        };
        match Escavador::new(&key, settings, pace, clock, random, metrics) {
            Ok(escavador) => Ok(Arc::new(escavador)),
            Err(error) => {
                tracing::error!(%error, "the vendor's client cannot be made, nothing can be bought");
                Err(error.failure())
            }
        }
    }
}

impl Actor for Fetcher {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        // Without a provider nothing is sent, and nothing needs to be counted.
        if self.provider.is_ok() {
            detach_named("pace", Arc::clone(&self.pace).keep_counted());
        }
    }
}

supervised!(Fetcher);
