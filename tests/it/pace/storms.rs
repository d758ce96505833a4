//! Redis killed, restarted, paused, emptied, out of reach: two nodes under full load never exceed the limit.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join5;
use juscache::fetcher::pace::{Mode, Rate};
use tokio::time::sleep;

use super::fixture::{Fleet, Node};
use crate::support::fault_proxy::FaultProxy;
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: usize = 200;
const WINDOW: Duration = Duration::from_secs(10);
/// Long enough to earn the burst.
const REST: Duration = Duration::from_secs(2);
/// As in the default settings.
const TIMEOUT: Duration = Duration::from_millis(100);

fn rate() -> Rate {
    Rate::of(200, WINDOW)
}

fn fleet(ports: [u16; 2], rate: Rate) -> Fleet {
    Fleet::new(ports.map(|port| Node::start(port, rate, TIMEOUT)).into())
}

async fn mode_of_all(fleet: &Fleet, mode: Mode) {
    let all = async || [0, 1].into_iter().all(|node| fleet.node(node).pace.report().mode == mode);
    eventually(10 * SECOND, mode.as_str(), all).await;
}

async fn restart(redis: &Arc<Redis>) {
    let redis = Arc::clone(redis);
    tokio::task::spawn_blocking(move || redis.restart()).await.expect("a restart");
}

fn assert_within(name: &str, fleet: &Fleet, limit: usize, window: Duration) {
    let (most, at) = fleet.most_in_a_window(window);
    assert!(most <= limit, "{name}: {most} of {limit} in the window that began after {at} s");
    assert!(most * 100 >= limit * 70, "{name}: {most} of {limit}, nobody asked");
}

/// All at once, because they wait most of the time.
#[actix_web::test]
async fn no_window_sees_more_than_the_limit_whatever_happens_to_redis() {
    join5(
        killed_restarted_and_killed_again(),
        paused_and_resumed_for_short_and_for_long(),
        emptied_under_load(),
        one_node_cut_off_and_back(),
        a_real_minute(),
    )
    .await;
}

async fn killed_restarted_and_killed_again() {
    let redis = Arc::new(Redis::start());
    let fleet = fleet([redis.port(); 2], rate());
    let story = async {
        sleep(8 * SECOND).await;
        fleet.rest_and_rush(REST).await;
        redis.kill();
        mode_of_all(&fleet, Mode::Local).await;
        sleep(5 * SECOND).await;
        restart(&redis).await;
        mode_of_all(&fleet, Mode::Shared).await;
        assert_eq!(fleet.node(0).pace.report().nodes, 2, "who is missed is counted");
        sleep(5 * SECOND).await;
        fleet.rest_and_rush(REST).await;
        // Gone only for a moment, with all it knew.
        restart(&redis).await;
        sleep(8 * SECOND).await;
        mode_of_all(&fleet, Mode::Shared).await;
    };
    fleet.during(story).await;
    assert_within("killed", &fleet, LIMIT, WINDOW);
}

async fn paused_and_resumed_for_short_and_for_long() {
    let redis = Redis::start();
    let fleet = fleet([redis.port(); 2], rate());
    let story = async {
        sleep(8 * SECOND).await;
        for silence in [1, 6] {
            fleet.rest_and_rush(REST).await;
            redis.pause();
            mode_of_all(&fleet, Mode::Local).await;
            sleep(silence * SECOND).await;
            redis.resume();
            mode_of_all(&fleet, Mode::Shared).await;
            sleep(7 * SECOND).await;
        }
    };
    fleet.during(story).await;
    assert_within("paused", &fleet, LIMIT, WINDOW);
}

async fn emptied_under_load() {
    let redis = Redis::start();
    let fleet = fleet([redis.port(); 2], rate());
    let story = async {
        for _ in 0..3 {
            sleep(3 * SECOND).await;
            fleet.rest_and_rush(REST).await;
            redis.flush();
        }
        sleep(8 * SECOND).await;
    };
    fleet.during(story).await;
    assert_within("emptied", &fleet, LIMIT, WINDOW);
}

async fn one_node_cut_off_and_back() {
    let redis = Redis::start();
    let proxy = FaultProxy::start(redis.port());
    let fleet = fleet([redis.port(), proxy.addr().port()], rate());
    let story = async {
        sleep(8 * SECOND).await;
        for cut in [true, false] {
            if cut {
                proxy.cut()
            } else {
                proxy.blackhole()
            }
            eventually(10 * SECOND, "on its own", async || fleet.node(1).pace.report().mode == Mode::Local).await;
            sleep(5 * SECOND).await;
            eventually(SECOND, "the other is not", async || fleet.node(0).pace.report().mode == Mode::Shared).await;
            proxy.restore();
            mode_of_all(&fleet, Mode::Shared).await;
            sleep(5 * SECOND).await;
        }
    };
    fleet.during(story).await;
    assert_within("cut off", &fleet, LIMIT, WINDOW);
}

/// The vendor's own minute, with Redis away for ten seconds of it.
async fn a_real_minute() {
    let redis = Arc::new(Redis::start());
    let fleet = fleet([redis.port(); 2], Rate::per_minute(600));
    let story = async {
        sleep(10 * SECOND).await;
        fleet.rest_and_rush(8 * SECOND).await;
        redis.kill();
        sleep(8 * SECOND).await;
        restart(&redis).await;
        sleep(37 * SECOND).await;
    };
    fleet.during(story).await;
    assert_within("a minute", &fleet, 600, 60 * SECOND);
}
