//! Both vendors behind one: asks them as [`choice`] says, adds up what it cost.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::choice::{self, Asked, Ended, Situation, Step};
use super::complement::complement;
use super::messages::{Answer, Failure, Fetch, FetchError, Fetched};
use super::provider::Provider;
use crate::config::datajud::DatajudUse;
use crate::domain::entry::Entry;
use crate::domain::snapshot::{self, Snapshot};

/// What the fetcher asks: Escavador, DataJud, or one in the place of the other.
#[derive(Debug)]
pub struct Providers {
    /// Or what every request to it fails with: [`Failure::NoProvider`] while none is configured.
    escavador: Result<Arc<dyn Provider>, Failure>,
    datajud: Option<Arc<dyn Provider>>,
    usage: DatajudUse,
}

type Said = Result<Fetched, FetchError>;

/// Money and requests of providers whose answer does not stand.
#[derive(Debug, Default, Clone, Copy)]
struct Spent {
    cost_centavos: u64,
    requests: u32,
}

impl Providers {
    /// `escavador` is [`Failure::NoProvider`] while it has no key; any other failure means that its settings are wrong, which is no
    /// reason to believe DataJud that there is no such process.
    #[must_use]
    pub fn new(
        escavador: Result<Arc<dyn Provider>, Failure>,
        datajud: Option<Arc<dyn Provider>>,
        usage: DatajudUse,
    ) -> Self {
        Self { escavador, datajud, usage }
    }

    async fn ask(&self, fetch: Fetch) -> Said {
        let situation = Situation {
            usage: self.usage,
            escavador: !matches!(self.escavador, Err(Failure::NoProvider)),
            datajud: self.datajud.is_some(),
            held: fetch.held.as_ref().map(|held| held.header().provider),
            insist: fetch.insist,
        };
        let (mut paid, mut free): (Option<Said>, Option<Said>) = (None, None);
        // Each is asked once at most, so the third step is an end.
        loop {
            let asked = Asked { escavador: paid.as_ref().map(ended), datajud: free.as_ref().map(ended) };
            match choice::next(situation, asked) {
                Step::AskEscavador => paid = Some(self.ask_escavador(&fetch).await),
                Step::AskDatajud => free = Some(self.ask_datajud(&fetch).await),
                Step::KeepEscavador => return with(paid.unwrap_or_else(nobody), spent(free.as_ref())),
                Step::KeepDatajud => {
                    let replaces = asked.escavador.is_some();
                    return with(stand_in(free.unwrap_or_else(nobody), replaces), spent(paid.as_ref()));
                }
                Step::Complement => return complemented(&fetch, free, paid).await,
            }
        }
    }

    async fn ask_escavador(&self, fetch: &Fetch) -> Said {
        let escavador = self.escavador.as_ref().map_err(|failure| failed(*failure))?;
        // Of a copy of DataJud's it cannot say that it is current.
        let own = |held: &Arc<Entry>| held.header().provider == snapshot::Provider::Escavador;
        let fetch = Fetch { held: fetch.held.clone().filter(own), ..fetch.clone() };
        escavador.process(fetch).await
    }

    async fn ask_datajud(&self, fetch: &Fetch) -> Said {
        match &self.datajud {
            Some(datajud) => datajud.process(fetch.clone()).await,
            None => nobody(),
        }
    }
}

impl Provider for Providers {
    /// The one that is preferred among those that are there.
    fn id(&self) -> snapshot::Provider {
        if self.escavador.is_err() && self.datajud.is_some() {
            snapshot::Provider::Datajud
        } else {
            snapshot::Provider::Escavador
        }
    }

    fn process(&self, fetch: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        self.ask(fetch).boxed()
    }
}

/// The copy in hand with DataJud's newer movements; Escavador's own failure when there are none.
async fn complemented(fetch: &Fetch, free: Option<Said>, paid: Option<Said>) -> Said {
    let replaces = paid.is_some();
    let (cost, requests) = (spent(paid.as_ref()), spent(free.as_ref()));
    let merged = match (&fetch.held, free) {
        (Some(held), Some(Ok(Fetched { answer: Answer::Found(news), .. }))) => merge(Arc::clone(held), news).await,
        _ => None,
    };
    match merged {
        Some(whole) => {
            let answer = Answer::Found(Box::new(whole));
            let Spent { cost_centavos, requests } = requests;
            with(stand_in(Ok(Fetched { answer, cost_centavos, requests, stand_in: false }), replaces), cost)
        }
        None => with(paid.unwrap_or_else(nobody), requests),
    }
}

/// Beside the arbiter: the copy in hand may be large, and still packed.
async fn merge(held: Arc<Entry>, news: Box<Snapshot>) -> Option<Snapshot> {
    let merge = move || held.snapshot().ok().and_then(|held| complement(&held, &news));
    tokio::task::spawn_blocking(merge).await.ok().flatten()
}

fn ended(said: &Said) -> Ended {
    match said {
        Ok(Fetched { answer: Answer::Found(_) | Answer::Current { .. }, .. }) => Ended::Answered,
        Ok(Fetched { answer: Answer::Unknown, .. }) => Ended::Unknown,
        Err(error) => Ended::Failed(error.failure),
    }
}

/// Marks a process that is only there because Escavador failed.
fn stand_in(said: Said, replaces: bool) -> Said {
    said.map(|fetched| Fetched { stand_in: replaces && matches!(fetched.answer, Answer::Found(_)), ..fetched })
}

fn spent(said: Option<&Said>) -> Spent {
    match said {
        Some(Ok(fetched)) => Spent { cost_centavos: fetched.cost_centavos, requests: fetched.requests },
        Some(Err(error)) => Spent { cost_centavos: error.cost_centavos, requests: 0 },
        None => Spent::default(),
    }
}

fn with(said: Said, spent: Spent) -> Said {
    let cost = |own: u64| own.saturating_add(spent.cost_centavos);
    match said {
        Ok(fetched) => Ok(Fetched {
            cost_centavos: cost(fetched.cost_centavos),
            requests: fetched.requests.saturating_add(spent.requests),
            ..fetched
        }),
        Err(error) => Err(FetchError { cost_centavos: cost(error.cost_centavos), ..error }),
    }
}

fn nobody() -> Said {
    Err(failed(Failure::NoProvider))
}

fn failed(failure: Failure) -> FetchError {
    FetchError { failure, retry_after: None, cost_centavos: 0 }
}

#[cfg(test)]
#[path = "providers_tests.rs"]
mod tests;
