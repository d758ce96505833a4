//! Services whose warmers look often and wait hardly at all.

use std::collections::BTreeMap;
use std::time::Duration;

use juscache::resilience::backoff::Backoff;
use juscache::sandbox::{Control, Endpoint};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::house::{Answer, House, Plan, answer};
use crate::support::postgres::TestDatabase;
use crate::support::wait::eventually;

/// For what takes a moment, on a machine that does much else.
pub(super) const SOON: Duration = Duration::from_secs(60);
/// Of one process: cover and movements.
pub(super) const PRICE: u64 = 600;

pub(super) const TOKEN: &str = "the-token-of-the-tests";
pub(super) const WARM: &str = "/api/v1/admin/warm";

/// A plan on this database.
pub(super) fn plan(database: &TestDatabase<'_>) -> Plan {
    let pauses = |base, cap| Backoff { base, cap, stable_for: Duration::ZERO };
    Plan::new(&database.url).with(|settings| {
        settings.admin_token = Some(TOKEN.into());
        settings.fetcher.request_timeout = Duration::from_secs(1);
        settings.fetcher.max_attempts = 1;
        let warm = &mut settings.warm;
        warm.look_every = Duration::from_millis(50);
        warm.settle = Duration::from_millis(200);
        warm.note_every = Duration::from_millis(50);
        warm.follow_every = Duration::from_millis(50);
        warm.held_within = Duration::from_secs(1);
        warm.lookup_within = Duration::from_secs(8);
        warm.book_patience = Duration::from_secs(3);
        warm.lease_margin = Duration::ZERO;
        warm.pause = pauses(Duration::from_millis(100), Duration::from_millis(400));
        warm.again = pauses(Duration::from_millis(50), Duration::from_millis(200));
    })
}

pub(super) async fn call(house: &House, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = house.client.request(method, house.url(path)).bearer_auth(TOKEN);
    answer(match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    })
    .await
}

/// Sends a list and gives its id.
pub(super) async fn send(house: &House, numbers: &[String]) -> String {
    let accepted = call(house, Method::POST, WARM, Some(json!({ "cnjs": numbers }))).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let id = accepted.body["id"].as_str().expect("an id").to_owned();
    assert_eq!(accepted.header("location"), format!("{WARM}/{id}"));
    id
}

pub(super) async fn look(house: &House, id: &str) -> Value {
    call(house, Method::GET, &format!("{WARM}/{id}"), None).await.body
}

/// Waits until the list is over, and tells how.
pub(super) async fn over(house: &House, id: &str) -> Value {
    eventually(SOON, "the list is over", async || !look(house, id).await["ended_at"].is_null()).await;
    look(house, id).await
}

/// The counts of a list: done, known, unknown, failed, waiting.
pub(super) fn counts(list: &Value) -> [u64; 5] {
    ["done", "known", "unknown", "failed", "waiting"].map(|name| list[name].as_u64().expect("a count"))
}

/// How often each process's cover was asked for.
pub(super) fn covers(vendor: &Control) -> BTreeMap<String, usize> {
    let mut covers = BTreeMap::new();
    for call in vendor.calls().into_iter().filter(|call| call.endpoint == Endpoint::Cover) {
        *covers.entry(call.number.expect("a number")).or_default() += 1;
    }
    covers
}

/// Checks that each of these was bought exactly once, and nothing else was.
pub(super) fn bought_once(vendor: &Control, numbers: &[String]) {
    let expected: BTreeMap<String, usize> = numbers.iter().map(|number| (number.clone(), 1)).collect();
    assert_eq!(covers(vendor), expected);
}

/// At least so many covers were sold.
pub(super) async fn sold(vendor: &Control, least: u64) {
    eventually(SOON, "some are bought", async || vendor.call_count(Endpoint::Cover) >= least).await;
}
