//! The fetcher's identity, state and life.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context};
use futures_util::future::{LocalBoxFuture, Shared};

use super::account::Account;
use super::bookkeeping::Bookkeeper;
use super::datajud::Datajud;
use super::escavador::Escavador;
use super::messages::{Failure, FetchError, Fetched};
use super::pace::Pace;
use super::provider::Provider;
use super::providers::Providers;
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::datajud::DatajudSettings;
use crate::config::fetcher::FetcherSettings;
use crate::domain::cnj::Cnj;
use crate::resilience::Allowance;
use crate::supervised;
use crate::supervision::spawn;

/// Owns the connections to the vendors. It must be built on its own arbiter, because the connections it opens live and die there.
pub struct Fetcher {
    /// The paid vendor, or why there is none to ask.
    pub(super) escavador: Result<Arc<Escavador>, Failure>,
    /// Whom to ask for a process.
    pub(super) providers: Arc<Providers>,
    /// The fetches under way.
    pub(super) running: Rc<RefCell<HashMap<Cnj, Running>>>,
    keeper: Option<Arc<Bookkeeper>>,
    paces: Vec<Arc<Pace>>,
}

/// A fetch that others may join.
pub(super) struct Running {
    /// How it ends.
    pub(super) answer: Shared<LocalBoxFuture<'static, Result<Fetched, FetchError>>>,
    /// What bounds it.
    pub(super) allowance: Option<Allowance>,
}

/// What every generation of the fetcher is made of. The accounts outlive it: a restart is no way around a limit or a cap.
#[derive(Clone)]
pub struct FetcherParts {
    /// How Escavador is asked.
    pub escavador: FetcherSettings,
    /// How DataJud is asked.
    pub datajud: DatajudSettings,
    /// The account at Escavador.
    pub escavador_account: Arc<Account>,
    /// The account at DataJud.
    pub datajud_account: Arc<Account>,
    /// Looks after the money while the fetcher lives; none in tests of the fetcher alone.
    pub keeper: Option<Arc<Bookkeeper>>,
    /// The paces of the accounts, which want to be kept counted among the nodes.
    pub paces: Vec<Arc<Pace>>,
    /// Time.
    pub clock: SharedClock,
    /// Jitter.
    pub random: SharedRandom,
}

impl Fetcher {
    /// A fetcher. It does not fail: without a key, or with a setting that no client can be made of, every fetch fails, and the log says
    /// why.
    #[must_use]
    pub fn new(parts: FetcherParts) -> Self {
        let escavador = escavador(&parts);
        let paid = escavador.clone().map(|escavador| {
            let provider: Arc<dyn Provider> = escavador;
            provider
        });
        let providers = Arc::new(Providers::new(paid, datajud(&parts), parts.datajud.r#use));
        Self { escavador, providers, running: Rc::default(), keeper: parts.keeper, paces: parts.paces }
    }
}

fn escavador(parts: &FetcherParts) -> Result<Arc<Escavador>, Failure> {
    let Some(key) = parts.escavador.api_key.clone() else {
        tracing::warn!("no ESCAVADOR_API_KEY: nothing can be bought");
        return Err(Failure::NoProvider);
    };
    let (account, clock, random) = (&parts.escavador_account, &parts.clock, &parts.random);
    Escavador::new(&key, &parts.escavador, Arc::clone(account), Arc::clone(clock), Arc::clone(random))
        .map(Arc::new)
        .map_err(|error| {
            tracing::error!(%error, "escavador's client cannot be made, nothing can be bought");
            account.cannot_be_used();
            error.failure()
        })
}

fn datajud(parts: &FetcherParts) -> Option<Arc<dyn Provider>> {
    if !parts.datajud.is_on() {
        return None;
    }
    let (account, clock, random) = (&parts.datajud_account, &parts.clock, &parts.random);
    match Datajud::new(parts.datajud.clone(), Arc::clone(account), Arc::clone(clock), Arc::clone(random)) {
        Ok(datajud) => Some(Arc::new(datajud)),
        Err(error) => {
            tracing::error!(%error, "datajud's client cannot be made, it is not asked");
            account.cannot_be_used();
            None
        }
    }
}

impl Actor for Fetcher {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        for pace in &self.paces {
            spawn::detach_named("pace", Arc::clone(pace).keep_counted());
        }
        if let Some(keeper) = self.keeper.clone() {
            spawn::detach_named("bookkeeper", keeper.run(self.escavador.as_ref().ok().cloned()));
        }
    }
}

supervised!(Fetcher);
