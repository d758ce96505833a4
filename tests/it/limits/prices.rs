//! A vendor whose prices are not the configured ones.

use std::time::Duration;

use futures_util::future::join_all;
use juscache::postgres_tier::ledger::messages::Caps;
use juscache::sandbox::{Prices, demo_numbers};

use crate::support::house::{Plan, close_all};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(30);

/// Asked for by three nodes at once until nothing is left: what was charged, and the rows that cost more than was expected of them.
async fn spend(cap: i64, price: i64) -> (i64, usize, i64) {
    let database = Postgres::shared().database("prices");
    let cents = u64::try_from(cap).unwrap();
    let plan = || {
        let caps = Caps { day: Some(cents), month: Some(cents) };
        let mut plan = Plan::new(&database.url).with(|settings| settings.caps = caps);
        plan.vendor.prices = Prices { cover: price, movements: price, ..Prices::default() };
        plan.vendor.latency = Duration::from_millis(50);
        plan
    };
    let nodes = Plan::build_fleet(plan, 3).await;
    let all = demo_numbers(300, 5);
    let mut left = all.chunks(24);
    eventually(SOON, "nothing is left", async || {
        let some = left.next().expect("enough numbers");
        let answers = join_all(some.iter().enumerate().map(|(n, cnj)| nodes[n % 3].lookup(cnj))).await;
        let refused = answers.iter().all(|answer| (answer.status, answer.problem()) == (503, "budget-exhausted"));
        let settled = "SELECT 1 FROM budget_periods WHERE reserved_centavos > 0";
        refused && Postgres::shared().rows(database.name(), settled).is_empty()
    })
    .await;
    let dearer = "SELECT count(*), coalesce(sum(cost_centavos - expected_centavos), 0) FROM api_calls
                  WHERE cost_centavos > expected_centavos";
    let row = Postgres::shared().rows(database.name(), dearer).remove(0);
    let number = |n: usize| row[n].as_deref().expect("a number").parse::<i64>().expect("a number");
    let (dearer, excess) = (number(0), number(1));
    let charged = nodes[0].vendor().charged();
    close_all(nodes).await;
    (charged, usize::try_from(dearer).unwrap(), excess)
}

#[actix_web::test]
async fn a_cheaper_vendor_is_used_to_the_end_of_the_cap() {
    let (charged, dearer, _) = spend(9_000, 100).await;
    eprintln!("cheaper: {charged} of 9000");
    assert_eq!(dearer, 0);
    assert!((8_801..=9_000).contains(&charged), "{charged}");
}

/// What was sent before the first answer named the price was set aside at the configured one, and only that can exceed the cap.
#[actix_web::test]
async fn a_dearer_vendor_exceeds_the_cap_by_what_was_under_way_when_its_price_was_learned() {
    let (charged, dearer, excess) = spend(30_000, 900).await;
    eprintln!("dearer: {charged} of 30000, {dearer} rows, excess {excess}");
    assert!(charged <= 30_000 + excess, "{charged}");
    // Of each endpoint, on each node, what it had under way before the first answer.
    assert!(dearer <= 2 * 24, "{dearer}");
}
