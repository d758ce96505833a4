//! The whole service inside the test's process, over a simulated vendor and whichever real servers the test brings.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use juscache::ambient::{Clock, ShiftedClock, SystemClock, SystemRandom};
use juscache::app::App;
use juscache::config::Settings;
use juscache::config::redis::RedisSettings;
use juscache::sandbox::{Control, Endpoint, Sandbox, SandboxSettings, demo_numbers};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::http;
use super::load::{Load, LoadPlan};
use super::machine::temp_folder;
use super::redis::Redis;

/// A service that a test started and stops.
pub(crate) struct House {
    pub(crate) app: App,
    pub(crate) clock: Arc<ShiftedClock>,
    pub(crate) client: Client,
    vendor: Option<Sandbox>,
    control: Control,
    vendor_address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// What a house is built of.
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) vendor: SandboxSettings,
    /// A vendor that runs already, instead of one of its own.
    running: Option<(Control, SocketAddr)>,
}

/// What a test reads of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn source(&self) -> &str {
        self.body["cache_source"].as_str().unwrap_or("none")
    }

    pub(crate) fn stale(&self) -> Option<bool> {
        self.body["freshness"]["stale"].as_bool()
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        self.body["freshness"]["reason"].as_str()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The slug of a problem.
    pub(crate) fn problem(&self) -> &str {
        self.body["type"].as_str().and_then(|kind| kind.strip_prefix("/problems/")).unwrap_or("none")
    }
}

impl Plan {
    /// Defaults on a database of the test's own, without Redis.
    pub(crate) fn new(database_url: &str) -> Self {
        let mut settings = Settings::read(&std::collections::HashMap::new()).expect("the defaults are right");
        settings.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        settings.database_url = Some(database_url.to_owned().into());
        let vendor = SandboxSettings { requests_per_minute: 1_000_000, ..SandboxSettings::default() };
        settings.fetcher.requests_per_minute = 1_000_000;
        // Copies live exactly as long as a test says.
        settings.coordinator.adaptive = None;
        settings.coordinator.jitter = false;
        // The vendor is asked when a test asks, and at no other time.
        settings.fetcher.balance_after = Duration::ZERO;
        Self { settings, vendor, running: None }
    }

    pub(crate) fn redis(mut self, redis: &Redis) -> Self {
        self.settings.redis = Some(RedisSettings { urls: vec![redis.url()], ..RedisSettings::default() });
        self
    }

    /// At the vendor of another house, which is closed last.
    pub(crate) fn vendor_of(mut self, house: &House) -> Self {
        self.running = Some((house.control.clone(), house.vendor_address));
        self
    }

