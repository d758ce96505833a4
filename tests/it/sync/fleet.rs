//! Three processes of the built binary on one PostgreSQL and one simulated vendor, and what is seen of them there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use chrono::{NaiveDate, TimeDelta};
use futures_util::future::join_all;
use juscache::ambient::{Clock, SystemClock};
use juscache::sandbox::{Call, Endpoint, Sandbox, SandboxSettings};
use reqwest::{Client, Method};
use serde_json::Value;

use crate::support::house::{Answer, answer, numbers};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::process::{Juscache, Running};
use crate::support::wait::eventually;
use crate::support::{http, ports};

pub(super) const PROCESSES: usize = 31;
pub(super) const BATCH: usize = 3;
/// Enough for two rounds and a few small ones, and not for three.
pub(super) const LIMIT: i64 = 280;
const NODES: usize = 3;
const INTERVAL: Duration = Duration::from_secs(6);
/// Three requests for each process, three processes at once: a cycle over all takes eight seconds, and so has a middle.
const LATENCY: Duration = Duration::from_millis(200);
const SOON: Duration = Duration::from_secs(60);
/// How much later than its tick a cycle may begin when nothing else is under way: a takeover, on a busy machine.
const LATE: Duration = Duration::from_secs(20);
const TOKEN: &str = "the-token-of-the-synchronisation";
const SYNC: &str = "/api/v1/admin/sync";
/// What the synchronisation asks the vendor for.
const ASKED: [Endpoint; 4] = [Endpoint::Status, Endpoint::Cover, Endpoint::Movements, Endpoint::Envolvidos];

/// The scene. Processes go before their database.
pub(super) struct Fleet {
    pub(super) nodes: Vec<Running>,
    /// A node that does not answer at the moment.
    pub(super) deaf: Option<usize>,
    pub(super) numbers: Vec<String>,
    specs: Vec<Juscache>,
    client: Client,
    vendor: Sandbox,
    /// Requests before this one were made by readers.
    learned: usize,
    /// Requests before this one belong to other rounds.
    mark: usize,
    /// The most that was seen in a day's count.
    most_calls: i64,
    began: Instant,
    database: TestDatabase<'static>,
}

/// What a round's requests were.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    statuses: BTreeMap<String, u32>,
    covers: BTreeMap<String, u32>,
    by: BTreeMap<String, BTreeSet<String>>,
}

impl Tally {
    fn of(calls: &[Call]) -> Self {
        let mut tally = Self::default();
        for call in calls {
            let Some(number) = call.number.clone() else { continue };
            let counts = match call.endpoint {
                Endpoint::Status => &mut tally.statuses,
                Endpoint::Cover => &mut tally.covers,
                _ => continue,
            };
            *counts.entry(number.clone()).or_default() += 1;
            tally.by.entry(call.authorization.clone().unwrap_or_default()).or_default().insert(number);
        }
        tally
    }

    /// Processes that a node asked for.
    pub(super) fn by_node(&self, node: usize) -> usize {
        self.by.get(&format!("Bearer {}", key(node))).map_or(0, BTreeSet::len)
    }

    /// Processes that anybody asked for.
    pub(super) fn numbers(&self) -> usize {
        self.statuses.len()
    }

    /// Processes whose status or cover was asked for more than once.
    pub(super) fn more_than_once(&self) -> BTreeSet<String> {
        let counts = self.statuses.iter().chain(&self.covers);
        counts.filter(|(_, times)| **times > 1).map(|(number, _)| number.clone()).collect()
    }

    pub(super) fn each_at_most_once(&self) {
        assert_eq!(self.more_than_once(), BTreeSet::new(), "{:?}", self.by);
    }

    /// Exactly once: status and cover; those that were left behind in the middle may lack some.
    pub(super) fn each_once_but(&self, all: &[String], orphans: &[String]) {
        self.each_at_most_once();
        for number in all.iter().filter(|number| !orphans.contains(number)) {
            assert!(self.statuses.contains_key(number) && self.covers.contains_key(number), "{number}: {self:?}");
        }
    }
}

fn key(node: usize) -> String {
    format!("key-of-node-{node}")
}

