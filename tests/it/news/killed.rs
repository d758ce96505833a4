//! SIGKILL at every step between fetch and delivery: each movement is delivered at least once and has one id.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the run times a real service and prints its seed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use juscache::ambient::{Clock, SystemClock};
use juscache::sandbox::{Control, Endpoint, Sandbox, SandboxSettings, TokenStyle};
use serde_json::json;
use tokio::task::JoinSet;

use super::fixture::SOON;
use super::patient::Patient;
use super::receiver::Receiver;
use crate::books::dice::Dice;
use crate::support::house::{answer, numbers};
use crate::support::http;
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::process::{Juscache, Running};
use crate::support::wait::eventually;

const ADMIN: &str = "a-token-of-some-length-for-tests";
const VENDORS: &str = "the-vendors-token";
const PROCESSES: usize = 8;
/// So many of them are called back about.
const FOLLOWED: usize = 5;
const KILLS: usize = 15;
/// The longest wait between the step that a kill aims at and the kill.
const SPREAD_MILLIS: usize = 30;
/// Which kind of work a kill aims at; what is left over from the kill before goes on meanwhile.
const STEPS: [Step; 6] = [Step::Asked, Step::Answered, Step::CalledBack, Step::Stored, Step::Sent, Step::Starting];

/// A step between fetch and delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// The vendor is working on an answer.
    Asked,
    /// The vendor was asked for movements once more.
    Answered,
    /// A callback was confirmed.
    CalledBack,
    /// An event was committed.
    Stored,
    /// The subscriber is reading a message, or has just answered.
    Sent,
    /// The service has just begun to live.
    Starting,
}

/// What grows with each step.
#[derive(Debug, Clone, Copy)]
struct Tally {
    asked: u64,
    called_back: usize,
    stored: usize,
    sent: usize,
}

struct Scene<'a> {
    database: &'a TestDatabase<'a>,
    vendor: &'a Control,
    receiver: Receiver,
    numbers: Vec<String>,
    spec: Juscache,
    dice: Dice,
    /// Every movement that appeared: process and id.
    added: BTreeSet<(String, String)>,
    steps: BTreeMap<Step, u32>,
}

#[actix_web::test]
async fn each_movement_is_delivered_at_least_once_and_has_one_id_whenever_the_service_is_killed() {
    let began = Instant::now();
    let database = Postgres::shared().database("news killed");
    let vendor = SandboxSettings {
        requests_per_minute: 10_000_000,
        latency: Duration::from_millis(10),
        monitor_delay: Duration::ZERO,
        credits_centavos: 1_000_000_000,
        ..SandboxSettings::default()
    };
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let vendor = Sandbox::start(vendor, anywhere, SystemClock::shared()).await.expect("the sandbox starts");
    let spec = service(&database.url, &vendor.base_url());
    vendor.control().change_callbacks(|settings| {
        settings.retry_unit = Duration::from_millis(10);
        settings.duplicate_percent = 20;
        settings.shuffled = true;
    });
    let door = format!("http://{}/webhooks/escavador", spec.address());
    vendor.control().deliver_callbacks_to(&door, VENDORS, TokenStyle::Raw);
    // Slow enough to be killed while the subscriber reads, and while it has answered and nothing is written down.
    let receiver = Receiver::saying(|n, _| {
        std::thread::sleep(Duration::from_millis(u64::try_from(n % 4 * 5).expect("a time")));
        Some("204 X".to_owned())
    });
    let mut scene = Scene {
        database: &database,
        vendor: vendor.control(),
        receiver,
        numbers: numbers(PROCESSES),
        spec,
        dice: Dice::new(),
        added: BTreeSet::new(),
        steps: BTreeMap::new(),
    };
    eprintln!("seed {}", scene.dice.seed);

    let mut running = scene.starts().await;
    scene.prepares(&running, &vendor.base_url()).await;
    let listener = Patient::start(running.url("/api/v1/events"));
    for kill in 0..KILLS {
        scene.kills(&running, STEPS[kill % STEPS.len()]).await;
        scene.time_passes().await;
        running = scene.starts().await;
    }
    let chaos = began.elapsed();
    scene.settles(&running, &listener).await;
    let (heard, opened) = listener.end();
    scene.audits(&heard);
    eprintln!(
        "{KILLS} kills at {:?}, {} movements, {} events heard over {opened} streams, {} messages to the subscriber, in \
         {chaos:?} and {:?} in all",
        scene.steps,
        scene.added.len(),
        heard.len(),
        scene.receiver.count(),
        began.elapsed()
    );
    assert!(opened > KILLS / 2, "the stream was hardly ever cut off: {opened}");
    running.terminate();
    assert!(running.wait_exit(Duration::from_secs(60)).success());
    vendor.stop().await;
}

