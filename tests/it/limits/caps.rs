//! Three nodes on one PostgreSQL and one Redis, either of which is broken in the middle: the vendor never charges more than the cap.

use std::time::Duration;

use futures_util::future::join_all;
use juscache::postgres_tier::ledger::messages::Caps;
use juscache::sandbox::{Control, demo_numbers};

use crate::support::house::{Answer, House, Plan, close_all, numbers};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(40);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Of one request, as configured and as the vendor takes it; a process is two.
const PRICE: i64 = 300;

fn sum(cluster: &Postgres, database: &TestDatabase<'_>, sql: &str) -> i64 {
    let rows = cluster.rows(database.name(), sql);
    rows[0][0].as_deref().unwrap_or("0").parse().expect("a number")
}

fn is_refused(answer: &Answer) -> bool {
    (answer.status, answer.problem()) == (503, "budget-exhausted")
}

/// What may be left in the end: each node may hold a portion of its reserve that is too little for a process, or give one back last.
const LEFT: i64 = 3 * 2 * PRICE;

/// Goes on asking each node for unknown processes until all of them say that nothing is left, and next to nothing is.
async fn used_up(nodes: &[House], cap: i64, booked: impl Fn() -> i64) {
    let mut unseen = demo_numbers(20_000, 999).into_iter();
    eventually(SOON, "nothing is left", async || {
        let mut refused = 0;
        for node in nodes {
            let answer = node.lookup(&unseen.next().expect("enough numbers")).await;
            refused += usize::from(is_refused(&answer));
        }
        refused == nodes.len() && booked() >= cap - LEFT
    })
    .await;
}

/// What breaks in the middle, and how it is put right.
enum Broken {
    Redis,
    PostgresKilled,
    PostgresPaused,
}

async fn capped(broken: Broken, cap: i64) {
    let (redis, postgres) = (Redis::start(), Postgres::own());
    let database = postgres.database("capped");
    let cents = u64::try_from(cap).expect("a cap is positive");
    let plan = || {
        // The month too, so that a midnight in the middle of the test changes nothing.
        let caps = Caps { day: Some(cents), month: Some(cents) };
        Plan::new(&database.url).redis(&redis).with(|settings| settings.caps = caps)
    };
    let nodes = Plan::build_fleet(plan, 3).await;
    let vendor: Control = nodes[0].vendor().clone();
    vendor.set_latency(Duration::from_millis(100));
    let loads: Vec<_> =
        nodes.iter().zip(1..).map(|(node, seed)| node.full_load(&demo_numbers(3_000, seed), 8)).collect();
    eventually(SOON, "a third is spent", async || vendor.charged() >= cap / 3).await;
    let at_the_break = vendor.charged();
    match broken {
        Broken::Redis => redis.kill(),
        Broken::PostgresKilled => postgres.kill9(),
        Broken::PostgresPaused => postgres.pause(),
    }
    let mark = loads[0].mark();
    eventually(SOON, "three seconds without", async || {
        assert!(vendor.charged() <= cap);
        loads[0].mark() > mark + Duration::from_secs(3)
    })
    .await;
    let without = vendor.charged();
    match broken {
        Broken::Redis => redis.restart(),
        Broken::PostgresKilled => postgres.start(),
        Broken::PostgresPaused => postgres.resume(),
    }
    let mark = loads[0].mark();
    eventually(SOON, "the rest is spent", async || {
        assert!(vendor.charged() <= cap);
        loads[0].mark() > mark + Duration::from_secs(6)
    })
    .await;
    let mut served = 0;
    for load in loads {
        let report = load.stop().await;
        served += report.samples.iter().filter(|sample| sample.source.as_deref() == Some("api")).count();
        for failed in report.failures(Duration::ZERO..Duration::MAX) {
            assert_eq!(failed.status, Some(503), "{failed:?}");
        }
    }
    let booked = || sum(&postgres, &database, "SELECT sum(cost_centavos) FROM api_calls");
    used_up(&nodes, cap, booked).await;
    let charged = vendor.charged();
    let story = format!("{at_the_break} when it broke, {without} when it was repaired, {charged} of {cap} in the end");
    assert!(charged <= cap, "{story}");
    assert!(charged >= cap - LEFT, "money is stranded: {story}");
    let stored = || sum(&postgres, &database, "SELECT count(*) FROM process_status_cache");
    // What was bought while it was silent waits in the journals.
    let served = i64::try_from(served).expect("a count");
    eventually(SOON, "everything that was served is stored", async || stored() >= served).await;
    let whole = stored();
    assert!(whole * 2 * PRICE * 100 >= cap * 95, "{whole} whole processes, the rest bought halves: {story}");
    close_all(nodes).await;
    assert_eq!(vendor.charged(), charged, "nothing was left to be spent");

    // What the nodes booked is what the vendor says, or more where an answer was lost.
    assert!((charged..=cap).contains(&booked()), "{} booked, {story}", booked());
    assert_eq!(sum(&postgres, &database, "SELECT count(*) FROM budget_reservations"), 0, "all is given back");
}

