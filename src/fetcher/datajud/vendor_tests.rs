//! The client against the simulated service: what a process takes, what each odd form changes, and what each misbehaviour is.

use std::net::Ipv4Addr;
use std::time::Duration;

use chrono::NaiveDate;

use super::*;
use crate::ambient::{Clock, SystemClock, SystemRandom};
use crate::config::datajud::DatajudUse;
use crate::config::fetcher::FetcherSettings;
use crate::domain::caller::{Caller, Lane};
use crate::domain::entry::Entry;
use crate::domain::phase::Phase;
use crate::domain::render::phase_report;
use crate::domain::snapshot::Snapshot;
use crate::fetcher::fixture::{Opened, account};
use crate::fetcher::prices::PriceList;
use crate::fetcher::providers::Providers;
use crate::fetcher::standing::StandingSettings;
use crate::resilience::backoff::Backoff;
use crate::resilience::deadline::Deadline;
use crate::sandbox::{
    Control, DatajudSandbox, Endpoint, Fault, ProcessShape, Sandbox, SandboxSettings, SearchFault, demo_numbers,
};

const NUMBER: &str = "0000001-39.2024.8.26.0100";
const LONG: Duration = Duration::from_secs(30);

async fn service(settings: SandboxSettings) -> Sandbox {
    Sandbox::start(settings, (Ipv4Addr::LOCALHOST, 0).into(), SystemClock::shared()).await.unwrap()
}

/// A service that holds one process of some size, in both degrees.
async fn with_process(movements: usize) -> Sandbox {
    let sandbox = service(SandboxSettings::default()).await;
    let shape = ProcessShape { movements: Some(movements), second_degree: Some(true), ..ProcessShape::default() };
    sandbox.control().set_process(NUMBER, &shape);
    sandbox
}

/// Impatient, so that what is slow is seen soon; the retries are quick.
fn settings(sandbox: &Sandbox) -> DatajudSettings {
    DatajudSettings {
        api_key: Some("a-key".into()),
        base_url: sandbox.base_url(),
        requests_per_minute: 60_000,
        request_timeout: Duration::from_millis(700),
        retry_base: Duration::from_millis(2),
        ..DatajudSettings::default()
    }
}

/// A client, and the account that it needs to be kept.
struct Asking {
    datajud: Datajud,
    _opened: Opened,
}

impl std::ops::Deref for Asking {
    type Target = Datajud;

    fn deref(&self) -> &Datajud {
        &self.datajud
    }
}

fn client(settings: DatajudSettings) -> Asking {
    let free = FetcherSettings { prices: PriceList::FREE, requests_per_minute: 60_000, ..FetcherSettings::default() };
    let opened = account(snapshot::Provider::Datajud, &free);
    let (clock, random) = (SystemClock::shared(), SystemRandom::shared());
    let datajud = Datajud::new(settings, Arc::clone(&opened.account), clock, random).unwrap();
    Asking { datajud, _opened: opened }
}

fn asked(number: &str, wait: Duration) -> Fetch {
    let deadline = Deadline::after(SystemClock.monotonic(), wait);
    let cnj = Cnj::parse(number).unwrap();
    Fetch {
        cnj,
        lane: Lane::Interactive,
        caller: Caller::Anonymous,
        held: None,
        insist: false,
        deadline,
        allowance: None,
    }
}

async fn fetch(client: &Datajud, number: &str) -> Result<Fetched, FetchError> {
    client.process(asked(number, LONG)).await
}

fn found(fetched: Result<Fetched, FetchError>) -> Snapshot {
    match fetched.unwrap().answer {
        Answer::Found(snapshot) => *snapshot,
        Answer::Current { .. } | Answer::Unknown => panic!("the process is known"),
    }
}

fn searches(control: &Control) -> u64 {
    control.call_count(Endpoint::Search)
}

