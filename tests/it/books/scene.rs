//! The real binary between readers, a simulated vendor and a PostgreSQL of its own, while all of them are broken.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use juscache::ambient::{Clock, SystemClock};
use juscache::sandbox::{Control, Endpoint, Prices, ProcessShape, Sandbox, SandboxSettings};

use super::audit::Ledger;
use super::dice::Dice;
use super::readers::Readers;
use crate::support::house::numbers;
use crate::support::postgres::Postgres;
use crate::support::process::{Juscache, Running};

/// Different from each other, so that a row that is taken for another shows.
const PRICES: Prices = Prices { cover: 27, movements: 31, envolvidos: 5, update: 300, status: 0, monitor: 0 };
const PROCESSES: usize = 150;
/// Some have several pages of movements.
const LONG: usize = 3;
/// How often something happens.
const TICK: Duration = Duration::from_millis(20);
/// For so long PostgreSQL is away.
const OUTAGE: Duration = Duration::from_secs(3);
/// What the ledger may take to be right once everything is back.
const SETTLES_WITHIN: Duration = Duration::from_secs(120);

/// What a run consists of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// In each round; after each the books are audited.
    pub(super) lookups: usize,
    pub(super) rounds: usize,
    /// Each with a data folder of its own.
    pub(super) services: usize,
    /// SIGKILLs in each round.
    pub(super) kills: usize,
    /// Whether money is set aside before it is spent; then nothing is bought while PostgreSQL is away.
    pub(super) has_caps: bool,
}

struct Service {
    spec: Juscache,
    running: Running,
}

/// PostgreSQL is away.
struct Away {
    since: Instant,
    is_paused: bool,
}

struct Scene<'a> {
    cluster: &'a Postgres,
    vendor: &'a Control,
    services: Vec<Service>,
    numbers: Vec<String>,
    dice: Dice,
    faults: BTreeMap<&'static str, u32>,
    kills: u32,
    outages: u32,
    away: Option<Away>,
    /// When the vendor has received so many requests.
    next_fault_at: u64,
}

/// Runs the course; panics when the books do not agree.
#[expect(clippy::print_stderr, reason = "the figures of a run are its result, good or bad")]
pub(super) async fn run(course: Course) {
    let began = Instant::now();
    let cluster = Postgres::own();
    let database = cluster.database("books");
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let settings = SandboxSettings {
        prices: PRICES,
        requests_per_minute: 10_000_000,
        latency: Duration::from_millis(3),
        credits_centavos: 1_000_000_000,
        ..SandboxSettings::default()
    };
    let vendor = Sandbox::start(settings, anywhere, SystemClock::shared()).await.expect("the sandbox starts");
    let numbers = numbers(PROCESSES);
    let shape = ProcessShape { movements: Some(1_100), ..ProcessShape::default() };
    numbers.iter().take(LONG).for_each(|number| vendor.control().set_process(number, &shape));
    let (url, base_url) = (database.url.clone(), vendor.base_url());
    // Off this thread, on which the vendor begins to listen.
    let start = move || (0..course.services).map(|_| service(&url, &base_url, course.has_caps)).collect();
    let services = tokio::task::spawn_blocking(start);
    let services = services.await.expect("the services start");
    let mut scene = Scene {
        cluster: &cluster,
        vendor: vendor.control(),
        services,
        numbers,
        dice: Dice::new(),
        faults: BTreeMap::new(),
        kills: 0,
        outages: 0,
        away: None,
        next_fault_at: 10,
    };
    eprintln!("seed {}", scene.dice.seed);
    let ledger = Ledger { cluster: &cluster, database: database.name() };
    for round in 1..=course.rounds {
        let heard = scene.round(course).await;
        let quiet = Instant::now();
        scene.settle(ledger).await;
        let figures = {
            let mut audited = ledger.audit(scene.vendor);
            for _ in 0..10 {
                if audited.is_ok() {
                    break;
                }
                // A look at the balance, which is free, may be on its way between two countings.
                tokio::time::sleep(Duration::from_millis(500)).await;
                audited = ledger.audit(scene.vendor);
            }
            audited
                .map_err(|wrong| format!("{wrong}\n{}\n{}", ledger.told(), scene.told()))
                .expect("the books are right")
        };
        eprintln!("round {round}: {figures:?}; settled in {:?}; readers heard {heard:?}", quiet.elapsed());
        assert!(figures.charged > 0 && figures.doubtful > 0, "nothing was at stake: {figures:?}");
    }
    let Scene { services, faults, kills, outages, .. } = scene;
    eprintln!(
        "{} lookups, {kills} kills, {outages} outages of postgresql, faults {faults:?}, in {:?}",
        course.lookups * course.rounds,
        began.elapsed()
    );
    for service in &services {
        service.running.terminate();
        assert!(service.running.wait_exit(Duration::from_secs(60)).success());
    }
    assert_eq!(ledger.set_aside(), 0, "nothing is set aside by services that ended");
    vendor.stop().await;
}