    /// So many houses that share the first one's vendor, and whatever else the plan names.
    pub(crate) async fn build_fleet(plan: impl Fn() -> Self, nodes: usize) -> Vec<House> {
        let mut houses = vec![plan().build().await];
        for _ in 1..nodes {
            let next = plan().vendor_of(&houses[0]).build().await;
            houses.push(next);
        }
        houses
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Near copies off: every lookup reaches the tiers.
    pub(crate) fn without_near(self) -> Self {
        self.with(|settings| settings.coordinator.near_ttl = Duration::ZERO)
    }

    /// DataJud beside Escavador: the sandbox is both.
    pub(crate) fn datajud(mut self) -> Self {
        self.settings.datajud.api_key = Some("public".into());
        self.settings.datajud.requests_per_minute = 1_000_000;
        self.vendor.datajud.requests_per_minute = 1_000_000;
        self
    }

    pub(crate) async fn build(mut self) -> House {
        self.settings.fetcher.api_key = Some("test".into());
        self.build_without_key().await
    }

    pub(crate) async fn build_without_key(mut self) -> House {
        let folder = temp_folder("juscache-house-");
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (vendor, (control, vendor_address)) = match self.running {
            Some(running) => (None, running),
            None => {
                let vendor = Sandbox::start(self.vendor, anywhere, SystemClock::shared()).await;
                let vendor = vendor.expect("the sandbox starts");
                let running = (vendor.control().clone(), vendor.reachable());
                (Some(vendor), running)
            }
        };
        self.settings.data_dir = folder.path().to_owned();
        self.settings.fetcher.base_url = format!("http://{vendor_address}");
        self.settings.datajud.base_url = format!("http://{vendor_address}");
        let clock = Arc::new(ShiftedClock::default());
        let shared: Arc<ShiftedClock> = Arc::clone(&clock);
        let app =
            Box::pin(App::start(self.settings, shared, SystemRandom::shared())).await.expect("the service starts");
        let client = http::client(Duration::from_secs(60));
        House { app, clock, client, vendor, control, vendor_address, _folder: folder }
    }
}

impl House {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.address())
    }

    /// The address of a process's detailed answer.
    pub(crate) fn detailed(&self, cnj: &str) -> String {
        self.url(&format!("/api/v1/process-movements/{cnj}/detailed"))
    }

    pub(crate) fn request(&self, url: &str) -> RequestBuilder {
        self.client.get(url)
    }

    pub(crate) async fn lookup(&self, cnj: &str) -> Answer {
        answer(self.request(&self.detailed(cnj))).await
    }

    pub(crate) async fn refresh(&self, cnj: &str) -> Answer {
        answer(self.request(&format!("{}?force_refresh=true", self.detailed(cnj)))).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(&self.url(path))).await
    }

    pub(crate) async fn metrics(&self) -> String {
        let response = self.request(&self.url("/metrics")).send().await.expect("metrics answer");
        response.text().await.expect("metrics are text")
    }

    /// Clients who ask for these processes as fast as they are answered, each beginning at another one.
    pub(crate) fn full_load(&self, numbers: &[String], clients: usize) -> Load {
        Load::start(LoadPlan {
            urls: numbers.iter().map(|cnj| self.detailed(cnj)).collect(),
            clients,
            pause: Duration::ZERO,
            timeout: Duration::from_secs(60),
            at_most: Duration::from_secs(180),
        })
    }

    /// A few clients who ask for this process all the time.
    pub(crate) fn steady_requests(&self, cnj: &str) -> Load {
        Load::start(LoadPlan {
            urls: vec![self.detailed(cnj)],
            clients: 4,
            pause: Duration::from_millis(20),
            timeout: Duration::from_secs(10),
            at_most: Duration::from_secs(60),
        })
    }

    /// An address of the vendor's.
    pub(crate) fn vendor_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.vendor_address)
    }

    /// The vendor's switches.
    pub(crate) fn vendor(&self) -> &Control {
        &self.control
    }

    /// The service's wall clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// How often the vendor was asked for a cover: once for each fetch.
    pub(crate) fn fetches(&self) -> u64 {
        self.control.call_count(Endpoint::Cover)
    }

    /// Takes the vendor off the network: connections are refused.
    pub(crate) async fn vendor_gone(&mut self) {
        if let Some(vendor) = self.vendor.take() {
            vendor.stop().await;
        }
    }

    /// Puts the vendor back where it was.
    pub(crate) async fn vendor_back(&mut self) {
        let vendor = Sandbox::resume(self.control.clone(), self.vendor_address).await.expect("the vendor comes back");
        self.vendor = Some(vendor);
    }

    /// Stops the service and the vendor, if it is this house's own, in this order.
    pub(crate) async fn close(mut self) {
        self.app.stop().await;
        if let Some(vendor) = self.vendor.take() {
            vendor.stop().await;
        }
    }
}

/// Stops a fleet, the vendor last.
pub(crate) async fn close_all(houses: Vec<House>) {
    for house in houses.into_iter().rev() {
        house.close().await;
    }
}

/// Sends a request and reads the answer whole.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the service answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.expect("the body arrives");
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status, headers, body }
}

/// Valid invented numbers that the vendor knows.
pub(crate) fn numbers(count: usize) -> Vec<String> {
    demo_numbers(count, 7)
}

/// One of them.
pub(crate) fn number() -> String {
    numbers(1).remove(0)
}
