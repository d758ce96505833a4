//! The client against the simulated vendor: what a whole process takes, and what each misbehaviour costs.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::ambient::{Clock, SystemClock, SystemRandom};
use crate::domain::caller::Caller;
use crate::domain::snapshot::Snapshot;
use crate::fetcher::budget::tests::Fake;
use crate::fetcher::fixture::{Opened, account, capped};
use crate::fetcher::messages::Failure;
use crate::fetcher::standing::StandingSettings;
use crate::resilience::deadline::Deadline;
use crate::resilience::retry_budget::RetryBudgetSettings;
use crate::sandbox::{Control, Endpoint, Fault, MovementStyle, ProcessShape, Sandbox, SandboxSettings};

pub(super) const NUMBER: &str = "0000001-39.2024.8.26.0100";
pub(super) const LONG: Duration = Duration::from_secs(30);

fn free_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

pub(super) async fn vendor(settings: SandboxSettings, movements: usize) -> Sandbox {
    let sandbox = Sandbox::start(settings, free_port(), SystemClock::shared()).await.unwrap();
    let shape = ProcessShape { movements: Some(movements), ..ProcessShape::default() };
    sandbox.control().set_process(NUMBER, &shape);
    sandbox
}

/// Impatient, so that what is slow is seen soon; the retries are quick.
pub(super) fn settings(base_url: String) -> FetcherSettings {
    FetcherSettings {
        base_url,
        requests_per_minute: 60_000,
        request_timeout: Duration::from_millis(700),
        retry_base: Duration::from_millis(2),
        ..FetcherSettings::default()
    }
}

/// A client and its account.
pub(super) struct Asking {
    escavador: Escavador,
    opened: Opened,
}

impl std::ops::Deref for Asking {
    type Target = Escavador;

    fn deref(&self) -> &Escavador {
        &self.escavador
    }
}

pub(super) fn client(settings: FetcherSettings) -> Asking {
    let opened = account(snapshot::Provider::Escavador, &settings);
    asking(&settings, opened)
}

fn asking(settings: &FetcherSettings, opened: Opened) -> Asking {
    let key = SecretString::from("a-key");
    let (clock, random) = (SystemClock::shared(), SystemRandom::shared());
    let escavador = Escavador::new(&key, settings, Arc::clone(&opened.account), clock, random).unwrap();
    Asking { escavador, opened }
}

/// Allows every retry that a test is about.
fn generous() -> StandingSettings {
    let retries = RetryBudgetSettings { per_mille: 1_000, most: 100, first: 100 };
    StandingSettings { retries, ..StandingSettings::default() }
}

pub(super) fn cnj() -> Cnj {
    Cnj::parse(NUMBER).unwrap()
}

async fn fetch(client: &Escavador, wait: Duration) -> Result<Fetched, FetchError> {
    let deadline = Deadline::after(SystemClock.monotonic(), wait);
    let fetch = Fetch {
        cnj: cnj(),
        lane: Lane::Interactive,
        caller: Caller::Anonymous,
        held: None,
        insist: false,
        deadline,
        allowance: None,
    };
    client.process(fetch).await
}

fn found(fetched: Fetched) -> Snapshot {
    match fetched.answer {
        Answer::Found(snapshot) => *snapshot,
        Answer::Current { .. } | Answer::Unknown => panic!("the process is known"),
    }
}

fn ids(snapshot: &Snapshot) -> Vec<String> {
    snapshot.movements.iter().map(|movement| movement.id.to_string()).collect()
}

fn vendor_ids(control: &Control) -> Vec<String> {
    control.movement_ids(NUMBER).iter().map(i64::to_string).collect()
}

