//! The room on a real database, with invented copies and an invented list of the vendor's; and callbacks as the vendor writes them.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use juscache::ambient::{SystemClock, SystemRandom};
use juscache::callbacks::copies::{AmendError, Amended, Amendment, BringError, Copies};
use juscache::callbacks::list::{CallbackList, ListedPage};
use juscache::callbacks::neighbours::{Requests, WatchList};
use juscache::callbacks::{Callbacks, Intake, Receipt, Surroundings, Via};
use juscache::config::callbacks::CallbackSettings;
use juscache::domain::cnj::Cnj;
use juscache::domain::movement::Movement;
use juscache::fetcher::messages::{Failure, FetchError};
use juscache::postgres_tier::messages::PostgresError;
use juscache::resilience::Deadline;
use juscache::supervision::{AskError, ChildSpec, Supervisor};
use serde_json::{Value, json};

use crate::postgres::samples::Tier;
use crate::support::postgres::Postgres;

pub(super) const SOON: Duration = Duration::from_secs(20);

/// One invented copy.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Copy {
    pub(super) movements: BTreeMap<String, Movement>,
    pub(super) verified_at: Option<DateTime<Utc>>,
}

/// Copies in memory, shared by all nodes of a test.
#[derive(Default)]
pub(super) struct FakeCopies {
    pub(super) held: Mutex<HashMap<Cnj, Copy>>,
    /// Amendments that changed something, in their order.
    pub(super) effects: Mutex<Vec<&'static str>>,
    pub(super) asked: AtomicU32,
    pub(super) brought: AtomicU32,
    pub(super) away: AtomicBool,
    pub(super) hangs: AtomicBool,
}

impl FakeCopies {
    pub(super) fn hold(&self, cnj: Cnj) {
        self.held.lock().unwrap().insert(cnj, Copy::default());
    }

    pub(super) fn copy(&self, cnj: Cnj) -> Option<Copy> {
        self.held.lock().unwrap().get(&cnj).cloned()
    }

    pub(super) fn effects(&self) -> Vec<&'static str> {
        self.effects.lock().unwrap().clone()
    }

    fn change(&self, cnj: Cnj, amendment: Amendment) -> Amended {
        let mut held = self.held.lock().unwrap();
        let Some(copy) = held.get_mut(&cnj) else {
            return Amended::NotHeld;
        };
        let effect = match amendment {
            Amendment::Movement(movement) => {
                let id = movement.id.to_string();
                copy.movements.insert(id, *movement).is_none().then_some("movement")
            }
            Amendment::Verified(at) => {
                let is_later = copy.verified_at.is_none_or(|known| known < at);
                copy.verified_at = copy.verified_at.max(Some(at));
                is_later.then_some("verified")
            }
        };
        self.effects.lock().unwrap().extend(effect);
        if effect.is_some() { Amended::Done } else { Amended::Already }
    }
}

impl Copies for FakeCopies {
    fn amend(&self, cnj: Cnj, amendment: Amendment, _: Deadline) -> BoxFuture<'_, Result<Amended, AmendError>> {
        self.asked.fetch_add(1, SeqCst);
        if self.hangs.load(SeqCst) {
            return std::future::pending().boxed();
        }
        let said = if self.away.load(SeqCst) { Err(AmendError::Recovering) } else { Ok(self.change(cnj, amendment)) };
        std::future::ready(said).boxed()
    }

    fn bring(&self, cnj: Cnj, _: Deadline) -> BoxFuture<'_, Result<(), BringError>> {
        self.brought.fetch_add(1, SeqCst);
        self.hold(cnj);
        std::future::ready(Ok(())).boxed()
    }
}

/// Notes what it is told.
#[derive(Default)]
pub(super) struct FakeRequests {
    pub(super) told: Mutex<Vec<Cnj>>,
}

impl Requests for FakeRequests {
    fn concluded(&self, cnj: Cnj, _: Deadline) -> BoxFuture<'_, Result<bool, AskError>> {
        self.told.lock().unwrap().push(cnj);
        std::future::ready(Ok(true)).boxed()
    }
}

/// A list of pages that every reading finds alike.
#[derive(Default)]
pub(super) struct FakeList {
    pub(super) pages: Mutex<Vec<Vec<Value>>>,
    pub(super) asked: Mutex<Vec<(DateTime<Utc>, u32)>>,
    /// The page that cannot be had.
    pub(super) broken: Mutex<Option<u32>>,
}

impl CallbackList for FakeList {
    fn page(&self, since: DateTime<Utc>, page: u32, _: Deadline) -> BoxFuture<'_, Result<ListedPage, FetchError>> {
        self.asked.lock().unwrap().push((since, page));
        if *self.broken.lock().unwrap() == Some(page) {
            let error = FetchError { failure: Failure::ServerError, retry_after: None, cost_centavos: 0 };
            return std::future::ready(Err(error)).boxed();
        }
        let pages = self.pages.lock().unwrap();
        let index = usize::try_from(page).unwrap() - 1;
        let payloads = pages.get(index).cloned().unwrap_or_default();
        let payloads = payloads.iter().map(|payload| Bytes::from(payload.to_string())).collect();
        std::future::ready(Ok(ListedPage { payloads, is_last: index + 1 >= pages.len() })).boxed()
    }
}