fn service(database: &str, vendor: &str) -> Juscache {
    [
        ("DATABASE_URL", database),
        ("RUST_LOG", "warn,juscache=info"),
        ("ESCAVADOR_API_KEY", "test"),
        ("ESCAVADOR_BASE_URL", vendor),
        ("ESCAVADOR_REQUESTS_PER_MINUTE", "1000000"),
        ("ESCAVADOR_CALLBACK_TOKEN", VENDORS),
        ("JUSCACHE_ADMIN_TOKEN", ADMIN),
        ("JUSCACHE_WEBHOOK_PRIVATE", "true"),
    ]
    .into_iter()
    .fold(Juscache::new(), |spec, (name, value)| spec.env(name, value))
}

impl Scene<'_> {
    fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        let rows = Postgres::shared().rows(self.database.name(), sql);
        rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect()
    }

    fn count(&self, sql: &str) -> usize {
        self.sql(sql)[0][0].parse().expect("a count")
    }

    /// Lives, on the same port and data.
    async fn starts(&self) -> Running {
        let running = self.spec.spawn();
        let client = http::client(Duration::from_secs(2));
        eventually(SOON, "the service lives", async || {
            client.get(running.url("/health/live")).send().await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        running
    }

    /// Every process is known, some are followed at the vendor, and somebody wants to be told.
    async fn prepares(&self, running: &Running, vendor: &str) {
        let client = http::client(SOON);
        let subscribe = client.post(running.url("/api/v1/admin/webhooks")).bearer_auth(ADMIN);
        let subscribed = answer(subscribe.json(&json!({ "url": self.receiver.url() }))).await;
        assert_eq!(subscribed.status, 201, "{subscribed:?}");
        for number in &self.numbers {
            assert_eq!(answer(client.get(detailed(running, number))).await.status, 200);
        }
        for number in self.numbers.iter().take(FOLLOWED) {
            let follow = client.post(format!("{vendor}/api/v2/monitoramentos/processos")).bearer_auth("test");
            assert_eq!(answer(follow.json(&json!({ "numero": number }))).await.status / 100, 2);
        }
        eventually(SOON, "all are stored", async || {
            self.count("SELECT count(*) FROM process_status_cache") == PROCESSES
        })
        .await;
    }

    fn tally(&self) -> Tally {
        Tally {
            asked: self.vendor.call_count(Endpoint::Movements),
            called_back: self.vendor.callbacks().iter().filter(|callback| callback.delivered).count(),
            stored: self.count("SELECT count(*) FROM process_events"),
            sent: self.receiver.count(),
        }
    }

    /// One to three movements appear in some processes, one of them followed; each is in the vendor's list from now on.
    fn appear(&mut self) -> Vec<String> {
        let followed = self.dice.below(FOLLOWED);
        let others: Vec<usize> = (0..4).map(|_| self.dice.below(PROCESSES)).collect();
        let chosen: BTreeSet<usize> = others.into_iter().chain([followed]).collect();
        let day = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
        for &at in &chosen {
            let number = self.numbers[at].clone();
            for _ in 0..=self.dice.below(3) {
                let text = format!("Juntada de petição {}", self.added.len());
                let id = self.vendor.add_movement(&number, day, &text).expect("a known process");
                self.added.insert((number.clone(), id.to_string()));
            }
            self.vendor.verify(&number, SystemClock.now());
        }
        chosen.into_iter().map(|at| self.numbers[at].clone()).collect()
    }

    /// Movements appear and are asked for, and the service is killed at that step.
    async fn kills(&mut self, running: &Running, step: Step) {
        let before = self.tally();
        let mut readers = JoinSet::new();
        for number in self.appear() {
            let ask = http::client(SOON).get(format!("{}?force_refresh=true", detailed(running, &number)));
            readers.spawn(async move { ask.send().await.is_ok() });
        }
        let begun = Instant::now();
        while !self.is_reached(step, before) {
            assert!(begun.elapsed() < SOON, "{step:?} was not reached\n{}", self.spec.everything_said());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let spread = u64::try_from(self.dice.below(SPREAD_MILLIS)).expect("a time");
        tokio::time::sleep(Duration::from_millis(spread)).await;
        running.kill9();
        *self.steps.entry(step).or_default() += 1;
    }

    fn is_reached(&self, step: Step, before: Tally) -> bool {
        match step {
            Step::Asked => self.vendor.in_flight() > 0,
            Step::Answered => self.vendor.call_count(Endpoint::Movements) > before.asked,
            Step::CalledBack => self.tally().called_back > before.called_back,
            Step::Stored => self.tally().stored > before.stored,
            Step::Sent => self.receiver.count() > before.sent,
            Step::Starting => true,
        }
    }

    /// An hour passes by the database's clock while the service is down: what the dead one had in hand is free.
    async fn time_passes(&self) {
        let others =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        eventually(SOON, "the dead one's sessions end", async || self.count(others) == 0).await;
        self.sql(
            "UPDATE webhook_deliveries SET next_attempt_at = next_attempt_at - interval '1 hour' WHERE state = 'pending';
             UPDATE webhook_subscribers SET held_until = held_until - interval '1 hour';
             UPDATE vendor_callbacks SET next_attempt_at = next_attempt_at - interval '1 hour' WHERE state = 'received'",
        );
    }

    /// Everything is refreshed once more, and everybody has been told everything.
    async fn settles(&self, running: &Running, listener: &Patient) {
        let client = http::client(SOON);
        for number in &self.numbers {
            let refreshed = answer(client.get(format!("{}?force_refresh=true", detailed(running, number)))).await;
            assert_eq!((refreshed.status, refreshed.stale()), (200, Some(false)), "{refreshed:?}");
        }
        eventually(SOON, "the vendor's callbacks are delivered and worked off", async || {
            self.vendor.callbacks().iter().all(|callback| callback.delivered)
                && self.count("SELECT count(*) FROM vendor_callbacks WHERE state = 'received'") == 0
        })
        .await;
        eventually(SOON, "each movement is an event", async || {
            self.count("SELECT count(*) FROM process_events WHERE kind = 'new'") >= self.added.len()
        })
        .await;
        eventually(SOON, "the subscriber has everything", async || {
            self.count("SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'") == 0
        })
        .await;
        eventually(SOON, "the listener has everything", async || {
            listener.count() >= self.count("SELECT count(*) FROM process_events")
        })
        .await;
    }

    fn audits(&self, heard: &[u64]) {
        let number = |text: &String| -> u64 { text.parse().expect("a number") };
        let events = self.sql("SELECT id, kind, cnj, movement_id FROM process_events ORDER BY id");
        let stored: Vec<u64> = events.iter().map(|row| number(&row[0])).collect();
        assert_eq!(heard, stored, "the stream is the table, in its order and without a repetition");
        let odd: Vec<_> = events.iter().filter(|row| row[1] != "new").collect();
        assert!(odd.is_empty(), "nothing changed and nothing went: {odd:?}");
        let mut new: Vec<(String, String)> = events.iter().map(|row| (row[2].clone(), row[3].clone())).collect();
        new.sort();
        assert!(new.iter().eq(&self.added), "one `new` for each movement: {new:?} instead of {:?}", self.added);

        assert_eq!(self.count("SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered'"), 0);
        let mut ids: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        let mut lines: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for sent in self.receiver.sent() {
            let movement = sent.json()["data"]["movement"]["id"].as_str().expect("an id").to_owned();
            ids.entry((sent.cnj(), movement)).or_default().insert(sent.header("webhook-id").to_owned());
            lines.entry(sent.cnj()).or_default().push(sent.event());
        }
        assert!(ids.keys().eq(&self.added), "each movement was delivered, and no other");
        assert!(ids.values().all(|ids| ids.len() == 1), "under one id: {ids:?}");
        let repeated = self.receiver.count() - self.added.len();
        assert!(lines.values().all(|line| line.is_sorted()), "in order, a repetition at once: {lines:?}");
        eprintln!("{repeated} messages came twice");
    }
}

fn detailed(running: &Running, number: &str) -> String {
    running.url(&format!("/api/v1/process-movements/{number}/detailed"))
}
