//! While Redis is there.

use std::time::Duration;

use futures_util::future::{join, select};
use juscache::ambient::{Clock, SystemClock};
use juscache::domain::caller::Lane;
use juscache::fetcher::pace::{Mode, Rate};
use tokio::time::sleep;

use super::fixture::{Fleet, Node};
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: usize = 200;
const WINDOW: Duration = Duration::from_secs(10);

fn rate() -> Rate {
    Rate::of(200, WINDOW)
}

#[actix_web::test]
async fn two_nodes_together_use_the_limit_and_no_more() {
    let redis = Redis::start();
    let fleet =
        Fleet::new(vec![Node::start(redis.port(), rate(), 2 * SECOND), Node::start(redis.port(), rate(), 2 * SECOND)]);
    let began = SystemClock.monotonic();
    fleet.during(sleep(WINDOW * 2 + WINDOW / 2)).await;
    let (most, at) = fleet.most_in_a_window(WINDOW);
    assert!(most <= LIMIT, "{most} in the window that began after {at} s");
    // An empty Redis begins without a burst; from then on nearly all of it is used.
    let second = fleet.granted_since(began + WINDOW / 2);
    assert!(second >= 2 * LIMIT * 85 / 100, "{second} in two windows");
    for node in 0..2 {
        let part = fleet.granted_to(node);
        assert!(part * 4 >= fleet.granted_since(began), "node {node} was granted {part}");
        assert_eq!(fleet.node(node).pace.report().nodes, 2);
    }
    assert_eq!(redis.keys(), ["juscache:pace:{escavador}", "juscache:pace:{escavador}:nodes"]);
}

#[actix_web::test]
async fn a_flood_in_the_background_of_one_node_does_not_delay_a_reader_of_another() {
    let redis = Redis::start();
    let flood = Node::start(redis.port(), rate(), 2 * SECOND);
    let other = Node::start(redis.port(), rate(), 2 * SECOND);
    let beats = join(flood.pace.clone().keep_counted(), other.pace.clone().keep_counted());
    let background = async {
        loop {
            let _granted_or_not = flood.ask(Lane::Background, SECOND).await;
        }
    };
    let readers = async {
        // Until the flood has taken all that it may.
        eventually(10 * SECOND, "both reach redis", async || other.pace.report().nodes == 2).await;
        sleep(3 * SECOND).await;
        let mut waited = Vec::new();
        for _ in 0..20 {
            sleep(Duration::from_millis(150)).await;
            waited.push(other.ask(Lane::Interactive, 5 * SECOND).await.expect("a slot"));
        }
        waited.sort_unstable();
        // An interval is 57 ms, and a busy machine is slow now and then.
        assert!(waited[10] < Duration::from_millis(40), "{waited:?}");
    };
    select(Box::pin(join(beats, background)), Box::pin(readers)).await;
}

#[actix_web::test]
async fn who_signs_off_is_not_counted_any_more() {
    let redis = Redis::start();
    let stays = Node::start(redis.port(), rate(), 2 * SECOND);
    let goes = Node::start(redis.port(), rate(), 2 * SECOND);
    let beats = join(stays.pace.clone().keep_counted(), goes.pace.clone().keep_counted());
    let story = async {
        eventually(10 * SECOND, "both are counted", async || stays.pace.report().nodes == 2).await;
        goes.pace.sign_off().await;
        eventually(10 * SECOND, "one is left", async || stays.pace.report().nodes == 1).await;
        goes.ask(Lane::Interactive, 5 * SECOND).await.expect("what is under way is finished");
        sleep(SECOND).await;
        assert_eq!((stays.pace.report().nodes, stays.pace.report().mode), (1, Mode::Shared));
    };
    select(Box::pin(beats), Box::pin(story)).await;
}
