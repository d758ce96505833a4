//! A steady load while a test breaks things, and what every single request saw.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::http;

/// No run keeps more samples than this; the load ends when it is reached.
const MOST_SAMPLES: usize = 500_000;

/// Who asks what, how often and for how long.
#[derive(Debug, Clone)]
pub(crate) struct LoadPlan {
    /// Asked in turn, each client beginning at another one, as far from the others as possible.
    pub(crate) urls: Vec<String>,
    /// How many clients ask at once, each one request at a time.
    pub(crate) clients: usize,
    /// What a client waits between an answer and its next request: the load is steady, not as much as the machine can bear.
    pub(crate) pause: Duration,
    /// What one request may take before it counts as failed.
    pub(crate) timeout: Duration,
    /// The load ends by itself after this time.
    pub(crate) at_most: Duration,
}

/// What one request saw.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// When it began, from the start of the load.
    pub(crate) at: Duration,
    /// Until the whole body was read.
    pub(crate) latency: Duration,
    /// `None`: no answer at all, and `error` says why.
    pub(crate) status: Option<u16>,
    /// Why there was no answer.
    pub(crate) error: Option<String>,
    /// The body's `cache_source`.
    pub(crate) source: Option<String>,
    /// The body's `freshness.stale`.
    pub(crate) stale: Option<bool>,
    /// The body's `freshness.reason`.
    pub(crate) reason: Option<String>,
}

impl Sample {
    /// Anything but a 2xx.
    pub(crate) fn failed(&self) -> bool {
        !self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// A load that is running, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Load {
    started: Instant,
    stop: watch::Sender<bool>,
    done: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Load {
    /// Starts the load.
    pub(crate) fn start(plan: LoadPlan) -> Self {
        // Reading the machine's root certificates takes a while, which must not count as the load's.
        let client = http::client(plan.timeout);
        let started = Instant::now();
        let (stop, stopped) = watch::channel(false);
        let done = Arc::new(AtomicUsize::new(0));
        let counter = done.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(run(Arc::new(plan), client, started, stopped, counter))
        });
        Self { started, stop, done, thread }
    }

    /// Now, on the scale of [`Sample::at`]: taken when something is broken or restored, it names the windows to look at.
    pub(crate) fn mark(&self) -> Duration {
        self.started.elapsed()
    }

    /// How many requests have been answered or have failed so far.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Lets the requests under way finish and gives what all of them saw.
    pub(crate) async fn stop(self) -> LoadReport {
        self.stop.send_replace(true);
        // Off the test's runtime, on which whatever is being asked may live.
        let samples = tokio::task::spawn_blocking(move || self.thread.join().expect("the load's thread")).await;
        let mut samples = samples.expect("the load's end");
        samples.sort_by_key(|sample| sample.at);
        LoadReport { samples }
    }
}

/// What all requests saw, in the order of their start.
#[derive(Debug)]
pub(crate) struct LoadReport {
    /// Every request.
    pub(crate) samples: Vec<Sample>,
}

impl LoadReport {
    /// The requests that began in `window`.
    pub(crate) fn within(&self, window: Range<Duration>) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| window.contains(&sample.at))
    }

    /// The requests that began in `window` and failed.
    pub(crate) fn failures(&self, window: Range<Duration>) -> Vec<&Sample> {
        self.within(window).filter(|sample| sample.failed()).collect()
    }

    /// How many requests of `window` were served from where; those without a `cache_source` count under `-`.
    pub(crate) fn sources(&self, window: Range<Duration>) -> BTreeMap<&str, usize> {
        let mut sources = BTreeMap::new();
        for sample in self.within(window) {
            *sources.entry(sample.source.as_deref().unwrap_or("-")).or_default() += 1;
        }
        sources
    }

    /// The latency that `percent` (0 to 100) of the requests of `window` did not exceed (nearest rank); panics when there were none.
    pub(crate) fn percentile(&self, window: Range<Duration>, percent: usize) -> Duration {
        let mut latencies: Vec<_> = self.within(window.clone()).map(|sample| sample.latency).collect();
        latencies.sort_unstable();
        let rank = (latencies.len() * percent).div_ceil(100).max(1);
        *latencies.get(rank - 1).unwrap_or_else(|| panic!("no request between {window:?}"))
    }
}

#[derive(Debug, Default, Deserialize)]
struct Body {
    cache_source: Option<String>,
    #[serde(default)]
    freshness: Freshness,
}

#[derive(Debug, Default, Deserialize)]
struct Freshness {
    stale: Option<bool>,
    reason: Option<String>,
}

async fn run(
    plan: Arc<LoadPlan>,
    client: reqwest::Client,
    started: Instant,
    stopped: watch::Receiver<bool>,
    done: Arc<AtomicUsize>,
) -> Vec<Sample> {
    assert!(!plan.urls.is_empty(), "a load without a URL");
    let mut clients = JoinSet::new();
    for number in 0..plan.clients {
        clients.spawn(ask_in_turn(number, plan.clone(), client.clone(), started, stopped.clone(), done.clone()));
    }
    clients.join_all().await.into_iter().flatten().collect()
}

