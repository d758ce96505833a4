//! The script in Redis, asked directly.

use std::time::Duration;

use juscache::ambient::{Clock, SystemClock};
use juscache::ledger::call::Id;
use juscache::redis_tier::actor::RedisTier;
use juscache::redis_tier::slots::{Slot, TakeSlot};
use juscache::resilience::Deadline;
use juscache::supervision::ActorRef;
use tokio::time::sleep;

use super::fixture::tier;
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: i64 = 1_000_000;

/// Slots a second apart, a burst of five; silent after 300 ms, forgotten after 2 s.
fn ask(node: u128) -> TakeSlot {
    TakeSlot {
        account: "escavador",
        node: Id::new(node),
        tolerance: Some(4 * INTERVAL),
        interval: INTERVAL,
        burst_time: 5 * INTERVAL,
        window: 10 * INTERVAL,
        silent_after: 300_000,
        forget_after: 2_000_000,
        believed_nodes: 0,
        used_share: false,
        leaving: false,
        owed: -1,
    }
}

async fn connected(redis: &Redis) -> ActorRef<RedisTier> {
    let tier = tier(redis.port(), 2 * SECOND);
    let up = async || {
        let beat = TakeSlot { tolerance: None, leaving: true, ..ask(0) };
        tier.ask(beat, Deadline::after(SystemClock.monotonic(), SECOND)).await.is_ok_and(|answer| answer.is_ok())
    };
    eventually(10 * SECOND, "redis answers", up).await;
    redis.flush();
    tier
}

async fn take(tier: &ActorRef<RedisTier>, ask: TakeSlot) -> Slot {
    let deadline = Deadline::after(SystemClock.monotonic(), 5 * SECOND);
    tier.ask(ask, deadline).await.expect("the tier answers").expect("redis answers")
}

fn close_to(wait: Option<Duration>, seconds: f64) -> bool {
    wait.is_some_and(|wait| (wait.as_secs_f64() - seconds).abs() < 0.25)
}

/// As if it had rested: five intervals ago the burst was used up.
fn rest(redis: &Redis) {
    redis.set_raw("juscache:pace:{escavador}", b"1");
}

#[actix_web::test]
async fn an_unknown_past_counts_as_a_burst_used_up() {
    let redis = Redis::start();
    let tier = connected(&redis).await;
    let first = take(&tier, ask(1)).await;
    assert!(close_to(first.wait, 1.0), "{first:?}");
    assert_eq!(first.nodes, 1);
    redis.set_raw("juscache:pace:{escavador}", b"not a number");
    assert!(close_to(take(&tier, ask(1)).await.wait, 1.0));
}

#[actix_web::test]
async fn after_a_rest_the_burst_is_granted_and_the_background_has_less_of_it() {
    let redis = Redis::start();
    let tier = connected(&redis).await;
    take(&tier, ask(1)).await;
    rest(&redis);
    let background = TakeSlot { tolerance: Some(2 * INTERVAL), ..ask(1) };
    for _ in 0..3 {
        assert_eq!(take(&tier, background).await.wait, None);
    }
    assert!(close_to(take(&tier, background).await.wait, 1.0));
    for node in [1, 2] {
        assert_eq!(take(&tier, ask(node)).await.wait, None, "the readers', on whichever node");
    }
    let last = take(&tier, ask(2)).await;
    assert!(close_to(last.wait, 1.0), "{last:?}");
    assert!(last.owed > 4 * INTERVAL && last.owed <= 5 * INTERVAL);
    let after_a_rest = TakeSlot { tolerance: Some(-INTERVAL), ..ask(1) };
    assert!(close_to(take(&tier, after_a_rest).await.wait, 6.0));
}

