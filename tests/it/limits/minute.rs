//! Two nodes on one Redis under full load, counted where the requests arrive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use juscache::ambient::{Clock, SystemClock};
use juscache::sandbox::{Control, demo_numbers};
use tokio::time::sleep;

use crate::support::house::{Plan, close_all};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: usize = 300;
const WINDOW: Duration = Duration::from_secs(60);
/// Long enough to earn the burst of thirty.
const REST: Duration = Duration::from_secs(9);

/// When every request came, in the order of their coming.
fn arrivals(vendor: &Control) -> Vec<Instant> {
    let calls = vendor.calls();
    assert!(calls.iter().all(|call| call.status == Some(200)), "the vendor itself refuses nothing");
    let mut arrivals: Vec<Instant> = calls.iter().map(|call| call.arrived).collect();
    arrivals.sort_unstable();
    arrivals
}

/// The most that any window saw, both ends included.
fn most_in_a_window(arrivals: &[Instant]) -> usize {
    let from = |last: usize| arrivals.partition_point(|earlier| arrivals[last] - *earlier > WINDOW);
    (0..arrivals.len()).map(|last| last - from(last) + 1).max().unwrap_or(0)
}

fn between(arrivals: &[Instant], from: Instant, until: Instant) -> usize {
    arrivals.iter().filter(|at| (from..until).contains(*at)).count()
}

#[actix_web::test]
async fn no_minute_sees_more_than_the_limit_though_redis_is_killed_in_the_middle() {
    let (redis, database) = (Arc::new(Redis::start()), Postgres::shared().database("minute"));
    let plan = || {
        let plan = Plan::new(&database.url).redis(&redis).without_near();
        plan.with(|settings| settings.fetcher.requests_per_minute = 300)
    };
    let nodes = Plan::build_fleet(plan, 2).await;
    sleep(REST).await;
    let began = SystemClock.monotonic();
    let loads = [(0, 101), (1, 102)].map(|(node, seed)| nodes[node].full_load(&demo_numbers(2_000, seed), 8));
    sleep(25 * SECOND).await;
    let killed = SystemClock.monotonic();
    redis.kill();
    sleep(17 * SECOND).await;
    redis.restart();
    let restarted = SystemClock.monotonic();
    sleep(34 * SECOND).await;
    let ended = SystemClock.monotonic();
    for load in loads {
        let report = load.stop().await;
        assert!(report.failures(Duration::ZERO..Duration::MAX).is_empty(), "who waits for a slot gets one");
    }

    let arrivals = arrivals(nodes[0].vendor());
    let most = most_in_a_window(&arrivals);
    assert!(most <= LIMIT, "{most} of {LIMIT} in a minute");
    assert!(most * 100 >= LIMIT * 70, "{most} of {LIMIT}: nobody asked");
    let with_redis = between(&arrivals, began, killed);
    let usual = LIMIT * usize::try_from((killed - began).as_secs()).expect("seconds") / 60;
    assert!(with_redis * 100 >= usual * 70, "{with_redis} of {usual} while redis was there");
    let without = between(&arrivals, killed, restarted);
    let again = between(&arrivals, restarted, ended);
    assert!(without > 10 && again > 60, "{without} without redis, {again} when it was back");
    close_all(nodes).await;
}