fn service(database: &str, vendor: &str, has_caps: bool) -> Service {
    let spec = [
        ("DATABASE_URL", database),
        ("RUST_LOG", "warn,juscache::fetcher=debug,juscache::ledger=info,juscache::app=info"),
        ("ESCAVADOR_API_KEY", "test"),
        ("ESCAVADOR_BASE_URL", vendor),
        ("ESCAVADOR_REQUESTS_PER_MINUTE", "1000000"),
        ("ESCAVADOR_TIMEOUT", "1s"),
        ("ESCAVADOR_BALANCE_AFTER", "500ms"),
        ("ESCAVADOR_PRICE_COVER", "27"),
        ("ESCAVADOR_PRICE_MOVEMENTS", "31"),
        ("JUSCACHE_NEAR_TTL", "0s"),
        ("JUSCACHE_DB_TTL", "50ms"),
        ("JUSCACHE_SOFT_TIMEOUT", "300ms"),
        ("JUSCACHE_HARD_TIMEOUT", "3s"),
    ]
    .into_iter()
    .fold(Juscache::new(), |spec, (name, value)| spec.env(name, value));
    let spec = if has_caps { spec.env("JUSCACHE_BUDGET_DAY", "500000000") } else { spec };
    let running = spec.start();
    Service { spec, running }
}

impl Scene<'_> {
    /// What the services wrote.
    fn told(&self) -> String {
        self.services.iter().map(|service| format!("---\n{}", service.spec.everything_said())).collect()
    }

    /// Lookups, and what goes wrong meanwhile.
    async fn round(&mut self, course: Course) -> BTreeMap<u16, usize> {
        let addresses = self.numbers.iter().flat_map(|number| {
            let path = format!("/api/v1/process-movements/{number}/detailed");
            self.services.iter().map(move |service| service.running.url(&path))
        });
        let readers = Readers::start(addresses.collect(), course.lookups);
        // A kill with PostgreSQL away and some without; two outages, one of each kind.
        let mut kills: Vec<usize> = (1..=course.kills).map(|n| course.lookups * n / (course.kills + 1)).collect();
        let mut outages = vec![course.lookups / 4, course.lookups / (course.kills + 1)];
        let due = |list: &mut Vec<usize>, done: usize| {
            let at = list.iter().position(|at| *at <= done);
            at.map(|at| list.remove(at)).is_some()
        };
        while !readers.is_over() {
            let done = readers.done();
            if due(&mut outages, done) {
                self.postgres_goes();
            }
            if due(&mut kills, done) {
                self.kill();
            }
            self.postgres_returns(false);
            self.news();
            self.trouble();
            tokio::time::sleep(TICK).await;
        }
        readers.heard()
    }

    /// Something happens in a few processes, and the vendor has seen it.
    fn news(&mut self) {
        for _ in 0..2 {
            let number = self.dice.below(self.numbers.len());
            let day = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
            self.vendor.add_movement(&self.numbers[number], day, "Juntada de petição");
            self.vendor.verify(&self.numbers[number], SystemClock.now());
        }
    }

    /// One fault for so many requests: more, and the service would rightly stop asking.
    fn trouble(&mut self) {
        let received: u64 = Endpoint::ALL.into_iter().map(|route| self.vendor.call_count(route)).sum();
        while self.next_fault_at <= received {
            self.next_fault_at += u64::try_from(5 + self.dice.below(20)).expect("a count");
            let (fault, whom) = self.dice.fault();
            *self.faults.entry(fault.as_str()).or_default() += 1;
            self.vendor.set_fault(fault, whom, Some(1));
        }
    }

    fn kill(&mut self) {
        let service = self.dice.below(self.services.len());
        let service = &mut self.services[service];
        service.running.kill9();
        service.running = service.spec.spawn();
        self.kills += 1;
    }

    fn postgres_goes(&mut self) {
        if self.away.is_some() {
            return;
        }
        let is_paused = !self.outages.is_multiple_of(2);
        if is_paused {
            self.cluster.pause();
        } else {
            self.cluster.kill9();
        }
        self.away = Some(Away { since: Instant::now(), is_paused });
        self.outages += 1;
    }

    fn postgres_returns(&mut self, at_once: bool) {
        let Some(away) = self.away.take_if(|away| at_once || away.since.elapsed() >= OUTAGE) else { return };
        if away.is_paused {
            self.cluster.resume();
        } else {
            self.cluster.start();
        }
    }

    /// Everything is back; waits until the ledger says that it knows everything.
    async fn settle(&mut self, ledger: Ledger<'_>) {
        self.vendor.clear_faults();
        self.postgres_returns(true);
        let began = Instant::now();
        while !ledger.is_settled(self.vendor) {
            assert!(began.elapsed() < SETTLES_WITHIN, "not settled\n{}\n{}", ledger.told(), self.told());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