#[actix_web::test]
async fn with_redis_killed_in_the_middle() {
    capped(Broken::Redis, 60_000).await;
}

#[actix_web::test]
async fn with_postgresql_killed_in_the_middle() {
    capped(Broken::PostgresKilled, 60_000).await;
}

#[actix_web::test]
async fn with_postgresql_silent_in_the_middle() {
    capped(Broken::PostgresPaused, 60_000).await;
}

/// As many as there is money for two requests each, and half as many again, all at once and slowly answered.
#[actix_web::test]
async fn a_crowd_at_the_end_of_a_cap_buys_whole_processes_and_no_halves() {
    let database = Postgres::shared().database("crowd");
    let plan = || {
        let caps = Caps { day: Some(9_000), month: Some(9_000) };
        let mut plan = Plan::new(&database.url).with(|settings| settings.caps = caps);
        plan.vendor.latency = Duration::from_secs(1);
        plan
    };
    let nodes = Plan::build_fleet(plan, 3).await;
    let crowd = demo_numbers(36, 3);
    let answers = join_all(crowd.iter().enumerate().map(|(n, cnj)| nodes[n % 3].lookup(cnj))).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let charged = nodes[0].vendor().charged();
    assert_eq!(i64::try_from(served).expect("a count") * 2 * PRICE, charged, "halves were bought");
    assert!(served >= 14, "{served} of the 15 that there is money for");
    close_all(nodes).await;
}

/// What readers see when a cap is used up.
async fn used_up_for_readers(hint: &str, caps: Caps, longest: Duration) {
    let database = Postgres::shared().database(hint);
    let house = Plan::new(&database.url).without_near().with(|settings| settings.caps = caps).build().await;
    let all = numbers(3);
    let (changed, same, unknown) = (&all[0], &all[1], &all[2]);
    assert_eq!((house.lookup(changed).await.status, house.lookup(same).await.status), (200, 200));
    let charged = house.vendor().charged();
    assert_eq!(charged, 4 * PRICE);

    let refused = house.lookup(unknown).await;
    assert!(is_refused(&refused), "{refused:?}");
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=longest.as_secs()).contains(&wait), "{wait}");
    assert_eq!(house.lookup(changed).await.stale(), Some(false), "what is fresh costs nothing");

    house.clock.advance(DAY + Duration::from_secs(60));
    house.vendor().add_movement(changed, chrono::NaiveDate::from_ymd_opt(2026, 1, 2).expect("a day"), "Sentença");
    house.vendor().verify(changed, house.now());
    let stale = house.lookup(changed).await;
    assert_eq!((stale.status, stale.stale(), stale.reason()), (200, Some(true), Some("budget-exhausted")), "{stale:?}");
    let confirmed = house.lookup(same).await;
    assert_eq!((confirmed.status, confirmed.stale()), (200, Some(false)), "asking for news is free: {confirmed:?}");
    assert!(is_refused(&house.lookup(unknown).await));
    assert_eq!(house.vendor().charged(), charged);
    house.close().await;
}

#[actix_web::test]
async fn readers_are_told_when_the_day_is_used_up() {
    let caps = Caps { day: Some(4 * 300), month: Some(5_000) };
    used_up_for_readers("day_used_up", caps, DAY).await;
}

#[actix_web::test]
async fn readers_are_told_when_the_month_is_used_up() {
    let caps = Caps { day: Some(5_000), month: Some(4 * 300) };
    used_up_for_readers("month_used_up", caps, 31 * DAY).await;
}

/// A cap of nothing is a cap.
#[actix_web::test]
async fn nothing_is_bought_for_nothing() {
    let database = Postgres::shared().database("cap_of_nothing");
    let caps = Caps { day: Some(0), month: None };
    let house = Plan::new(&database.url).with(|settings| settings.caps = caps).build().await;
    assert!(is_refused(&house.lookup(&numbers(1)[0]).await));
    assert_eq!(house.vendor().charged(), 0);
    house.close().await;
}