#[actix_rt::test]
async fn a_whole_process_takes_one_request() {
    let key = DatajudSandbox { api_key: Some("a-key".into()), ..DatajudSandbox::default() };
    let sandbox = service(SandboxSettings { datajud: key, ..SandboxSettings::default() }).await;
    let control = sandbox.control();
    let shape = ProcessShape { movements: Some(120), second_degree: Some(true), ..ProcessShape::default() };
    control.set_process(NUMBER, &shape);
    let fetched = fetch(&client(settings(&sandbox)), NUMBER).await;
    let (requests, cost) = fetched.as_ref().map(|fetched| (fetched.requests, fetched.cost_centavos)).unwrap();
    assert_eq!((requests, cost, searches(control)), (1, 0, 1));
    let snapshot = found(fetched);
    assert_eq!((snapshot.movements.len(), snapshot.total_movements()), (120, 120));
    assert_eq!((snapshot.cover.tribunal.as_str(), snapshot.version.verified_at), ("TJSP", None));
    let call = control.calls().pop().unwrap();
    assert_eq!(call.authorization.as_deref(), Some("APIKey a-key"));
    assert_eq!((call.number.as_deref(), call.path.as_str()), (Some(NUMBER), "/api_publica_tjsp/_search"));
    assert_eq!(control.charged(), 0);
    sandbox.stop().await;
}

#[actix_rt::test]
async fn every_odd_form_is_the_same_process() {
    let sandbox = with_process(80).await;
    let (control, client) = (sandbox.control(), client(settings(&sandbox)));
    let plain = found(fetch(&client, NUMBER).await);
    for form in [
        SearchFault::LowerBound,
        SearchFault::NestedSubjects,
        SearchFault::DigitDates,
        SearchFault::EpochDates,
        SearchFault::LongFractions,
        SearchFault::NationalMovements,
        SearchFault::Strangers,
        SearchFault::Repeated,
        SearchFault::Sparse,
    ] {
        control.set_fault(Fault::Search(form), Some(Endpoint::Search), None);
        let odd = found(fetch(&client, NUMBER).await);
        assert_eq!(odd.movements, plain.movements, "{form:?}");
        assert_eq!((&odd.cover.tribunal, &odd.cover.grau), (&plain.cover.tribunal, &plain.cover.grau), "{form:?}");
        assert!(!odd.cover.sealed, "{form:?}");
        control.clear_faults();
    }
    let ids = |snapshot: &Snapshot| snapshot.movements.iter().map(|movement| movement.id.clone()).collect::<Vec<_>>();
    control.set_fault(Fault::Search(SearchFault::DamagedNames), Some(Endpoint::Search), Some(1));
    assert_eq!(ids(&found(fetch(&client, NUMBER).await)), ids(&plain), "damage changes names, not identities");
    control.set_fault(Fault::Search(SearchFault::Sealed), Some(Endpoint::Search), Some(1));
    assert!(found(fetch(&client, NUMBER).await).cover.sealed);
    sandbox.stop().await;
}

#[actix_rt::test]
async fn ids_outlive_what_is_added() {
    let sandbox = with_process(30).await;
    let client = client(settings(&sandbox));
    let before = found(fetch(&client, NUMBER).await);
    let day = NaiveDate::from_ymd_opt(2030, 1, 2).unwrap();
    sandbox.control().add_movement(NUMBER, day, "Trânsito em julgado às partes").unwrap();
    let after = found(fetch(&client, NUMBER).await);
    let (newest, rest) = after.movements.split_first().unwrap();
    assert_eq!((newest.text.as_str(), newest.date), ("Trânsito em julgado", Some(day)));
    assert_eq!(rest, before.movements);
    sandbox.stop().await;
}

#[actix_rt::test]
async fn pages_are_put_together() {
    let sandbox = service(SandboxSettings::default()).await;
    let whole = client(settings(&sandbox));
    let one_each = client(DatajudSettings { page_size: 1, ..settings(&sandbox) });
    let two_pages = client(DatajudSettings { page_size: 1, max_pages: 2, ..settings(&sandbox) });
    let mut most = 0;
    for number in demo_numbers(20, 1) {
        let fetched = fetch(&one_each, &number).await;
        let requests = fetched.as_ref().unwrap().requests;
        assert_eq!(found(fetched).movements, found(fetch(&whole, &number).await).movements, "{number}");
        if requests == 3 {
            let error = fetch(&two_pages, &number).await.unwrap_err();
            assert_eq!(error.failure, Failure::EndlessPages);
        }
        most = most.max(requests);
    }
    assert_eq!(most, 3, "some process has three hits");
    sandbox.stop().await;
}