#[actix_rt::test]
async fn a_whole_process_takes_the_fewest_requests() {
    let sandbox = vendor(SandboxSettings { api_key: Some("a-key".into()), ..SandboxSettings::default() }, 1_234).await;
    let client = client(settings(sandbox.base_url()));
    let fetched = fetch(&client, LONG).await.unwrap();
    assert_eq!((fetched.requests, fetched.cost_centavos), (4, 600), "the cover, then three pages of 500 at most");
    let snapshot = found(fetched);
    assert_eq!(ids(&snapshot), vendor_ids(sandbox.control()));
    assert_eq!((snapshot.cover.tribunal.as_str(), snapshot.cover.declared_total), ("TJSP", Some(1_234)));
    assert!(snapshot.version.verified_at.is_some_and(|verified| verified <= snapshot.version.fetched_at));
    assert!(snapshot.cover.raw.contains("fontes"));
    assert_eq!((sandbox.control().calls().len(), sandbox.control().charged()), (4, 600));
    let metrics = client.opened.metrics.render();
    let cover = r#"juscache_upstream_requests_total{provider="escavador",endpoint="cover",outcome="ok"} 1"#;
    assert!(metrics.contains(cover), "{metrics}");
    assert!(metrics.contains(r#"juscache_upstream_cost_centavos_total{lane="interactive"} 600"#), "{metrics}");
    sandbox.stop().await;
}

#[actix_rt::test]
async fn both_styles_and_odd_fields_are_the_same_process() {
    let sandbox = vendor(SandboxSettings::default(), 60).await;
    let control = sandbox.control();
    let client = client(settings(sandbox.base_url()));
    for style in [MovementStyle::Bare, MovementStyle::Full] {
        let shape = ProcessShape { movements: Some(60), style: Some(style), ..ProcessShape::default() };
        control.set_process(NUMBER, &shape);
        let plain = found(fetch(&client, LONG).await.unwrap());
        assert_eq!(ids(&plain), vendor_ids(control), "{style:?}");
        control.set_fault(Fault::GrauAsString, None, None);
        let quoted = found(fetch(&client, LONG).await.unwrap());
        assert_eq!(quoted.movements, plain.movements, "{style:?}");
        control.clear_faults();
        control.set_fault(Fault::NullsInRequired, None, None);
        let sparse = found(fetch(&client, LONG).await.unwrap());
        assert_eq!(ids(&sparse), ids(&plain), "{style:?}");
        assert_eq!((sparse.cover.tribunal.as_str(), sparse.version.verified_at.is_some()), ("TJSP", true));
        control.clear_faults();
    }
    sandbox.stop().await;
}

#[actix_rt::test]
async fn unknown_and_empty_processes_are_answers() {
    let sandbox = vendor(SandboxSettings::default(), 0).await;
    let client = client(settings(sandbox.base_url()));
    let empty = fetch(&client, LONG).await.unwrap();
    assert_eq!(empty.requests, 2);
    assert!(found(empty).movements.is_empty());
    sandbox.control().forget_process(NUMBER);
    let unknown = fetch(&client, LONG).await.unwrap();
    assert!(matches!(unknown.answer, Answer::Unknown));
    assert_eq!((unknown.requests, unknown.cost_centavos), (1, 0));
    sandbox.stop().await;
}

/// One misbehaviour that does not pass: where, what it is to the reader, how many requests, how many centavos we know of.
type Case = (Fault, Endpoint, Failure, usize, u64);

#[actix_rt::test]
async fn each_misbehaviour_has_its_failure_its_requests_and_its_cost() {
    use Endpoint::{Cover, Movements};
    let limited =
        |retry_after: Option<&str>, html| Fault::RateLimited { retry_after: retry_after.map(str::to_owned), html };
    let elsewhere = vendor(SandboxSettings::default(), 1).await;
    let cases: Vec<Case> = vec![
        (limited(None, false), Cover, Failure::RateLimited, 1, 0),
        (limited(None, true), Movements, Failure::RateLimited, 2, 300),
        (limited(Some("30"), false), Cover, Failure::RateLimited, 1, 0),
        (limited(Some("0"), false), Cover, Failure::RateLimited, 3, 0),
        (Fault::Html500, Cover, Failure::ServerError, 3, 0),
        (Fault::Json503, Movements, Failure::ServerError, 4, 300),
        (Fault::Unauthorized, Cover, Failure::Unauthorized, 1, 0),
        (Fault::NoCredit, Movements, Failure::NoCredit, 2, 300),
        (Fault::Blocked403, Cover, Failure::NoCredit, 1, 0),
        (Fault::ErrorsAsEmptyArray, Cover, Failure::Refused, 1, 0),
        (Fault::ErrorsAsEmptyArray, Movements, Failure::Refused, 3, 300),
        // Not charged, and we cannot know.
        (Fault::Reset, Cover, Failure::Unreachable, 2, 600),
        (Fault::CutJson, Movements, Failure::Unreadable, 3, 900),
        (Fault::Truncated, Cover, Failure::Unreadable, 2, 600),
        (Fault::WrongShape, Cover, Failure::Unreadable, 1, 300),
        (Fault::WrongShape, Movements, Failure::Unreadable, 2, 600),
        (Fault::NeverEnds, Cover, Failure::TimedOut, 2, 600),
        // Charged, and we presume so.
        (Fault::ChargedTimeout, Cover, Failure::TimedOut, 2, 600),
        (Fault::Redirect(elsewhere.base_url()), Cover, Failure::Unreadable, 1, 0),
        (Fault::NextLoops, Movements, Failure::EndlessPages, 2, 600),
        (Fault::NextRepeatsCursor, Movements, Failure::EndlessPages, 3, 600),
    ];
    let sandbox = vendor(SandboxSettings::default(), 1_200).await;
    let control = sandbox.control();
    for (fault, endpoint, failure, requests, cost) in cases {
        let name = format!("{} on {}", fault.as_str(), endpoint.as_str());
        control.set_fault(fault, Some(endpoint), None);
        let error = fetch(&client(settings(sandbox.base_url())), LONG).await.unwrap_err();
        assert_eq!((error.failure, error.cost_centavos), (failure, cost), "{name}");
        assert_eq!(control.calls().len(), requests, "{name}");
        assert_eq!(error.retry_after.is_some(), failure == Failure::RateLimited, "{name}");
        control.clear_faults();
        control.reset_calls();
    }
    assert_eq!(elsewhere.control().calls(), [], "no redirect is followed");
    sandbox.stop().await;
    elsewhere.stop().await;
}

#[actix_rt::test]
async fn advice_is_passed_on() {
    let sandbox = vendor(SandboxSettings::default(), 1).await;
    let mut advice = Vec::new();
    for retry_after in [None, Some("30".to_owned()), Some("Fri, 01 Jan 2100 00:00:00 GMT".to_owned())] {
        sandbox.control().set_fault(Fault::RateLimited { retry_after, html: false }, None, Some(1));
        // A client each: what was said to one holds for all that it does.
        let client = client(settings(sandbox.base_url()));
        advice.push(fetch(&client, LONG).await.unwrap_err().retry_after.unwrap().as_secs());
    }
    assert!(matches!(advice.as_slice(), [0..=65, 30, 86_400]), "{advice:?}");
    sandbox.stop().await;
}

#[actix_rt::test]
async fn what_passes_is_repeated_and_then_forgotten() {
    let sandbox = vendor(SandboxSettings::default(), 30).await;
    let control = sandbox.control();
    let client = client(FetcherSettings { standing: generous(), ..settings(sandbox.base_url()) });
    let soon = Fault::RateLimited { retry_after: Some("1".into()), html: false };
    // What was charged, or may have been, is paid twice.
    for (fault, cost) in
        [(Fault::Html500, 600), (soon, 600), (Fault::Reset, 900), (Fault::CutJson, 900), (Fault::Truncated, 900)]
    {
        let name = fault.as_str();
        control.set_fault(fault, Some(Endpoint::Movements), Some(1));
        let fetched = fetch(&client, LONG).await.unwrap();
        assert_eq!((fetched.requests, fetched.cost_centavos), (3, cost), "{name}");
        assert_eq!(ids(&found(fetched)), vendor_ids(control), "{name}");
    }
    sandbox.stop().await;
}

#[actix_rt::test]
async fn the_key_goes_to_no_other_host() {
    let elsewhere = vendor(SandboxSettings::default(), 1_200).await;
    let sandbox = vendor(SandboxSettings::default(), 1_200).await;
    let control = sandbox.control();
    let client = client(settings(sandbox.base_url()));
    for fault in [Fault::NextToOtherHost(elsewhere.base_url()), Fault::NextHttp] {
        control.set_fault(fault, Some(Endpoint::Movements), None);
        let fetched = fetch(&client, LONG).await.unwrap();
        assert_eq!(fetched.requests, 4);
        assert_eq!(ids(&found(fetched)), vendor_ids(control));
        control.clear_faults();
    }
    assert!(control.calls().iter().all(|call| call.authorization.as_deref() == Some("Bearer a-key")));
    assert_eq!(elsewhere.control().calls(), []);
    sandbox.stop().await;
    elsewhere.stop().await;
}

#[actix_rt::test]
async fn an_older_vendor_gets_smaller_pages() {
    let sandbox = vendor(SandboxSettings::default(), 250).await;
    sandbox.control().set_fault(Fault::ErrorsAsEmptyArray, Some(Endpoint::Movements), Some(1));
    let fetched = fetch(&client(settings(sandbox.base_url())), LONG).await.unwrap();
    assert_eq!(fetched.requests, 5, "the cover, a refusal, three pages of 100");
    assert_eq!(found(fetched).movements.len(), 250);
    sandbox.stop().await;
}

#[actix_rt::test]
async fn links_that_lose_the_limit_cost_one_short_page() {
    let forgetful = SandboxSettings { links_repeat_parameters: false, ..SandboxSettings::default() };
    let sandbox = vendor(forgetful, 2_000).await;
    let fetched = fetch(&client(settings(sandbox.base_url())), LONG).await.unwrap();
    assert_eq!(fetched.requests, 6, "the cover, 500, 20, then 500 twice and the rest");
    assert_eq!(ids(&found(fetched)), vendor_ids(sandbox.control()));
    sandbox.stop().await;
}

#[actix_rt::test]
async fn bounds_hold() {
    let sandbox = vendor(SandboxSettings::default(), 1_200).await;
    let control = sandbox.control();
    let base = || settings(sandbox.base_url());

    let small = client(FetcherSettings { max_body: 1_000, ..base() });
    let error = fetch(&small, LONG).await.unwrap_err();
    assert_eq!((error.failure, error.cost_centavos, control.calls().len()), (Failure::Unreadable, 300, 1));

    let short = client(FetcherSettings { max_pages: 2, ..base() });
    control.reset_calls();
    assert_eq!(fetch(&short, LONG).await.unwrap_err().failure, Failure::EndlessPages);
    assert_eq!(control.calls().len(), 3);

    control.reset_calls();
    let error = fetch(&client(base()), Duration::ZERO).await.unwrap_err();
    assert_eq!((error.failure, control.calls().len()), (Failure::TimedOut, 0), "nothing is sent for nobody");

    control.set_latency(Duration::from_secs(5));
    let began = SystemClock.monotonic();
    let error = fetch(&client(base()), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!((error.failure, control.calls().len()), (Failure::TimedOut, 1), "no try beyond the deadline");
    assert!(SystemClock.monotonic() - began < Duration::from_secs(3));

    let slow = client(FetcherSettings { requests_per_minute: 1, ..base() });
    control.set_latency(Duration::ZERO);
    control.reset_calls();
    let error = fetch(&slow, LONG).await.unwrap_err();
    assert_eq!((error.failure, control.calls().len()), (Failure::RateLimited, 1), "our own limit, after the cover");
    assert!(error.retry_after.is_some_and(|advice| advice > LONG));
    sandbox.stop().await;
}

#[actix_rt::test]
async fn a_closed_port_is_tried_as_often_as_allowed() {
    let sandbox = vendor(SandboxSettings::default(), 1).await;
    let client = client(settings(sandbox.base_url()));
    sandbox.stop().await;
    assert_eq!(fetch(&client, LONG).await.unwrap_err().failure, Failure::Unreachable);
    let refused = r#"endpoint="cover",outcome="unreachable"} 3"#;
    assert!(client.opened.metrics.render().contains(refused), "{}", client.opened.metrics.render());
}

#[actix_rt::test]
async fn a_key_that_is_no_header_is_said_so() {
    let (clock, random) = (SystemClock::shared(), SystemRandom::shared());
    let settings = settings("http://x".into());
    let opened = account(snapshot::Provider::Escavador, &settings);
    let broken = SecretString::from("two\nlines");
    let error = Escavador::new(&broken, &settings, Arc::clone(&opened.account), clock, random).unwrap_err();
    assert_eq!(error.failure(), Failure::Unauthorized);
    assert!(!error.to_string().contains("two"));
}

fn held(fetched: Fetched) -> Option<Arc<Entry>> {
    let snapshot = found(fetched);
    let fresh_until = snapshot.version.fetched_at;
    Some(Arc::new(Entry::new(snapshot, fresh_until).unwrap()))
}

async fn refetch(client: &Escavador, held: Option<Arc<Entry>>, insist: bool) -> Result<Fetched, FetchError> {
    let deadline = Deadline::after(SystemClock.monotonic(), LONG);
    let fetch = Fetch {
        cnj: cnj(),
        lane: Lane::Interactive,
        caller: Caller::Anonymous,
        held,
        insist,
        deadline,
        allowance: None,
    };
    client.process(fetch).await
}

/// Free before paid: what the vendor has not looked at again is not bought again.
#[actix_rt::test]
async fn nothing_is_bought_while_the_vendor_has_nothing_newer() {
    let sandbox = vendor(SandboxSettings::default(), 60).await;
    let control = sandbox.control();
    let client = client(settings(sandbox.base_url()));
    let held = held(fetch(&client, LONG).await.unwrap());
    for _ in 0..3 {
        let fetched = refetch(&client, held.clone(), false).await.unwrap();
        assert!(matches!(fetched.answer, Answer::Current { .. }), "{fetched:?}");
        assert_eq!((fetched.requests, fetched.cost_centavos), (1, 0));
    }
    assert_eq!(control.charged(), 600);
    assert_eq!(refetch(&client, held.clone(), true).await.unwrap().cost_centavos, 600, "who insists pays");

    control.verify(NUMBER, SystemClock.now());
    let fetched = refetch(&client, held, false).await.unwrap();
    assert_eq!((fetched.requests, fetched.cost_centavos), (3, 600), "the vendor has looked at the court since");
    sandbox.stop().await;
}

/// Told twice: the documentation says that the status is free, and a third party measured it; should it be charged, it is not used.
#[actix_rt::test]
async fn a_free_check_that_is_charged_is_given_up() {
    let mut settings_of_vendor = SandboxSettings::default();
    settings_of_vendor.prices.status = 2;
    let sandbox = vendor(settings_of_vendor, 60).await;
    let client = client(settings(sandbox.base_url()));
    let held = held(fetch(&client, LONG).await.unwrap());
    assert_eq!(refetch(&client, held.clone(), false).await.unwrap().cost_centavos, 2);
    let bought = refetch(&client, held, false).await.unwrap();
    assert_eq!((bought.requests, bought.cost_centavos), (2, 600));
    assert_eq!(sandbox.control().call_count(Endpoint::Status), 1);
    sandbox.stop().await;
}

/// Every request is in the ledger, with what the vendor charged, whatever became of it.
#[actix_rt::test]
async fn the_ledger_has_what_the_vendor_charged() {
    let sandbox = vendor(SandboxSettings::default(), 1_200).await;
    let client = client(settings(sandbox.base_url()));
    fetch(&client, LONG).await.unwrap();
    sandbox.control().set_fault(Fault::ChargedTimeout, Some(Endpoint::Movements), Some(1));
    fetch(&client, LONG).await.unwrap();
    let batch = client.opened.ledger.next_batch(100).unwrap();
    let booked: u64 = batch.calls.iter().map(|call| call.cost.centavos()).sum();
    assert_eq!(i64::try_from(booked).unwrap(), sandbox.control().charged());
    assert_eq!(batch.calls.len(), sandbox.control().calls().len());
    let presumed = batch.calls.iter().filter(|call| call.cost.basis() == "presumed").count();
    assert_eq!(presumed, 1, "the one whose answer never came");
    assert_eq!(client.opened.ledger.open_calls(), 0);
    sandbox.stop().await;
}

/// A cover whose movements could not be paid would be money lost: a fetch begins only when there is enough for both.
#[actix_rt::test]
async fn a_cap_lets_whole_fetches_through_and_no_halves() {
    let sandbox = vendor(SandboxSettings::default(), 60).await;
    let settings = settings(sandbox.base_url());
    let vault = Fake::of(599);
    let short = asking(&settings, capped(&settings, vault.clone(), 599));
    let error = fetch(&short, LONG).await.unwrap_err();
    assert_eq!((error.failure, error.cost_centavos), (Failure::BudgetExhausted, 0));
    assert_eq!(sandbox.control().calls(), []);
    short.opened.budget.tend(300).await;
    assert_eq!(vault.reserved(), 0, "what was drawn for the cover is given back");

    let vault = Fake::of(600);
    let enough = asking(&settings, capped(&settings, vault.clone(), 600));
    assert_eq!(fetch(&enough, LONG).await.unwrap().cost_centavos, 600);
    assert_eq!(vault.reserved(), 600, "set aside until the ledger's rows are stored");
    sandbox.stop().await;
}
