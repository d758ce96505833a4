//! How the service is, from what is known: nobody is asked for it.

use super::tree::Tree;
use crate::config::Settings;
use crate::http::state::{ActorLine, Health, Readiness, Report, TierLine};
use crate::journal::Journal;
use crate::supervision::{ChildState, Supervisor};
use crate::telemetry::metrics::{ActorLabel, Metrics, TierLabel};

/// Knows how the tiers and actors stand.
pub(super) struct Standing {
    supervisor: Supervisor,
    metrics: Metrics,
    journal: Journal,
    redis: bool,
    near: bool,
    vendor: Option<String>,
}

impl Standing {
    pub(super) fn new(settings: &Settings, tree: &Tree, journal: Journal, metrics: Metrics) -> Self {
        Self {
            supervisor: tree.supervisor.clone(),
            metrics,
            journal,
            redis: settings.redis.is_some() && !settings.coordinator.redis_ttl.is_zero(),
            near: settings.coordinator.near_bytes > 0 && !settings.coordinator.near_ttl.is_zero(),
            vendor: settings.fetcher.api_key.as_ref().map(|_| settings.fetcher.base_url.clone()),
        }
    }

    fn is_up(&self, tier: &'static str) -> bool {
        self.metrics.tier_up.get_or_create(&TierLabel { tier }).get() == 1
    }

    fn store(&self, name: &'static str, on: bool) -> TierLine {
        let (state, detail) = match on {
            false => (Health::Off, "not configured"),
            true if self.is_up(name) => (Health::Up, "answers"),
            true => (Health::Down, "does not answer; lookups go on without it"),
        };
        TierLine { name, state, detail: detail.into() }
    }

    fn vendor(&self) -> TierLine {
        let (state, detail) = match &self.vendor {
            None => (Health::Off, "no ESCAVADOR_API_KEY: nothing can be bought, only copies are served".into()),
            Some(url) if self.is_up("upstream") => (Health::Up, format!("{url} answers")),
            Some(url) => (Health::Degraded, format!("{url} failed when it was last asked; stale copies are served")),
        };
        TierLine { name: "upstream", state, detail }
    }
}

impl Readiness for Standing {
    fn report(&self) -> Report {
        let children = self.supervisor.report();
        for child in &children {
            let gauge = self.metrics.actor_in_flight.get_or_create(&ActorLabel { actor: child.name.to_string() });
            gauge.set(i64::try_from(child.in_flight).unwrap_or(i64::MAX));
        }
        let mut coordinators = children.iter().filter(|child| child.name.starts_with("coordinator-"));
        let near = if self.near { Health::Up } else { Health::Off };
        let near_detail = if self.near { "in this process" } else { "switched off" };
        Report {
            answering: coordinators.any(|child| child.state == ChildState::Up),
            tiers: vec![
                TierLine { name: "near", state: near, detail: near_detail.into() },
                self.store("redis", self.redis),
                self.store("postgres", true),
                self.vendor(),
            ],
            actors: children
                .iter()
                .map(|child| ActorLine {
                    name: child.name.to_string(),
                    state: child.state.as_str(),
                    restarts: child.restarts,
                })
                .collect(),
            version: env!("CARGO_PKG_VERSION"),
            journal_pending: u64::try_from(self.journal.pending()).unwrap_or(u64::MAX),
        }
    }
}