#[actix_rt::test]
async fn unknown_is_what_an_index_said_and_nothing_else() {
    let sandbox = with_process(5).await;
    let (control, client) = (sandbox.control(), client(settings(&sandbox)));
    control.hide_from_datajud(NUMBER, true);
    let unknown = fetch(&client, NUMBER).await.unwrap();
    assert!(matches!(unknown.answer, Answer::Unknown));
    assert_eq!((unknown.requests, unknown.cost_centavos), (1, 0));
    let supreme = fetch(&client, "0000001-56.2024.1.00.0000").await.unwrap_err();
    assert_eq!((supreme.failure, searches(control)), (Failure::NoProvider, 1), "no index, no request");
    control.hide_from_datajud(NUMBER, false);
    assert_eq!(found(fetch(&client, NUMBER).await).movements.len(), 5);
    sandbox.stop().await;
}

/// An invented number of a court, its check digits right.
fn number_of(court_and_unit: &str) -> String {
    let rest = format!("00000012018{court_and_unit}");
    let remainder =
        rest.chars().chain("00".chars()).fold(0, |rest, digit| (rest * 10 + digit.to_digit(10).unwrap()) % 97);
    format!("0000001{:02}2018{court_and_unit}", 98 - remainder)
}

fn indices(control: &Control) -> Vec<String> {
    let index = |path: String| path.trim_start_matches("/api_publica_").trim_end_matches("/_search").to_owned();
    control.calls().into_iter().map(|call| index(call.path)).collect()
}

#[actix_rt::test]
async fn the_next_index_is_asked_where_the_first_may_be_wrong() {
    let sandbox = service(SandboxSettings::default()).await;
    let (control, client) = (sandbox.control(), client(settings(&sandbox)));
    let moved = found(fetch(&client, &number_of("4013800")).await);
    assert_eq!((indices(control), moved.cover.tribunal.as_str()), (vec!["trf1".into(), "trf6".into()], "TRF6"));
    control.reset_calls();
    let stayed = found(fetch(&client, &number_of("4013202")).await);
    assert_eq!((indices(control), stayed.cover.tribunal.as_str()), (vec!["trf1".into()], "TRF1"));
    control.reset_calls();
    let electoral = number_of("6070001");
    assert_eq!(found(fetch(&client, &electoral).await).cover.tribunal, "TRE-DF");
    assert_eq!(indices(control), ["tre-df"]);
    control.reset_calls();
    for refusal in [SearchFault::NoIndex, SearchFault::Forbidden] {
        control.set_fault(Fault::Search(refusal), Some(Endpoint::Search), Some(1));
        let error = fetch(&client, &electoral).await.unwrap_err();
        assert_eq!(error.failure, Failure::Refused, "{refusal:?}: neither name exists, so nothing was said");
        assert_eq!(indices(control), ["tre-df", "tre-dft"]);
        control.reset_calls();
    }
    let doubtful = DoubtfulAliases { tre_df: vec!["tre-dft".into(), "tre-df".into()], ..DoubtfulAliases::default() };
    let other_way_round = client.datajud.with_aliases(doubtful);
    assert_eq!(found(fetch(&other_way_round, &electoral).await).cover.tribunal, "TRE-DF");
    assert_eq!(indices(control), ["tre-dft", "tre-df"]);
    sandbox.stop().await;
}

