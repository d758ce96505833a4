//! `monitoramentos/processos`: create, list, read, remove.

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Asked;
use super::callback::event;
use super::control::Control;
use super::monitor::{self, MonitorStatus};
use super::number::Number;
use super::numbered;
use super::reply::Reply;
use super::route::Endpoint;
use super::state::State;

#[derive(Deserialize)]
struct Paging {
    page: Option<usize>,
}

/// The page that a query asks for; the first where it does not say.
pub(super) fn page_of(query: &str) -> Option<usize> {
    actix_web::web::Query::<Paging>::from_query(query).ok().and_then(|paging| paging.page)
}

impl Control {
    /// Answers the four routes.
    pub(super) fn monitors_route(&self, state: &mut State, asked: &Asked<'_>) -> Reply {
        self.settle_monitors(state);
        let id = asked.number.and_then(|id| id.parse::<u64>().ok());
        match (asked.endpoint, id) {
            (Endpoint::MonitorCreate, _) => self.create_monitor(state, asked.body),
            (Endpoint::Monitors, _) => {
                let items: Vec<Value> = state.monitors.all().map(monitor::Monitor::to_json).collect();
                let address = format!("{}/api/v2/monitoramentos/processos", asked.base);
                Reply::ok(numbered::page(&items, page_of(asked.query), &address, true), 0)
            }
            (Endpoint::Monitor, Some(id)) => {
                state.monitors.get(id).map_or_else(Reply::not_found, |monitor| Reply::ok(monitor.to_json(), 0))
            }
            (Endpoint::MonitorRemove, Some(id)) if state.monitors.remove(id) => Reply::no_content(),
            _ => Reply::not_found(),
        }
    }

    fn create_monitor(&self, state: &mut State, body: &[u8]) -> Reply {
        let options: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(written) = options.get("numero").and_then(Value::as_str) else {
            return Reply::refused(json!({"numero": ["O campo numero é obrigatório."]}));
        };
        let Some(number) = Number::parse(written) else {
            return Reply::invalid_number();
        };
        let wish = options.get("frequencia").and_then(Value::as_str).unwrap_or("DIARIA");
        let Some(frequency) = monitor::frequency(wish) else {
            return Reply::refused(json!({"frequencia": ["O campo frequencia selecionado é inválido."]}));
        };
        // The v1 API words it like this for a term; for v2 nobody has told what it says.
        if state.monitors.has(&number) {
            return Reply::refused_because("Você já monitora este processo");
        }
        let price = self.settings().prices.monitor;
        if price > 0 && state.credits <= 0 {
            return Reply::no_credit();
        }
        let (now, delay) = (self.clock().now(), self.settings().monitor_delay);
        let Some(created) = state.monitors.create(number, frequency, now, delay).map(monitor::Monitor::to_json) else {
            return Reply::refused_because("Você atingiu o limite de monitoramentos");
        };
        state.charge(price);
        Reply { status: 201, ..Reply::ok(created, price) }
    }

    /// Looks for the processes of the monitors whose time has come, and tells by callback.
    pub(super) fn settle_monitors(&self, state: &mut State) {
        let now = self.clock().now();
        for (id, number) in state.monitors.due(now) {
            let found = self.entry(state, &number).process.is_some();
            let Some(monitor) = state.monitors.decide(id, found) else {
                continue;
            };
            let payload = event::decided(monitor);
            state.callbacks.push(payload, now);
        }
    }

    /// The monitors of the account, the newest first, as they are now.
    #[must_use]
    pub fn monitors(&self) -> Vec<super::SeenMonitor> {
        let mut state = self.state();
        self.settle_monitors(&mut state);
        state.monitors.all().map(monitor::Monitor::seen).collect()
    }

    /// Whether the process has a monitor that follows it.
    #[must_use]
    pub fn is_followed(&self, number: &str) -> bool {
        let number = Number::parse(number).map(|number| number.masked());
        self.monitors()
            .iter()
            .any(|monitor| monitor.status == MonitorStatus::Found && Some(&monitor.number) == number.as_ref())
    }
}
