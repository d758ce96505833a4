//! Single cycles on the book in memory, in virtual time: how they end, and how they are broken off.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use juscache::ambient::SystemRandom;
use juscache::config::sync::SyncSettings;
use juscache::domain::cnj::Cnj;
use juscache::fetcher::messages::Failure;
use juscache::postgres_tier::sync::messages::Run;
use juscache::postgres_tier::sync::words::{ClaimState, Ending};
use juscache::resilience::{Allowance, Deadline};
use juscache::scheduler::book::Book;
use juscache::scheduler::choice::Rules;
use juscache::scheduler::reads::ReadCounts;
use juscache::scheduler::refresher::{Refresh, RefreshFailure, Refreshed, Refresher};
use juscache::scheduler::{Reins, Surroundings, Worker};
use juscache::telemetry::Metrics;

use super::model::{Fate, Model, Process};
use super::simulation::VirtualClock;
use crate::postgres::samples::number;

const LATENCY: Duration = Duration::from_secs(5);

type Outcome = Result<Refreshed, RefreshFailure>;

fn failed(failure: Failure) -> Outcome {
    Err(RefreshFailure::Failed { failure, retry_after: None })
}

/// A vendor that answers as it is told, after a while, and a reader that reads once.
struct Fake {
    model: Model,
    answer: Mutex<Outcome>,
    begun: AtomicU32,
    panics: AtomicBool,
    reads: Mutex<Vec<(Cnj, u32)>>,
}

impl Refresher for Fake {
    fn refresh(&self, cnj: Cnj, allowance: Allowance, _: Deadline) -> BoxFuture<'_, Refresh> {
        self.begun.fetch_add(1, SeqCst);
        async move {
            assert!(allowance.draw());
            tokio::time::sleep(LATENCY).await;
            assert!(!self.panics.swap(false, SeqCst), "sabotaged: told to panic");
            let outcome = *self.answer.lock().unwrap();
            if outcome.is_ok() {
                let now = self.model.now();
                self.model.tables().processes.get_mut(&cnj).unwrap().valid_until = now + TimeDelta::days(1);
            }
            Refresh { outcome, cost_centavos: 27 }
        }
        .boxed()
    }
}

impl ReadCounts for Fake {
    fn drain(&self) -> Vec<(Cnj, u32)> {
        std::mem::take(&mut self.reads.lock().unwrap())
    }
}

struct Stage {
    fake: Arc<Fake>,
    clock: VirtualClock,
    settings: SyncSettings,
    away: Arc<AtomicBool>,
}

impl Stage {
    /// So many processes, all expired.
    fn new(processes: u32, answer: Outcome) -> Self {
        let clock = VirtualClock::new();
        let away = Arc::new(AtomicBool::new(false));
        let gone = Arc::clone(&away);
        let fate = move || if gone.load(SeqCst) { Fate::Unasked } else { Fate::Arrives(Duration::from_millis(10)) };
        let model = Model::new(Arc::new(move || juscache::ambient::Clock::now(&clock)), Arc::new(fate));
        for n in 0..processes {
            let now = model.now();
            let process = Process {
                valid_until: now - TimeDelta::hours(1),
                last_sync: now - TimeDelta::days(9),
                created_at: now,
                watched: n % 2 == 0,
                change_rate: None,
                total_movements: 3,
                reads: 0.0,
                reads_at: None,
                failures: 0,
                next_attempt_at: None,
                claim: None,
            };
            model.tables().processes.insert(number(n), process);
        }
        let fake = Fake {
            model,
            answer: Mutex::new(answer),
            begun: AtomicU32::new(0),
            panics: AtomicBool::new(false),
            reads: Mutex::default(),
        };
        let settings = SyncSettings { batch: 4, retention: None, ..SyncSettings::default() };
        Self { fake: Arc::new(fake), clock, settings, away }
    }

    fn node(&self) -> (Worker, Reins) {
        let reins = Reins::default();
        let around = Surroundings {
            book: Arc::new(self.fake.model.clone()),
            refresher: self.fake.clone(),
            reads: self.fake.clone(),
            wishes: Arc::default(),
            clock: Arc::new(self.clock),
            random: SystemRandom::shared(),
            metrics: Metrics::new(),
            reins: reins.clone(),
        };
        (Worker::new(self.settings, Rules::default(), around), reins)
    }

    fn begun(&self) -> u32 {
        self.fake.begun.load(SeqCst)
    }

