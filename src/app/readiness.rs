//! How the service is, from what is known: nobody is asked for it.

mod words;

use std::sync::Arc;

use self::words::{Known, Line, Vendor};
use super::tree::Tree;
use super::vendors::Vendors;
use crate::config::Settings;
use crate::config::datajud::{DatajudSettings, DatajudUse};
use crate::fetcher::account::Account;
use crate::http::state::{ActorLine, Health, Readiness, Report, TierLine};
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::ledger::call::Endpoint;
use crate::postgres_tier::ledger::messages::Caps;
use crate::supervision::{ChildReport, ChildState, Supervisor};
use crate::telemetry::metrics::{ActorLabel, Metrics, TierLabel};

/// Knows how the tiers and actors stand.
pub(super) struct Standing {
    supervisor: Supervisor,
    metrics: Metrics,
    journal: Journal,
    ledger: Ledger,
    vendors: Vendors,
    caps: Caps,
    redis: bool,
    near: bool,
    /// Or why it is not asked.
    escavador: Result<Vendor, String>,
    /// The same.
    datajud: Result<Vendor, String>,
}

impl Standing {
    pub(super) fn new(settings: &Settings, tree: &Tree, journal: Journal, ledger: Ledger, metrics: Metrics) -> Self {
        Self {
            supervisor: tree.supervisor.clone(),
            metrics,
            journal,
            ledger,
            vendors: tree.vendors.clone(),
            caps: settings.caps,
            redis: settings.redis.is_some() && !settings.coordinator.redis_ttl.is_zero(),
            near: settings.coordinator.near_bytes > 0 && !settings.coordinator.near_ttl.is_zero(),
            escavador: escavador(settings),
            datajud: datajud(&settings.datajud),
        }
    }

    fn is_up(&self, tier: &'static str) -> bool {
        self.metrics.tier_up.get_or_create(&TierLabel { tier }).get() == 1
    }

    fn near(&self) -> Line {
        match self.near {
            true => (Health::Up, "in this process".into()),
            false => (Health::Off, "switched off".into()),
        }
    }

    fn store(&self, name: &'static str, on: bool) -> Line {
        let (state, detail) = match on {
            false => (Health::Off, "not configured"),
            true if self.is_up(name) => (Health::Up, "answers"),
            true => (Health::Down, "does not answer; lookups go on without it"),
        };
        (state, detail.into())
    }

    fn vendor(&self, tier: &'static str, vendor: &Result<Vendor, String>, account: &Arc<Account>) -> Line {
        match vendor {
            Err(why) => (Health::Off, why.clone()),
            Ok(vendor) => {
                let (hold, pace) = (account.hold(), account.pace());
                let was_asked = account.sent_so_far() > 0;
                words::vendor(vendor, &Known { is_up: self.is_up(tier), was_asked, hold, pace })
            }
        }
    }

    fn budget(&self) -> Line {
        let Vendors { keeper, escavador, .. } = &self.vendors;
        words::budget(self.caps, keeper.budget_seen(), escavador.expected(Endpoint::Cover))
    }

    /// Brings those gauges up to date that nobody changes when it happens.
    fn show(&self, children: &[ChildReport]) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for child in children {
            let label = ActorLabel { actor: child.name.to_string() };
            self.metrics.actor_in_flight.get_or_create(&label).set(gauge(child.in_flight));
        }
        self.metrics.upstream_in_flight_limit.set(gauge(self.vendors.escavador.pace().in_flight_limit));
        self.metrics.ledger_pending.set(gauge(self.ledger.pending()));
    }
}

impl Readiness for Standing {
    fn report(&self) -> Report {
        let children = self.supervisor.report();
        self.show(&children);
        let Vendors { escavador, datajud, .. } = &self.vendors;
        let tiers = [
            ("near", self.near()),
            ("redis", self.store("redis", self.redis)),
            ("postgres", self.store("postgres", true)),
            ("upstream", self.vendor("upstream", &self.escavador, escavador)),
            ("datajud", self.vendor("datajud", &self.datajud, datajud)),
            ("budget", self.budget()),
            ("ledger", words::ledger(self.ledger.condition())),
        ];
        let mut coordinators = children.iter().filter(|child| child.name.starts_with("coordinator-"));
        Report {
            answering: coordinators.any(|child| child.state == ChildState::Up),
            tiers: tiers.map(|(name, (state, detail))| TierLine { name, state, detail }).into(),
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

fn escavador(settings: &Settings) -> Result<Vendor, String> {
    match &settings.fetcher.api_key {
        Some(_) => Ok(Vendor { url: settings.fetcher.base_url.clone(), key: "ESCAVADOR_API_KEY" }),
        None if settings.datajud.is_on() => {
            Err("no ESCAVADOR_API_KEY: nothing can be bought; copies and datajud answer".into())
        }
        None => Err("no ESCAVADOR_API_KEY: nothing can be bought, only copies are served".into()),
    }
}

fn datajud(settings: &DatajudSettings) -> Result<Vendor, String> {
    match (&settings.api_key, settings.r#use) {
        (None, _) => Err("no DATAJUD_API_KEY".into()),
        (Some(_), DatajudUse::Off) => Err("DATAJUD_USE is off".into()),
        (Some(_), _) => Ok(Vendor { url: settings.base_url.clone(), key: "DATAJUD_API_KEY" }),
    }
}
