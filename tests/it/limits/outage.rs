//! A vendor out of order, asked for hundreds of processes a second: it sees probes, not a storm.

use std::time::Duration;

use juscache::config::Settings;
use juscache::sandbox::{Fault, demo_numbers};

use crate::support::house::{House, Plan};
use crate::support::load::{Load, LoadPlan};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(20);

async fn house(hint: &str, change: impl FnOnce(&mut Settings)) -> (House, TestDatabase<'static>) {
    let database = Postgres::shared().database(hint);
    let plan = Plan::new(&database.url).with(|settings| {
        settings.fetcher.retry_base = Duration::from_millis(20);
        change(settings);
    });
    (plan.build().await, database)
}

/// Twenty clients who ask for one process after another.
fn storm(house: &House, seed: u64, pause: Duration) -> Load {
    Load::start(LoadPlan {
        urls: demo_numbers(8_000, seed).iter().map(|cnj| house.detailed(cnj)).collect(),
        clients: 20,
        pause,
        timeout: LONG,
        at_most: 120 * SECOND,
    })
}

fn requests(house: &House) -> usize {
    house.vendor().calls().len()
}

async fn row(fault: Fault) {
    let name = fault.as_str();
    let change = |settings: &mut Settings| {
        if let Fault::Slow(_) = fault {
            settings.fetcher.request_timeout = Duration::from_millis(300);
        }
    };
    let (house, _database) = house(name, change).await;
    house.vendor().set_fault(fault.clone(), None, None);
    let load = storm(&house, 1, Duration::from_millis(20));
    eventually(LONG * 2, "twenty seconds of it", async || load.mark() > LONG).await;
    let (lookups, probes) = (load.done(), requests(&house));
    assert!(lookups > 1_000, "{name}: {lookups} lookups");
    assert!(probes * 5 <= lookups * 6, "{name}: {probes} requests for {lookups} lookups");
    assert!((2..=50).contains(&probes), "{name}: {probes} requests in twenty seconds");

    house.vendor().clear_faults();
    let cleared = load.mark();
    let unknown = demo_numbers(1, 2).remove(0);
    eventually(35 * SECOND, "it recovers by itself", async || house.lookup(&unknown).await.status == 200).await;
    let recovered = load.mark() - cleared;
    let report = load.stop().await;
    for sample in report.within(Duration::ZERO..cleared) {
        assert!(sample.status == Some(503), "{name}: {sample:?}");
    }
    let served = report.within(cleared + recovered..Duration::MAX).filter(|sample| sample.failed()).count();
    assert_eq!(served, 0, "{name}: nobody is refused any more");
    house.close().await;
}

#[actix_web::test]
async fn errors() {
    row(Fault::Html500).await;
}

#[actix_web::test]
async fn connections_cut_without_an_answer() {
    row(Fault::Reset).await;
}

#[actix_web::test]
async fn no_answer_in_time() {
    row(Fault::Slow(SECOND)).await;
}

/// With the breaker out of the way, the retry budget alone bounds what an outage costs.
#[actix_web::test]
async fn without_the_breaker_retries_are_a_share_of_the_lookups() {
    let (house, _database) = house("no_breaker", |settings| settings.fetcher.standing.threshold = u32::MAX).await;
    house.vendor().set_fault(Fault::Html500, None, None);
    let load = storm(&house, 1, Duration::from_millis(5));
    eventually(LONG * 2, "a thousand lookups", async || load.done() >= 1_000).await;
    let lookups = load.stop().await.samples.len();
    let requests = requests(&house);
    assert!(requests >= lookups, "every one was tried: {requests} for {lookups}");
    assert!(requests * 5 <= lookups * 6, "{requests} requests for {lookups} lookups");
    house.close().await;
}

/// One request in five fails: most readers never notice. Five in a row, an outage, happen now and then at that rate; this test is about
/// the retries, so it takes more to make one.
#[actix_web::test]
async fn occasional_errors_are_bridged_by_retries() {
    let (house, _database) = house("occasional", |settings| settings.fetcher.standing.threshold = 20).await;
    house.vendor().set_occasional_fault(Fault::Html500, None, 20);
    let load = storm(&house, 1, Duration::from_millis(100));
    eventually(LONG * 3, "hundreds of lookups", async || load.done() >= 400).await;
    let report = load.stop().await;
    let (lookups, failed) = (report.samples.len(), report.failures(Duration::ZERO..Duration::MAX).len());
    let calls = house.vendor().calls();
    let faults = calls.iter().filter(|call| call.fault.is_some()).count();
    assert!(faults * 100 > calls.len() * 15, "{faults} of {}", calls.len());
    assert!(failed < faults, "{failed} of {lookups} failed, of {faults} errors: some were bridged");
    assert!(failed * 10 <= lookups * 4, "{failed} of {lookups} failed");
    house.close().await;
}