async fn ask_in_turn(
    number: usize,
    plan: Arc<LoadPlan>,
    client: reqwest::Client,
    started: Instant,
    mut stopped: watch::Receiver<bool>,
    done: Arc<AtomicUsize>,
) -> Vec<Sample> {
    let mut samples = Vec::new();
    for url in plan.urls.iter().cycle().skip(number * plan.urls.len() / plan.clients) {
        if *stopped.borrow() || started.elapsed() >= plan.at_most || samples.len() >= MOST_SAMPLES / plan.clients {
            break;
        }
        samples.push(ask(&client, url, started).await);
        done.fetch_add(1, Ordering::Relaxed);
        let _next_or_stopped = tokio::time::timeout(plan.pause, stopped.wait_for(|stop| *stop)).await;
    }
    samples
}

async fn ask(client: &reqwest::Client, url: &str, started: Instant) -> Sample {
    let at = started.elapsed();
    let answer = async {
        let response = client.get(url).send().await?;
        Ok::<_, reqwest::Error>((response.status().as_u16(), response.bytes().await?))
    };
    let answer = answer.await;
    let latency = started.elapsed().saturating_sub(at);
    let (status, body, error) = match answer {
        Ok((status, bytes)) => (Some(status), serde_json::from_slice(&bytes).unwrap_or_default(), None),
        Err(error) => (None, Body::default(), Some(format!("{error:?}"))),
    };
    let Body { cache_source: source, freshness: Freshness { stale, reason } } = body;
    Sample { at, latency, status, error, source, stale, reason }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::fault_proxy::FaultProxy;
    use super::super::wait::eventually;
    use super::*;

    const SOON: Duration = Duration::from_secs(20);
    const WHOLE: Range<Duration> = Duration::ZERO..Duration::MAX;

    fn plan(url: String) -> LoadPlan {
        LoadPlan { urls: vec![url], clients: 4, pause: Duration::from_millis(2), timeout: SOON, at_most: SOON }
    }

    async fn more(load: &Load, requests: usize) {
        let target = load.done() + requests;
        eventually(SOON, "more requests", async || load.done() >= target).await;
    }

    #[tokio::test]
    async fn an_outage_under_load_is_seen_in_its_window_and_nowhere_else() {
        let broken = Arc::new(AtomicBool::new(false));
        let seen = broken.clone();
        let address = http::tests::serve(0, move |_| match seen.load(Ordering::SeqCst) {
            false => (200, r#"{"cache_source":"redis","freshness":{"stale":false,"reason":null}}"#.to_owned()),
            true => (503, r#"{"type":"/problems/overloaded"}"#.to_owned()),
        });
        let load = Load::start(plan(format!("http://{address}/")));
        more(&load, 20).await;
        broken.store(true, Ordering::SeqCst);
        more(&load, 4).await;
        let from = load.mark();
        more(&load, 20).await;
        let until = load.mark();
        broken.store(false, Ordering::SeqCst);
        more(&load, 20).await;
        let report = load.stop().await;
        let outage = report.failures(from..until);
        assert!(outage.len() >= 16, "{}", outage.len());
        assert!(outage.iter().all(|sample| sample.status == Some(503) && sample.source.is_none()));
        assert_eq!(report.sources(from..until).get("-"), Some(&outage.len()));
        // What began just before the repair may already have seen it: at most one request of each client.
        assert!(report.within(from..until).count() <= outage.len() + 4);
        let last = report.samples.last().unwrap();
        assert_eq!((last.status, last.source.as_deref(), last.stale), (Some(200), Some("redis"), Some(false)));
        assert_eq!(last.reason, None);
    }

    #[tokio::test]
    async fn a_cut_network_counts_as_failed_with_its_reason_and_a_delay_shows_in_the_percentiles() {
        let address = http::tests::serve(0, |_| (200, "{}".to_owned()));
        let proxy = FaultProxy::start(address.port());
        let load = Load::start(plan(format!("http://{}/", proxy.addr())));
        more(&load, 20).await;
        proxy.delay(Duration::from_millis(20));
        more(&load, 8).await;
        let slow = load.mark();
        more(&load, 8).await;
        let slow_end = load.mark();
        // What began before the mark gets its slow answer before the network is cut.
        more(&load, 8).await;
        proxy.cut();
        more(&load, 8).await;
        let report = load.stop().await;
        assert!(report.percentile(slow..slow_end, 50) >= Duration::from_millis(40));
        assert!(report.percentile(WHOLE, 99) >= report.percentile(WHOLE, 50));
        let failed = report.failures(WHOLE);
        assert!(failed.len() >= 8 && failed.iter().all(|sample| sample.status.is_none() && sample.error.is_some()));
    }

    #[tokio::test]
    async fn a_load_ends_by_itself() {
        let address = http::tests::serve(0, |_| (200, "{}".to_owned()));
        let load = Load::start(LoadPlan { at_most: Duration::from_millis(500), ..plan(format!("http://{address}/")) });
        eventually(SOON, "the end of the load", async || load.thread.is_finished()).await;
        assert!(!load.stop().await.samples.is_empty());
    }
}
