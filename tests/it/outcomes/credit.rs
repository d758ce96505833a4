//! Out of credit: one paid request finds out, the free balance route finds the way back.

use std::time::Duration;

use juscache::sandbox::{Endpoint, Fault};

use super::fixture::{DAY, Open, SOON, cost, pauses, word};
use crate::support::house::numbers;
use crate::support::wait::eventually;

const PLENTY: i64 = 1_000_000;

#[actix_web::test]
async fn one_paid_request_whatever_the_number_of_lookups_and_it_resumes_by_itself() {
    let open = Open::new("credit").await;
    let mut numbers = numbers(101);
    let copy = numbers.remove(0);
    assert_eq!(open.lookup(&copy).await.status, 200);
    open.clock.advance(DAY + Duration::from_secs(60));
    open.booked().await;
    let known = open.rows().len();
    open.vendor().set_credits(0);
    open.vendor().reset_calls();

    for cnj in &numbers {
        let refused = open.lookup(cnj).await;
        assert_eq!((refused.status, word(&refused), cost(&refused)), (503, "credits-exhausted", 0), "{refused:?}");
        assert!((1..=60).contains(&refused.header("retry-after").parse().expect("seconds")), "{refused:?}");
    }
    let stale = open.lookup(&copy).await;
    assert_eq!((stale.status, word(&stale), stale.source()), (200, "credits-exhausted", "database_fallback"));
    assert_eq!(open.calls(), [0, 1, 0], "one request for a hundred processes, and not even a free one for the copy");
    assert!(open.is_held("no-credit").await);
    assert_eq!(open.metric("juscache_tier_up{tier=\"upstream\"}").await, Some(0.0));
    let (state, detail) = open.ready("upstream").await;
    assert!(state == "degraded" && detail.contains("credit"), "{state}: {detail}");
    let asked = async || open.vendor().call_count(Endpoint::Credits) > 0;
    eventually(SOON, "the balance is looked at", asked).await;
    assert!(open.is_held("no-credit").await, "nothing is there yet");

    open.vendor().set_credits(PLENTY);
    eventually(Duration::from_secs(15), "asking goes on", async || !open.is_held("no-credit").await).await;
    assert_eq!(open.calls(), [0, 1, 0], "no reader had to try it out");
    assert_eq!(open.ready("upstream").await.0, "up");
    for cnj in &numbers[..10] {
        let bought = open.lookup(cnj).await;
        assert_eq!((bought.status, word(&bought), cost(&bought)), (200, "fresh", 600), "{bought:?}");
    }
    assert_eq!(word(&open.lookup(&copy).await), "fresh");

    let received = open.vendor().calls().len();
    let ledger = open.new_rows(known, received).await;
    assert_eq!(ledger.iter().filter(|row| row.contains("no-credit")).count(), 1, "{ledger:?}");
    assert!(ledger.iter().any(|row| row == "balance ok 0"), "{ledger:?}");
    assert_eq!(open.vendor().charged(), 6_000);
    let sum = open.text("SELECT sum(cost_centavos) FROM api_calls");
    assert_eq!(sum, "6600", "with the copy's own purchase");
    open.close().await;
}

/// A vendor that has no balance to show: then only a real request can tell, one at a time and with growing pauses.
#[actix_web::test]
async fn without_a_balance_route_a_readers_request_finds_out() {
    let open = Open::with("mute", |plan| {
        plan.with(|settings| {
            let (base, cap) = (Duration::from_millis(500), Duration::from_secs(4));
            settings.fetcher.standing.no_credit = pauses(base, cap);
        })
    })
    .await;
    let numbers = numbers(2);
    open.vendor().set_fault(Fault::NotFound, Some(Endpoint::Credits), None);
    open.vendor().set_credits(0);
    let first = open.lookup(&numbers[0]).await;
    assert_eq!(word(&first), "credits-exhausted");
    // Readers go on asking all the time; three of their requests get through.
    eventually(SOON, "readers' requests as trials", async || {
        let refused = open.lookup(&numbers[0]).await;
        assert_eq!((refused.status, word(&refused)), (503, "credits-exhausted"), "{refused:?}");
        open.fetches() >= 4
    })
    .await;
    let calls = open.vendor().calls();
    let at: Vec<_> = calls.iter().filter(|call| call.endpoint == Endpoint::Cover).map(|call| call.at).collect();
    let gaps: Vec<i64> = at.windows(2).map(|pair| (pair[1] - pair[0]).num_milliseconds()).collect();
    assert!(gaps[1] >= 500 && gaps[2] >= 1_000, "they grow: {gaps:?}");
    assert_eq!(open.vendor().call_count(Endpoint::Credits), 1, "it said that it does not say");

    open.vendor().set_credits(PLENTY);
    eventually(SOON, "fresh answers", async || word(&open.lookup(&numbers[1]).await) == "fresh").await;
    assert!(!open.is_held("no-credit").await);
    assert_eq!((open.booked().await, open.vendor().charged()), (600, 600));
    open.close().await;
}
