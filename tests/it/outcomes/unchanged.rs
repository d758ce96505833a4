//! What has not changed is not bought again.

use std::time::Duration;

use juscache::sandbox::{Endpoint, Prices, SandboxSettings};

use super::fixture::{DAY, Open, SOON, cost, plan, text, total, word};
use crate::support::house::{Plan, number};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

const TIMES: u64 = 100;

/// Lets a copy expire again and again while the vendor has nothing new; then it has.
async fn paid_once(open: &Open, expire: impl Fn()) {
    let cnj = number();
    let first = open.lookup(&cnj).await;
    assert_eq!((word(&first), cost(&first)), ("fresh", 600));
    for time in 1..=TIMES {
        expire();
        let again = open.lookup(&cnj).await;
        assert_eq!((word(&again), again.source(), cost(&again)), ("fresh", "api", 0), "{time}: {again:?}");
        assert_eq!(again.body["movements"], first.body["movements"]);
    }
    assert_eq!(open.calls(), [TIMES, 1, 1]);
    assert_eq!((open.booked().await, open.vendor().charged()), (600, 600));
    let confirmed = "juscache_avoided_lookups_total{tier=\"confirmed\"}";
    assert_eq!(open.metric(confirmed).await, Some(100.0));

    open.news(&cnj);
    expire();
    let renewed = open.lookup(&cnj).await;
    assert_eq!((word(&renewed), cost(&renewed), total(&renewed)), ("fresh", 600, total(&first) + 1));
    let texts = renewed.body["movements"].to_string();
    assert!(texts.contains("Conclusos para sentença"), "{texts}");
    assert_eq!(open.calls(), [TIMES + 1, 2, 2]);
    expire();
    assert_eq!(cost(&open.lookup(&cnj).await), 0, "it is the new copy that is confirmed now");
    assert_eq!(open.calls(), [TIMES + 2, 2, 2]);
    assert_eq!((open.booked().await, open.vendor().charged()), (1_200, 1_200));
}

#[actix_web::test]
async fn a_hundred_expiries_by_the_clock_cost_one_purchase() {
    let open = Open::new("hundred_days").await;
    paid_once(&open, || open.clock.advance(DAY + Duration::from_secs(1))).await;
    open.close().await;
}

#[actix_web::test]
async fn a_hundred_expiries_by_an_operator_cost_one_purchase() {
    let open = Open::with("hundred_updates", Plan::without_near).await;
    paid_once(&open, || {
        let sql = "UPDATE process_status_cache SET cache_valid_until = now() - interval '1 second'";
        Postgres::shared().execute(open.database.name(), sql);
    })
    .await;
    open.close().await;
}

/// A vendor that charges for the status route, which is documented as free.
fn charging(mut plan: Plan) -> Plan {
    plan.vendor = SandboxSettings { prices: Prices { status: 7, ..Prices::default() }, ..plan.vendor };
    plan
}

#[actix_web::test]
async fn a_status_route_that_charges_is_noticed_and_not_used_again_not_even_after_a_restart() {
    let open = Open::with("charging", charging).await;
    let cnj = number();
    assert_eq!(cost(&open.lookup(&cnj).await), 600);
    let expire = || open.clock.advance(DAY + Duration::from_secs(1));
    expire();
    let confirmed = open.lookup(&cnj).await;
    assert_eq!((word(&confirmed), cost(&confirmed)), ("fresh", 7), "nobody could know");
    for _ in 0..3 {
        expire();
        assert_eq!(cost(&open.lookup(&cnj).await), 600, "bought without a look that costs as well");
    }
    assert_eq!(open.calls(), [1, 4, 4]);
    assert_eq!((open.booked().await, open.vendor().charged()), (2_407, 2_407));

    let Open { house, database } = open;
    house.close().await;
    let alone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    eventually(SOON, "the first life has hung up", async || text(&database, alone) == "0").await;
    // What the service reads at its start shows in the server's own statistics.
    let looks = "SELECT seq_scan + COALESCE(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'api_calls'";
    let looked = || text(&database, looks).parse::<u64>().expect("a count");
    let before = looked();
    let house = charging(plan(&database)).build().await;
    eventually(SOON, "the prices of the last life are read", async || looked() > before).await;
    let open = Open { house, database };
    open.clock.advance(DAY * 10);
    assert_eq!(cost(&open.lookup(&cnj).await), 600);
    assert_eq!((open.vendor().call_count(Endpoint::Status), open.vendor().charged()), (0, 600));
    open.close().await;
}