fn spec(node: usize, database: &str, vendor: &str, redis: &str) -> Juscache {
    [
        ("DATABASE_URL", database),
        // Nobody is there.
        ("REDIS_URL", redis),
        ("RUST_LOG", "warn,juscache::scheduler=debug"),
        ("ESCAVADOR_API_KEY", &key(node)),
        ("ESCAVADOR_BASE_URL", vendor),
        ("ESCAVADOR_REQUESTS_PER_MINUTE", "1000000"),
        ("ESCAVADOR_BALANCE_AFTER", "0s"),
        ("JUSCACHE_ADMIN_TOKEN", TOKEN),
        ("JUSCACHE_ADAPTIVE_TTL", "false"),
        ("JUSCACHE_SYNC_INTERVAL", &humantime::format_duration(INTERVAL).to_string()),
        ("JUSCACHE_SYNC_BATCH", &BATCH.to_string()),
        ("JUSCACHE_SYNC_DAILY_LIMIT", &LIMIT.to_string()),
    ]
    .into_iter()
    .fold(Juscache::new(), |spec, (name, value)| spec.env(name, value))
}

impl Fleet {
    pub(super) async fn start() -> Self {
        let began = Instant::now();
        let database = Postgres::shared().database("sync_processes");
        let settings = SandboxSettings { requests_per_minute: 1_000_000, ..SandboxSettings::default() };
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let vendor = Sandbox::start(settings, anywhere, SystemClock::shared()).await.expect("the sandbox starts");
        let redis = format!("redis://127.0.0.1:{}", ports::free_port());
        let specs: Vec<Juscache> =
            (0..NODES).map(|node| spec(node, &database.url, &vendor.base_url(), &redis)).collect();
        // All at once, the migrations included; off this thread, on which the vendor begins to listen.
        let starting = specs.iter().cloned().map(|spec| tokio::task::spawn_blocking(move || spec.start()));
        let mut nodes = Vec::new();
        for starting in starting.collect::<Vec<_>>() {
            nodes.push(starting.await.expect("it starts"));
        }
        Self {
            nodes,
            deaf: None,
            numbers: numbers(PROCESSES),
            specs,
            client: http::client(SOON),
            vendor,
            learned: 0,
            mark: 0,
            most_calls: 0,
            began,
            database,
        }
    }

    /// Readers ask for every process, so that it is known.
    pub(super) async fn learn(&mut self) {
        // As slow as it stays: a vendor that becomes slow is asked one thing at a time.
        self.vendor.control().set_latency(LATENCY);
        let lookups = self.numbers.iter().enumerate().map(|(index, cnj)| {
            let url = self.nodes[index % NODES].url(&format!("/api/v1/process-movements/{cnj}/detailed"));
            answer(self.client.get(url))
        });
        assert!(join_all(lookups).await.iter().all(|answer| answer.status == 200));
        let stored = "SELECT cnj FROM process_status_cache";
        self.until("everything is stored", |fleet| fleet.column(stored).len() == PROCESSES).await;
        self.learned = self.vendor.control().calls().len();
    }

    /// So many processes have news and expire at once: a new round.
    pub(super) fn expire(&mut self, count: usize) {
        let control = self.vendor.control();
        let day = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
        for cnj in &self.numbers[..count] {
            control.add_movement(cnj, day, "Juntada de petição");
            control.verify(cnj, SystemClock.now());
        }
        self.mark = control.calls().len();
        let list = self.numbers[..count].join("', '");
        self.execute(&format!(
            "UPDATE process_status_cache SET cache_valid_until = now() - interval '1 hour' WHERE cnj IN ('{list}')"
        ));
    }