#[actix_rt::test]
async fn each_misbehaviour_has_its_failure_and_its_requests() {
    let limited =
        |retry_after: Option<&str>, html| Fault::RateLimited { retry_after: retry_after.map(str::to_owned), html };
    let elsewhere = with_process(1).await;
    let cases: Vec<(Fault, Failure, u64)> = vec![
        // Without advice nothing is asked for a second or two, by nobody.
        (limited(None, false), Failure::RateLimited, 1),
        (limited(None, true), Failure::RateLimited, 1),
        (limited(Some("30"), false), Failure::RateLimited, 1),
        (Fault::Unauthorized, Failure::Unauthorized, 1),
        (Fault::Html500, Failure::ServerError, 2),
        (Fault::Json503, Failure::ServerError, 2),
        (Fault::Search(SearchFault::Gateway504), Failure::ServerError, 1),
        (Fault::Search(SearchFault::ShardsFailed), Failure::ServerError, 2),
        (Fault::Search(SearchFault::HalfTheShards), Failure::ServerError, 2),
        (Fault::Search(SearchFault::TimedOut), Failure::TimedOut, 1),
        (Fault::Search(SearchFault::NoIndex), Failure::Refused, 1),
        (Fault::Search(SearchFault::Forbidden), Failure::Refused, 1),
        (Fault::Search(SearchFault::NoMovementList), Failure::Unreadable, 1),
        (Fault::WrongShape, Failure::Unreadable, 1),
        (Fault::CutJson, Failure::Unreadable, 2),
        (Fault::Truncated, Failure::Unreadable, 2),
        (Fault::Reset, Failure::Unreachable, 2),
        (Fault::NeverEnds, Failure::TimedOut, 1),
        (Fault::ChargedTimeout, Failure::TimedOut, 1),
        (Fault::Slow(Duration::from_secs(5)), Failure::TimedOut, 1),
        (Fault::Redirect(format!("{}/api_publica_tjsp/_search", elsewhere.base_url())), Failure::Unreadable, 1),
    ];
    let sandbox = with_process(20).await;
    let control = sandbox.control();
    for (fault, failure, requests) in cases {
        // A client each: what one learned holds for all that it does.
        let client = client(settings(&sandbox));
        control.reset_calls();
        control.set_fault(fault.clone(), Some(Endpoint::Search), None);
        let error = fetch(&client, NUMBER).await.unwrap_err();
        assert_eq!((error.failure, error.cost_centavos, searches(control)), (failure, 0, requests), "{fault:?}");
        control.clear_faults();
    }
    assert_eq!(searches(elsewhere.control()), 0, "the key goes to no other host");
    sandbox.stop().await;
    elsewhere.stop().await;
}