    /// The first run, when it has ended.
    async fn ended(&self) -> Run {
        loop {
            let run = self.fake.model.tables().runs.first().filter(|run| run.ended.is_some()).cloned();
            if let Some(run) = run {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A node works until something has happened.
    async fn until<T>(&self, happens: impl Future<Output = T>) -> T {
        let (worker, _reins) = self.node();
        tokio::select! {
            () = worker.live() => panic!("nobody told it to stop"),
            it = tokio::time::timeout(Duration::from_secs(7200), happens) => it.unwrap(),
        }
    }

    /// Somebody asks, a node works, and the run ends so.
    async fn run(&self) -> Run {
        self.fake.model.request_run().await.unwrap();
        self.until(self.ended()).await
    }
}

#[tokio::test(start_paused = true)]
async fn batches_follow_each_other_until_nothing_is_due() {
    let stage = Stage::new(10, Ok(Refreshed::News { events: 1 }));
    let run = stage.run().await;
    let (at, ending) = run.ended.unwrap();
    assert_eq!(
        (ending, run.refreshed, run.calls, run.cost_centavos, stage.begun()),
        (Ending::Completed, 10, 10, 270, 10)
    );
    let took = (at - run.started_at).to_std().unwrap();
    assert!(took >= LATENCY * 3 && took < LATENCY * 4, "three batches of four at once: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_keeps_the_vendor_from_being_asked_ends_a_cycle_early() {
    for (answer, ending, begun) in [
        (failed(Failure::NoCredit), Ending::NoCredit, 4),
        (failed(Failure::BudgetExhausted), Ending::BudgetExhausted, 4),
        (failed(Failure::Unreachable), Ending::VendorDown, 4),
        (Err(RefreshFailure::Unknown), Ending::Completed, 10),
        (failed(Failure::Refused), Ending::Completed, 10),
    ] {
        let stage = Stage::new(10, answer);
        let run = stage.run().await;
        assert_eq!((run.ended.unwrap().1, run.failed, stage.begun()), (ending, u64::from(begun), begun), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_days_limit_ends_a_cycle_and_zero_leaves_only_the_clean_up() {
    let mut stage = Stage::new(10, Ok(Refreshed::Unchanged));
    stage.settings.daily_limit = 8;
    let run = stage.run().await;
    assert_eq!(run.ended.unwrap().1, Ending::DayLimit);
    assert!(run.calls <= 8 && run.unchanged > 0 && run.unchanged < 10, "{run:?}");

    let mut stage = Stage::new(10, Ok(Refreshed::Unchanged));
    stage.settings.daily_limit = 0;
    stage.settings.retention = Some(Duration::from_secs(7 * 24 * 3600));
    let run = stage.run().await;
    assert_eq!((run.ended.unwrap().1, run.cleaned, stage.begun()), (Ending::Off, 5, 0), "the watched ones stay");
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_is_under_way_and_the_next_leader_does_the_rest() {
    let stage = Stage::new(10, Ok(Refreshed::Unchanged));
    stage.fake.model.request_run().await.unwrap();
    let (worker, reins) = stage.node();
    let stopping = async {
        tokio::time::sleep(LATENCY / 2).await;
        reins.stop();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(stage.fake.model.tables().holder, None, "another may lead at once");
    };
    tokio::join!(worker.live(), stopping);
    let left = stage.fake.model.tables().runs[0].clone();
    assert_eq!((left.ended, left.unchanged, stage.begun()), (None, 4, 4), "paid, and written down");
    let run = stage.until(stage.ended()).await;
    assert_eq!((run.id, run.adopted, run.unchanged, stage.begun()), (left.id, 1, 10, 10));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_refresh_costs_no_cycle() {
    let stage = Stage::new(3, Ok(Refreshed::Unchanged));
    stage.fake.panics.store(true, SeqCst);
    let run = stage.run().await;
    // What it had claimed is free again after the claims' leases, for the next run.
    assert_eq!(run.ended.unwrap().1, Ending::Completed);
    let all_fresh = async {
        let is_fresh = |process: &Process| process.valid_until > stage.fake.model.now();
        while !stage.fake.model.tables().processes.values().all(is_fresh) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    stage.until(all_fresh).await;
}

#[tokio::test(start_paused = true)]
async fn reads_wait_for_a_database_that_is_away() {
    let stage = Stage::new(1, Ok(Refreshed::Unchanged));
    stage.fake.reads.lock().unwrap().push((number(0), 7));
    stage.away.store(true, SeqCst);
    let counted = async {
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(stage.fake.reads.lock().unwrap().is_empty(), "taken from the counter");
        stage.away.store(false, SeqCst);
        tokio::time::sleep(Duration::from_secs(40)).await;
        stage.fake.model.tables().processes[&number(0)].reads
    };
    let reads = stage.until(counted).await;
    assert!((reads - 7.0).abs() < 0.01, "{reads}");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_when_a_result_comes_gets_it_later() {
    let stage = Stage::new(1, Ok(Refreshed::Unchanged));
    stage.fake.model.request_run().await.unwrap();
    let outage = async {
        tokio::time::sleep(LATENCY / 2).await;
        stage.away.store(true, SeqCst);
        tokio::time::sleep(LATENCY).await;
        stage.away.store(false, SeqCst);
        stage.ended().await
    };
    let run = stage.until(outage).await;
    assert_eq!((run.unchanged, run.calls, stage.begun()), (1, 1, 1));
    let state = stage.fake.model.tables().processes[&number(0)].claim.clone().unwrap().state;
    assert_eq!(state, ClaimState::Unchanged);
}