    /// Waits until a leader is in the middle of a scheduled cycle; which node, which run, which epoch.
    pub(super) async fn in_the_middle(&mut self) -> (usize, i64, i64) {
        let deadline = Instant::now() + SOON;
        loop {
            assert!(Instant::now() < deadline, "no cycle is in its middle: {:?}", self.tally());
            let found = self.leader().await;
            let open = "SELECT id, epoch FROM sync_runs WHERE ended_at IS NULL AND trigger = 'schedule'";
            let rows = Postgres::shared().rows(self.database.name(), open);
            if let (Some(leader), Some([Some(run), Some(epoch)])) = (found, rows.first().map(Vec::as_slice)) {
                let tally = self.tally();
                let is_middle = tally.covers.len() >= 2 * BATCH && tally.by_node(leader) == tally.numbers();
                if is_middle && self.in_flight() > 0 {
                    return (leader, run.parse().expect("a number"), epoch.parse().expect("a number"));
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Polls, and looks at the day's count each time.
    pub(super) async fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + SOON;
        while !holds(self) {
            let calls = self.number("SELECT coalesce(max(calls), 0) FROM sync_days");
            self.most_calls = self.most_calls.max(calls);
            assert!(calls <= LIMIT, "{calls} of {LIMIT}");
            assert!(Instant::now() < deadline, "not in time: {what}\n{}", self.told());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Every node that is awake names the same leader, and one says that it is it.
    pub(super) async fn agree(&self) {
        eventually(SOON, "all nodes agree who leads", async || {
            let mut leaders = BTreeSet::new();
            let mut leading = 0;
            for node in self.awake() {
                let leader = self.status(node).await["leader"].clone();
                leading += usize::from(leader["is_this_node"] == true);
                leaders.insert(leader["node"].to_string());
            }
            leading == 1 && leaders.len() == 1
        })
        .await;
    }

    pub(super) async fn leader(&self) -> Option<usize> {
        for node in self.awake() {
            if self.status(node).await["leader"]["is_this_node"] == true {
                return Some(node);
            }
        }
        None
    }

    fn awake(&self) -> impl Iterator<Item = usize> {
        let deaf = self.deaf;
        (0..NODES).filter(move |node| Some(*node) != deaf)
    }

    pub(super) async fn ask(&self, method: Method, node: usize) -> Answer {
        answer(self.client.request(method, self.nodes[node].url(SYNC)).bearer_auth(TOKEN)).await
    }

    pub(super) async fn status(&self, node: usize) -> Value {
        let answer = self.ask(Method::GET, node).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Waits until no cycle is under way and none is due for a while.
    pub(super) async fn pause_between_cycles(&mut self) {
        let quiet = "SELECT count(*) FROM sync_state WHERE next_run_at > now() + interval '3 s'
                     AND NOT EXISTS (SELECT FROM sync_runs WHERE ended_at IS NULL)";
        self.until("a pause between cycles", |fleet| fleet.number(quiet) == 1).await;
    }

    /// The killed one comes back with its folder.
    pub(super) async fn revive(&mut self, node: usize) {
        let spec = self.specs[node].clone();
        self.nodes[node] = tokio::task::spawn_blocking(move || spec.start()).await.expect("it starts again");
        self.deaf = None;
    }

    pub(super) fn tally(&self) -> Tally {
        Tally::of(&self.vendor.control().calls()[self.mark..])
    }

    pub(super) fn in_flight(&self) -> usize {
        self.vendor.control().in_flight()
    }

    /// What the synchronisation has asked the vendor for since readers stopped.
    pub(super) fn requests(&self) -> usize {
        self.sent().len()
    }

    fn sent(&self) -> Vec<Call> {
        let calls = self.vendor.control().calls();
        calls.into_iter().skip(self.learned).filter(|call| ASKED.contains(&call.endpoint)).collect()
    }

    pub(super) fn execute(&self, sql: &str) {
        Postgres::shared().execute(self.database.name(), sql);
    }

    /// The first column.
    pub(super) fn column(&self, sql: &str) -> Vec<String> {
        let rows = Postgres::shared().rows(self.database.name(), sql);
        rows.into_iter().map(|row| row[0].clone().unwrap_or_default()).collect()
    }

    pub(super) fn number(&self, sql: &str) -> i64 {
        self.column(sql).first().expect("a row").parse().expect("a number")
    }

    /// Copies that are not fresh.
    pub(super) fn stale(&self) -> usize {
        self.column("SELECT cnj FROM process_status_cache WHERE cache_valid_until <= now()").len()
    }

    /// Claims under way.
    pub(super) fn claimed(&self) -> usize {
        self.column("SELECT cnj FROM process_sync WHERE state = 'refreshing'").len()
    }

    pub(super) fn ended(&self, run: i64) -> bool {
        self.number(&format!("SELECT count(*) FROM sync_runs WHERE id = {run} AND ended_at IS NOT NULL")) == 1
    }

    pub(super) fn newest_run(&self) -> i64 {
        self.number("SELECT max(id) FROM sync_runs")
    }

    /// Another node went on with it and brought it to its end.
    pub(super) fn was_adopted(&self, run: i64, epoch: i64) {
        let right = format!(
            "SELECT count(*) FROM sync_runs WHERE id = {run} AND epoch > {epoch} AND adopted > 0 AND ending = 'completed'"
        );
        assert_eq!(self.number(&right), 1, "{}", self.told());
    }

    /// Every tick of the schedule is part of exactly one run, and none began late that no other kept waiting.
    pub(super) fn no_cycle_is_missing(&self) {
        let micros = |column: &str| format!("(extract(epoch FROM {column}) * 1000000)::bigint");
        let columns = ["due_at", "started_at", "coalesce(ended_at, now())"].map(micros).join(", ");
        let sql = format!("SELECT trigger, epoch, {columns} FROM sync_runs ORDER BY id");
        let rows = Postgres::shared().rows(self.database.name(), &sql);
        let number = |cell: &Option<String>| cell.as_deref().expect("a value").parse::<i64>().expect("a number");
        let step = i64::try_from(INTERVAL.as_micros()).expect("a number");
        let (mut previous, mut busy_until, mut newest_epoch, mut latest, mut cycles) = (None, 0, 0, 0, 0);
        for row in &rows {
            let (due, started, ended, epoch) = (number(&row[2]), number(&row[3]), number(&row[4]), number(&row[1]));
            assert!(epoch >= newest_epoch && started >= busy_until, "one after the other: {rows:?}");
            if row[0].as_deref() == Some("schedule") {
                if let Some((before, its_start)) = previous.replace((due, started)) {
                    // It stood for all ticks up to its start, and this one is for the next.
                    let next = before + ((its_start - before) / step + 1) * step;
                    assert_eq!(due, next, "a tick without a cycle, or with two: {rows:?}");
                }
                latest = latest.max(started - due.max(busy_until));
                cycles += 1;
            }
            (busy_until, newest_epoch) = (ended, epoch);
        }
        assert!(latest < i64::try_from(LATE.as_micros()).expect("a number"), "{latest} µs late: {rows:?}");
        let total = rows.len();
        self.tell(&format!(
            "{total} runs, {cycles} of them due, {newest_epoch} epochs, at most {} ms late",
            latest / 1000
        ));
    }

    pub(super) fn tell(&self, what: &str) {
        println!("{:>5.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    fn told(&self) -> String {
        let tables = ["SELECT * FROM sync_state", "SELECT * FROM sync_days", "SELECT * FROM sync_runs ORDER BY id"];
        let tables: String = tables.into_iter().map(|sql| Postgres::shared().psql(self.database.name(), sql)).collect();
        let said: String = self.specs.iter().map(|spec| format!("---\n{}", spec.everything_said())).collect();
        format!("{tables}\n{said}")
    }

    /// The books, and an orderly end.
    pub(super) async fn stop(mut self) {
        self.until("nothing is under way", |fleet| fleet.in_flight() == 0).await;
        let mut by_day: BTreeMap<NaiveDate, i64> = BTreeMap::new();
        for call in self.sent() {
            // São Paulo has no summer time.
            *by_day.entry((call.at - TimeDelta::hours(3)).date_naive()).or_default() += 1;
        }
        let counted = self.number("SELECT sum(calls) FROM sync_days");
        let sent: i64 = by_day.values().sum();
        assert!(by_day.values().all(|sent| *sent <= LIMIT), "{by_day:?}");
        assert!(sent <= counted, "{sent} sent, {counted} counted");
        self.tell(&format!("{sent} requests sent, {counted} counted, at most {} of {LIMIT}", self.most_calls));
        for node in &self.nodes {
            node.terminate();
        }
        for node in &self.nodes {
            assert!(node.wait_exit(SOON).success());
        }
        self.vendor.stop().await;
    }
}
