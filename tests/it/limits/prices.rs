//! A vendor whose prices are not the configured ones.

use std::time::Duration;

use futures_util::future::join_all;
use juscache::ambient::{Clock, SystemClock};
use juscache::postgres_tier::ledger::messages::Caps;
use juscache::sandbox::{Prices, demo_numbers};

use crate::support::house::{Plan, close_all};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(60);
/// Longer than "exhausted" is believed, and than it takes to give back what was set aside for nothing.
const QUIET: Duration = Duration::from_secs(7);

/// Asked for by three nodes at once until nothing is left: what was charged, and the rows that cost more than was expected of them.
async fn spend(cap: i64, price: i64) -> (i64, usize, i64) {
    let database = Postgres::shared().database("prices");
    let cents = u64::try_from(cap).expect("a cap is positive");
    let plan = || {
        let caps = Caps { day: Some(cents), month: Some(cents) };
        let mut plan = Plan::new(&database.url).with(|settings| settings.caps = caps);
        plan.vendor.prices = Prices { cover: price, movements: price, ..Prices::default() };
        plan.vendor.latency = Duration::from_millis(50);
        plan
    };
    let nodes = Plan::build_fleet(plan, 3).await;
    let all = demo_numbers(20_000, 5);
    let mut left = all.chunks(24);
    let mut last_served = SystemClock.monotonic();
    eventually(SOON, "nothing is left", async || {
        let some = left.next().expect("enough numbers");
        let answers = join_all(some.iter().enumerate().map(|(n, cnj)| nodes[n % 3].lookup(cnj))).await;
        if answers.iter().any(|answer| (answer.status, answer.problem()) != (503, "budget-exhausted")) {
            last_served = SystemClock.monotonic();
        }
        last_served.elapsed() > QUIET
    })
    .await;
    let dearer = "SELECT count(*), coalesce(sum(cost_centavos - expected_centavos), 0) FROM api_calls
                  WHERE cost_centavos > expected_centavos";
    let row = Postgres::shared().rows(database.name(), dearer).remove(0);
    let number = |n: usize| row[n].as_deref().expect("a number").parse::<i64>().expect("a number");
    let (dearer, excess) = (number(0), number(1));
    let charged = nodes[0].vendor().charged();
    close_all(nodes).await;
    (charged, usize::try_from(dearer).expect("a count"), excess)
}

#[actix_web::test]
async fn a_cheaper_vendor_is_used_to_the_end_of_the_cap() {
    let (charged, dearer, _) = spend(9_000, 100).await;
    assert_eq!(dearer, 0);
    // What is left is less than one more process.
    assert!((8_801..=9_000).contains(&charged), "{charged}");
}

/// What was sent before the first answer named the price was set aside at the configured one, and only that can exceed the cap.
#[actix_web::test]
async fn a_dearer_vendor_exceeds_the_cap_by_what_was_under_way_when_its_price_was_learned() {
    let (charged, dearer, excess) = spend(30_000, 900).await;
    assert!(charged <= 30_000 + excess, "{charged}, {dearer} rows, {excess} more than expected");
    // Of each endpoint, on each node, what it had under way before the first answer.
    assert!(dearer <= 2 * 24, "{dearer}");
}
