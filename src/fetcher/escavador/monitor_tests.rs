//! Monitors and the log of callbacks against the simulated vendor.

use std::time::Duration;

use chrono::NaiveDate;
use serde_json::Value;

use super::vendor_tests::{Asking, LONG, NUMBER, client, cnj, settings, vendor};
use crate::ambient::{Clock, SystemClock};
use crate::domain::caller::{Caller, Lane};
use crate::fetcher::callback_messages::{CallbackStatus, ReadCallbacks};
use crate::fetcher::messages::{Failure, FetchError};
use crate::fetcher::monitor_messages::{
    CreateMonitor, FindMonitor, Frequency, MonitorCreated, ReadMonitor, RemoveMonitor, VendorMonitorState,
};
use crate::resilience::deadline::Deadline;
use crate::sandbox::{Endpoint, Fault, SandboxSettings};

fn soon() -> Deadline {
    Deadline::after(SystemClock.monotonic(), LONG)
}

fn at_once() -> SandboxSettings {
    SandboxSettings { monitor_delay: Duration::ZERO, ..SandboxSettings::default() }
}

async fn create(client: &Asking) -> Result<MonitorCreated, FetchError> {
    let (frequency, lane, caller) = (Frequency::Weekly, Lane::Background, Caller::Service);
    client.create_monitor(&CreateMonitor { cnj: cnj(), frequency, lane, caller, deadline: soon() }).await
}

#[actix_rt::test]
async fn a_monitor_is_created_found_adopted_and_removed() {
    let sandbox = vendor(at_once(), 3).await;
    let client = client(settings(sandbox.base_url()));
    let created = create(&client).await.unwrap();
    let monitor = created.monitor.unwrap();
    assert_eq!((monitor.cnj, monitor.state, created.adopted), (Some(cnj()), VendorMonitorState::Pending, false));
    let seen = sandbox.control().monitors();
    assert_eq!((seen.len(), seen[0].number.as_str(), seen[0].frequency), (1, NUMBER, "SEMANAL"));
    let read = client.read_monitor(&ReadMonitor { id: monitor.id, deadline: soon() }).await.unwrap().unwrap();
    assert_eq!(read.state, VendorMonitorState::Found);
    let again = create(&client).await.unwrap();
    assert_eq!((again.monitor.map(|monitor| monitor.id), again.adopted), (Some(monitor.id), true));
    let remove = RemoveMonitor { id: monitor.id, deadline: soon() };
    assert_eq!(client.remove_monitor(&remove).await, Ok(true));
    assert_eq!(client.remove_monitor(&remove).await, Ok(false));
    assert_eq!(client.read_monitor(&ReadMonitor { id: monitor.id, deadline: soon() }).await, Ok(None));
    assert_eq!(client.find_monitor(&FindMonitor { cnj: cnj(), deadline: soon() }).await, Ok(None));
    assert_eq!(sandbox.control().charged(), 0);
}

#[actix_rt::test]
async fn a_creation_is_sent_once_and_found_on_whichever_page_it_stands() {
    let sandbox = vendor(at_once(), 3).await;
    let client = client(settings(sandbox.base_url()));
    sandbox.control().set_fault(Fault::ChargedTimeout, Some(Endpoint::MonitorCreate), Some(1));
    let lost = create(&client).await.unwrap_err();
    assert_eq!((lost.failure, sandbox.control().call_count(Endpoint::MonitorCreate)), (Failure::TimedOut, 1));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for number in crate::sandbox::demo_numbers(25, 4) {
        let address = format!("{}/api/v2/monitoramentos/processos", sandbox.base_url());
        let order = serde_json::json!({"numero": number});
        http.post(address).bearer_auth("a-key").json(&order).send().await.unwrap();
    }
    let found = client.find_monitor(&FindMonitor { cnj: cnj(), deadline: soon() }).await.unwrap().unwrap();
    assert_eq!((found.id, sandbox.control().call_count(Endpoint::Monitors)), (1, 2));
}

#[actix_rt::test]
async fn the_log_of_callbacks_is_read_page_by_page() {
    let sandbox = vendor(at_once(), 3).await;
    let client = client(settings(sandbox.base_url()));
    create(&client).await.unwrap();
    let day = NaiveDate::from_ymd_opt(2024, 10, 1).unwrap();
    let news: Vec<_> = (0..24).map(|at| (day, format!("Ato {at}"))).collect();
    let ids = sandbox.control().add_movements(NUMBER, &news);
    let since = SystemClock.now() - chrono::TimeDelta::minutes(1);
    let read = async |page| client.callbacks(&ReadCallbacks { since, page, deadline: soon() }).await.unwrap();
    let (first, second) = (read(1).await, read(2).await);
    assert_eq!((first.items.len(), first.more, second.items.len(), second.more), (20, true, 5, false));
    assert!(first.items.iter().all(|item| item.attempts == 0 && item.status == CallbackStatus::Trying));
    let newest: Value = serde_json::from_slice(&first.items[0].payload).unwrap();
    assert_eq!(
        (&newest["event"], newest["movimentacao"]["id"].as_i64()),
        (&"nova_movimentacao".into(), ids.last().copied())
    );
    let oldest: Value = serde_json::from_slice(&second.items[4].payload).unwrap();
    assert_eq!(oldest["event"], "processo_encontrado");
    let later = SystemClock.now() + chrono::TimeDelta::hours(1);
    let none = client.callbacks(&ReadCallbacks { since: later, page: 1, deadline: soon() }).await.unwrap();
    assert_eq!((none.items.len(), none.more), (0, false));
}