#[actix_web::test]
async fn the_share_of_a_silent_node_is_kept_free_until_it_is_forgotten() {
    let redis = Redis::start();
    let tier = connected(&redis).await;
    take(&tier, ask(1)).await;
    assert_eq!(take(&tier, ask(2)).await.nodes, 2);
    sleep(Duration::from_millis(400)).await;
    rest(&redis);
    let first = take(&tier, TakeSlot { tolerance: Some(0), ..ask(1) }).await;
    assert_eq!((first.wait, first.nodes), (None, 2));
    assert!(first.owed > 19 * INTERVAL / 10, "half of the rate: {first:?}");
    eventually(10 * SECOND, "it is forgotten", async || take(&tier, ask(1)).await.nodes == 1).await;
    rest(&redis);
    let second = take(&tier, TakeSlot { tolerance: Some(0), ..ask(1) }).await;
    assert!(second.owed <= INTERVAL, "{second:?}");
}

#[actix_web::test]
async fn who_leaves_is_gone_at_once() {
    let redis = Redis::start();
    let tier = connected(&redis).await;
    take(&tier, ask(1)).await;
    assert_eq!(take(&tier, ask(2)).await.nodes, 2);
    take(&tier, TakeSlot { tolerance: None, leaving: true, ..ask(2) }).await;
    assert_eq!(take(&tier, ask(1)).await.nodes, 1);
}

#[actix_web::test]
async fn what_redis_forgot_it_learns_from_those_who_know() {
    let redis = Redis::start();
    let tier = connected(&redis).await;
    let of_three = |node| TakeSlot { tolerance: None, believed_nodes: 3, ..ask(node) };
    assert_eq!(take(&tier, of_three(1)).await.nodes, 3, "two are missed");
    assert_eq!(take(&tier, of_three(2)).await.nodes, 3, "and found one by one");
    assert_eq!(take(&tier, of_three(3)).await.nodes, 3);
    assert_eq!(take(&tier, of_three(3)).await.nodes, 3);
    take(&tier, TakeSlot { leaving: true, ..of_three(3) }).await;
    assert_eq!(take(&tier, of_three(1)).await.nodes, 2, "nobody is missed any more");

    rest(&redis);
    let known = take(&tier, TakeSlot { tolerance: Some(0), owed: 3 * INTERVAL / 2, ..ask(1) }).await;
    assert!(close_to(known.wait, 1.5), "what is owed is remembered: {known:?}");
}

#[actix_web::test]
async fn requests_that_redis_did_not_see_are_made_up_for() {
    let redis = Redis::start();
    let tier = connected(&redis).await;
    take(&tier, ask(1)).await;
    rest(&redis);
    let back = take(&tier, TakeSlot { tolerance: None, used_share: true, ..ask(1) }).await;
    assert!(back.owed > 59 * INTERVAL / 10 && back.owed <= 6 * INTERVAL, "the burst and one more: {back:?}");
}

#[actix_web::test]
async fn a_clock_that_was_set_back_does_not_stop_everything() {
    let redis = Redis::start();
    let tier = connected(&redis).await;
    take(&tier, ask(1)).await;
    let ahead = |seconds: i64| (SystemClock.now().timestamp_micros() + seconds * INTERVAL).to_string();
    // Less than what may be owed: only the nodes tell.
    redis.set_raw("juscache:pace:{escavador}", ahead(6).as_bytes());
    heard_of(&redis, &ahead(60));
    let first = take(&tier, ask(1)).await;
    assert!(close_to(first.wait, 1.0), "{first:?}");
    assert_eq!(first.nodes, 2, "heard of just now");
    // More than that.
    redis.set_raw("juscache:pace:{escavador}", ahead(3_600).as_bytes());
    assert!(close_to(take(&tier, ask(1)).await.wait, 1.0));
}

fn heard_of(redis: &Redis, at: &str) {
    let mut connection = redis::Client::open(redis.url()).and_then(|client| client.get_connection()).expect("redis");
    let mut add = redis::cmd("ZADD");
    add.arg("juscache:pace:{escavador}:nodes").arg(at).arg("another");
    let () = add.query(&mut connection).expect("ZADD");
}