/// What all nodes of a test share.
#[derive(Default)]
pub(super) struct World {
    pub(super) copies: Arc<FakeCopies>,
    pub(super) requests: Arc<FakeRequests>,
    pub(super) list: Arc<FakeList>,
}

/// One node: its own tier, its own intake, and, once it works, its own actor.
pub(super) struct Node {
    pub(super) tier: Tier,
    pub(super) intake: Intake,
    pub(super) supervisor: Option<Supervisor>,
}

/// Hours become moments, and nothing waits for a clock.
pub(super) fn settings() -> CallbackSettings {
    let moment = Duration::from_millis(50);
    CallbackSettings {
        look_every: moment,
        first_pause: moment,
        list_look_every: moment,
        list_soon: moment,
        list_retry: moment,
        book_patience: Duration::from_secs(3),
        intake_patience: Duration::from_secs(3),
        ..CallbackSettings::default()
    }
}

impl Node {
    /// A node that takes in and does not work yet.
    pub(super) async fn on(url: &str) -> Self {
        let tier = Tier::on(url).await;
        tier.learns(true).await;
        let patience = settings().intake_patience;
        let intake = Intake::new(tier.actor.clone(), SystemClock::shared(), tier.metrics.clone(), patience);
        Self { tier, intake, supervisor: None }
    }

    /// Begins to work; reads the list only if told to.
    pub(super) fn works(&mut self, world: &World, settings: CallbackSettings, reads_list: bool) {
        let clock = SystemClock::shared();
        let list: Arc<dyn CallbackList> = world.list.clone();
        let around = Surroundings {
            copies: world.copies.clone(),
            watches: Arc::new(WatchList::new(self.tier.actor.clone(), clock.clone(), settings.book_patience)),
            requests: world.requests.clone(),
            list: reads_list.then_some(list),
            intake: self.intake.clone(),
            postgres: self.tier.actor.clone(),
            metrics: self.tier.metrics.clone(),
            clock: clock.clone(),
        };
        let supervisor = Supervisor::start(clock, SystemRandom::shared(), Box::new(|_| {})).unwrap();
        let factory = move || Callbacks::new(settings.clone(), around.clone());
        let _nobody_asks = supervisor.child(ChildSpec::new("callbacks", factory));
        self.supervisor = Some(supervisor);
    }

    pub(super) async fn take(&self, callback: &Value) -> Result<Receipt, PostgresError> {
        self.intake.take(Bytes::from(callback.to_string()), Via::Delivery).await
    }

    pub(super) async fn ends(self) {
        if let Some(supervisor) = self.supervisor {
            supervisor.shutdown().await;
        }
    }
}

/// `state outcome deliveries attempts` of every row, oldest first.
pub(super) fn rows(postgres: &Postgres, database: &str) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', state, outcome, deliveries, attempts) FROM vendor_callbacks ORDER BY id";
    postgres.rows(database, sql).into_iter().flatten().flatten().collect()
}

/// How many rows are in a state.
pub(super) fn count(postgres: &Postgres, database: &str, state: &str) -> usize {
    rows(postgres, database).iter().filter(|row| row.starts_with(state)).count()
}

pub(super) fn monitor(cnj: &str) -> Value {
    json!({"id": 1_567_024, "numero": cnj, "criado_em": "2024-10-02T18:01:34+00:00", "data_ultima_verificacao": null,
        "tribunais": [{"id": 102, "nome": "Tribunal de Justiça de São Paulo", "sigla": "TJSP", "categoria": null}],
        "frequencia": "DIARIA", "status": "ENCONTRADO"})
}

pub(super) fn new_movement(cnj: &str, id: i64, uuid: &str) -> Value {
    json!({"event": "nova_movimentacao", "monitoramento": monitor(cnj), "uuid": uuid, "movimentacao": {
        "id": id, "data": "2024-10-01", "tipo": "ANDAMENTO", "tipo_publicacao": null, "classificacao_predita": null,
        "conteudo": "Pedido de Liminar/Antecipação de Tutela", "texto_categoria": null,
        "fonte": {"processo_fonte_id": 538_793_371, "fonte_id": 1, "nome": "Tribunal de Justiça de São Paulo",
            "tipo": "TRIBUNAL", "sigla": "TJSP", "grau": 1, "grau_formatado": "Primeiro Grau"}}})
}

pub(super) fn verified(cnj: &str, at: &str, uuid: &str) -> Value {
    json!({"event": "processo_verificado", "monitoramento": monitor(cnj), "verificado_em": at, "uuid": uuid})
}

pub(super) fn concluded(cnj: &str, uuid: &str) -> Value {
    json!({"event": "atualizacao_processo_concluida", "uuid": uuid, "atualizacao": {"id": 22, "status": "SUCESSO",
        "criado_em": "2024-02-07T17:07:44+00:00", "numero_cnj": cnj, "concluido_em": "2024-02-07T17:08:46+00:00",
        "enviar_callback": "SIM"}})
}

pub(super) fn monitor_found(cnj: &str, uuid: &str) -> Value {
    json!({"event": "processo_encontrado", "monitoramento": monitor(cnj), "uuid": uuid})
}
