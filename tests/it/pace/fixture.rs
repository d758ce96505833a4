//! A node that asks for as much as it gets, and what was granted.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Actor;
use futures_util::future::{join_all, select};
use juscache::ambient::{Clock, SystemClock, SystemRandom};
use juscache::config::redis::RedisSettings;
use juscache::domain::caller::Lane;
use juscache::domain::snapshot::Provider;
use juscache::fetcher::pace::{Answered, Held, Limiter, Pace, Rate};
use juscache::redis_tier::actor::RedisTier;
use juscache::resilience::Deadline;
use juscache::supervision::ActorRef;
use juscache::telemetry::Metrics;
use tokio::time::sleep;

/// The tier of one node, on this arbiter.
pub(super) fn tier(port: u16, timeout: Duration) -> ActorRef<RedisTier> {
    let urls = vec![format!("redis://127.0.0.1:{port}")];
    let settings = RedisSettings { urls, timeout, ..RedisSettings::default() };
    ActorRef::unsupervised("redis", 1_024, RedisTier::new(settings, Metrics::new()).start())
}

/// One node.
pub(super) struct Node {
    pub(super) pace: Arc<Pace>,
    limiter: Limiter,
}

impl Node {
    /// A node whose Redis is at that port of this machine.
    pub(super) fn start(port: u16, rate: Rate, timeout: Duration) -> Self {
        let clock = SystemClock::shared();
        let redis = tier(port, timeout);
        let pace = Pace::over(Some(&redis), Provider::Escavador, rate, Arc::clone(&clock), SystemRandom::shared());
        let limiter = Limiter::new(Arc::clone(&pace), 64, clock);
        Self { pace, limiter }
    }

    /// Waits for one permission; returns how long it took.
    pub(super) async fn ask(&self, lane: Lane, patience: Duration) -> Result<Duration, Held> {
        let began = SystemClock.monotonic();
        let admission = self.limiter.admit(lane, Deadline::after(began, patience)).await?;
        let waited = SystemClock.monotonic() - began;
        admission.answered(Duration::from_millis(1), Answered::Well);
        Ok(waited)
    }
}

/// Several nodes under full load, in both lanes, and when they were granted what.
pub(super) struct Fleet {
    nodes: Vec<Node>,
    granted: RefCell<Vec<(Instant, usize)>>,
    over: Cell<bool>,
    resting: Cell<bool>,
}

impl Fleet {
    pub(super) fn new(nodes: Vec<Node>) -> Self {
        Self { nodes, granted: RefCell::default(), over: Cell::new(false), resting: Cell::new(false) }
    }

    pub(super) fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// Everybody asks all the time, until the story is over.
    pub(super) async fn during(&self, story: impl Future<Output = ()>) {
        let beats = join_all(self.nodes.iter().map(|node| Arc::clone(&node.pace).keep_counted()));
        let lanes = [Lane::Interactive, Lane::Interactive, Lane::Background];
        let work = join_all((0..self.nodes.len()).flat_map(|node| lanes.map(|lane| self.work(node, lane))));
        let story = async {
            story.await;
            self.over.set(true);
        };
        let busy = async {
            futures_util::future::join(work, story).await;
        };
        select(pin!(beats), pin!(busy)).await;
    }

    /// Nobody asks for a while, so that the burst is there again; and then everybody for a moment, so that it is used.
    pub(super) async fn rest_and_rush(&self, rest: Duration) {
        self.resting.set(true);
        sleep(rest).await;
        self.resting.set(false);
        sleep(Duration::from_millis(300)).await;
    }

    async fn work(&self, index: usize, lane: Lane) {
        while !self.over.get() {
            if self.resting.get() {
                sleep(Duration::from_millis(10)).await;
                continue;
            }
            match self.nodes[index].ask(lane, Duration::from_secs(2)).await {
                Ok(_waited) => self.granted.borrow_mut().push((SystemClock.monotonic(), index)),
                Err(Held::Paced { retry_after }) => sleep(retry_after.min(Duration::from_millis(100))).await,
                Err(Held::Full) => {}
            }
        }
    }

    /// How many were granted from then on, in all and to one node.
    pub(super) fn granted_since(&self, from: Instant) -> usize {
        self.granted.borrow().iter().filter(|(at, _)| *at >= from).count()
    }

    pub(super) fn granted_to(&self, index: usize) -> usize {
        self.granted.borrow().iter().filter(|(_, node)| *node == index).count()
    }

    /// The most that any window saw, with the seconds at which it began.
    pub(super) fn most_in_a_window(&self, window: Duration) -> (usize, f64) {
        let mut moments: Vec<Instant> = self.granted.borrow().iter().map(|(at, _)| *at).collect();
        moments.sort_unstable();
        let mut most = (0, 0.0);
        let mut from = 0;
        for (at, moment) in moments.iter().enumerate() {
            while *moment - moments[from] > window {
                from += 1;
            }
            if at - from + 1 > most.0 {
                most = (at - from + 1, (moments[from] - moments[0]).as_secs_f64());
            }
        }
        most
    }
}