#[actix_rt::test]
async fn a_key_that_was_refused_is_tried_again() {
    let sandbox = with_process(1).await;
    let soon = Backoff { base: Duration::from_millis(20), cap: Duration::from_millis(20), ..Backoff::default() };
    let standing = StandingSettings { unauthorized: soon, ..StandingSettings::default() };
    let free = FetcherSettings { prices: PriceList::FREE, standing, ..FetcherSettings::default() };
    let opened = account(snapshot::Provider::Datajud, &free);
    let (clock, random) = (SystemClock::shared(), SystemRandom::shared());
    let client = Datajud::new(settings(&sandbox), Arc::clone(&opened.account), clock, random).unwrap();
    sandbox.control().set_fault(Fault::Unauthorized, Some(Endpoint::Search), Some(1));
    assert_eq!(fetch(&client, NUMBER).await.unwrap_err().failure, Failure::Unauthorized);
    let until = SystemClock.monotonic() + LONG;
    while fetch(&client, NUMBER).await.is_err() {
        assert!(SystemClock.monotonic() < until, "there is no other way to learn that the key is good");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((searches(sandbox.control()), opened.account.hold()), (2, None));
    sandbox.stop().await;
}

#[actix_rt::test]
async fn what_passes_is_asked_again_and_advice_is_passed_on() {
    let sandbox = with_process(20).await;
    let (control, client) = (sandbox.control(), client(settings(&sandbox)));
    for fault in [Fault::Search(SearchFault::ShardsFailed), Fault::Json503] {
        control.set_fault(fault.clone(), Some(Endpoint::Search), Some(1));
        let fetched = fetch(&client, NUMBER).await.unwrap();
        assert_eq!(fetched.requests, 2, "{fault:?}");
    }
    let advised = Fault::RateLimited { retry_after: Some("30".into()), html: false };
    control.set_fault(advised, Some(Endpoint::Search), Some(1));
    assert_eq!(fetch(&client, NUMBER).await.unwrap_err().retry_after, Some(Duration::from_secs(30)));
    sandbox.stop().await;
}

#[actix_rt::test]
async fn bounds_hold() {
    let sandbox = with_process(500).await;
    let small = client(DatajudSettings { max_body: 4_096, ..settings(&sandbox) });
    assert_eq!(fetch(&small, NUMBER).await.unwrap_err().failure, Failure::Unreadable);
    let late = client(settings(&sandbox)).process(asked(NUMBER, Duration::ZERO)).await.unwrap_err();
    assert_eq!(late.failure, Failure::TimedOut);
    assert_eq!(searches(sandbox.control()), 1, "after the deadline nothing is sent");
    let wrong = DatajudSandbox { api_key: Some("another".into()), ..DatajudSandbox::default() };
    let locked = service(SandboxSettings { datajud: wrong, ..SandboxSettings::default() }).await;
    assert_eq!(fetch(&client(settings(&locked)), NUMBER).await.unwrap_err().failure, Failure::Unauthorized);
    let nobody = DatajudSettings { base_url: "http://127.0.0.1:9".into(), ..settings(&sandbox) };
    assert_eq!(fetch(&client(nobody), NUMBER).await.unwrap_err().failure, Failure::Unreachable);
    sandbox.stop().await;
    locked.stop().await;
}

#[actix_rt::test]
async fn a_client_that_cannot_be_made_says_which_variable_is_wrong() {
    let sandbox = with_process(1).await;
    let opened = account(snapshot::Provider::Datajud, &FetcherSettings::default());
    let refused = |settings: DatajudSettings| {
        Datajud::new(settings, Arc::clone(&opened.account), SystemClock::shared(), SystemRandom::shared()).unwrap_err()
    };
    let no_key = refused(DatajudSettings { api_key: None, ..settings(&sandbox) });
    assert!(no_key.to_string().contains("DATAJUD_API_KEY") && no_key.failure() == Failure::NoProvider);
    let odd_key = refused(DatajudSettings { api_key: Some("a\nb".into()), ..settings(&sandbox) });
    assert!(odd_key.to_string().contains("DATAJUD_API_KEY") && !odd_key.to_string().contains("a\nb"));
    let no_url = refused(DatajudSettings { base_url: "datajud".into(), ..settings(&sandbox) });
    assert!(no_url.to_string().contains("DATAJUD_BASE_URL"));
    sandbox.stop().await;
}

/// Escavador as it is when it is down.
#[derive(Debug)]
struct Down;

impl Provider for Down {
    fn id(&self) -> snapshot::Provider {
        snapshot::Provider::Escavador
    }

    fn process(&self, _fetch: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        let error = FetchError { failure: Failure::ServerError, retry_after: None, cost_centavos: 300 };
        futures_util::future::ready(Err(error)).boxed()
    }
}

#[actix_rt::test]
async fn a_copy_in_hand_gets_the_news_that_are_public() {
    let sandbox = with_process(30).await;
    let datajud: Arc<dyn Provider> = Arc::new(client(settings(&sandbox)).datajud);
    let providers = Providers::new(Ok(Arc::new(Down)), Some(datajud), DatajudUse::Complement);
    let mut held = crate::domain::sample::process(3, 0);
    let stand_in = providers.process(asked(NUMBER, LONG)).await.unwrap();
    assert!(stand_in.stand_in && stand_in.cost_centavos == 300);
    let public = found(Ok(stand_in));
    let until = public.last_update().unwrap();
    for movement in &mut held.movements {
        movement.date = Some(until);
    }
    let fetch = |held: Snapshot| {
        let entry = Entry::new(held, chrono::DateTime::UNIX_EPOCH).unwrap();
        Fetch { held: Some(Arc::new(entry)), ..asked(NUMBER, LONG) }
    };
    let error = providers.process(fetch(held.clone())).await.unwrap_err();
    assert_eq!((error.failure, error.cost_centavos), (Failure::ServerError, 300), "no news");
    let day = NaiveDate::from_ymd_opt(2030, 1, 2).unwrap();
    sandbox.control().add_movement(NUMBER, day, "Arquivado definitivamente").unwrap();
    let whole = found(providers.process(fetch(held)).await);
    assert_eq!((whole.provider, whole.movements.len()), (snapshot::Provider::Escavador, 4));
    assert_eq!(whole.movements[0].text, "Arquivamento definitivo");
    sandbox.stop().await;
}

/// The names of the tables must be as telling as the courts' texts, or a fallback would show another phase.
#[actix_rt::test]
async fn archived_processes_are_archived_here_too() {
    let sandbox = service(SandboxSettings::default()).await;
    let client = client(settings(&sandbox));
    let mut archived = 0;
    for number in demo_numbers(30, 1) {
        let snapshot = found(fetch(&client, &number).await);
        let ends = snapshot.movements.first().is_some_and(|movement| movement.text == "Arquivamento definitivo");
        if ends {
            assert_eq!(phase_report(&snapshot).current, Phase::Arquivado, "{number}");
            archived += 1;
        }
    }
    assert!(archived > 3, "{archived}");
    sandbox.stop().await;
}
