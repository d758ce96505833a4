//! A thousand cycles in virtual time: three nodes whose own clocks are hours apart, a network that loses answers, leaders killed and
//! frozen at random. `JUSCACHE_SEED` repeats a run.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use juscache::ambient::{Clock, Random};
use juscache::config::sync::SyncSettings;
use juscache::domain::cnj::Cnj;
use juscache::fetcher::messages::Failure;
use juscache::ledger::call::Id;
use juscache::postgres_tier::sync::words::{Ending, Trigger};
use juscache::resilience::{Allowance, Deadline};
use juscache::sandbox::demo_numbers;
use juscache::scheduler::choice::Rules;
use juscache::scheduler::reads::ReadCounts;
use juscache::scheduler::refresher::{Refresh, RefreshFailure, Refreshed, Refresher};
use juscache::scheduler::{Reins, Surroundings, Worker};
use juscache::telemetry::Metrics;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::model::{Fate, Model, Process, day_of};

const CYCLES: u64 = 1_000;
const NODES: usize = 3;
const PROCESSES: usize = 60;
const INTERVAL: Duration = Duration::from_secs(600);
/// With the window it keeps every cycle busy, until the day's limit is reached in its last hours.
const TTL: Duration = Duration::from_secs(6 * 3600);
const LIMIT: u32 = 400;

/// xorshift64*: the same numbers for the same seed, on every machine.
/// Nothing is read.
struct NoReads;

impl ReadCounts for NoReads {
    fn drain(&self) -> Vec<(Cnj, u32)> {
        Vec::new()
    }
}

#[derive(Debug, Clone)]
struct Dice(Arc<Mutex<u64>>);

impl Dice {
    fn bits(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&self, end: u64) -> u64 {
        (self.bits() >> 11) % end
    }

    fn between(&self, least: u64, end: u64) -> Duration {
        Duration::from_millis(least + self.below(end - least))
    }
}

impl Random for Dice {
    fn fraction(&self) -> f64 {
        f64::from(u32::try_from(self.below(1 << 32)).unwrap()) / f64::from(u32::MAX)
    }

    fn bits(&self) -> u128 {
        u128::from(Self::bits(self)) << 64 | u128::from(Self::bits(self))
    }
}

/// What the virtual time shows from here; a node's own wall clock is off by hours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VirtualClock {
    began: tokio::time::Instant,
    off: i64,
}

impl VirtualClock {
    /// That begins now.
    pub(crate) fn new() -> Self {
        Self { began: tokio::time::Instant::now(), off: 0 }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        let noon = DateTime::from_timestamp(1_795_359_600, 0).unwrap();
        noon + TimeDelta::from_std(self.began.elapsed()).unwrap() + TimeDelta::hours(self.off)
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// A vendor that keeps its own count, and whatever must never happen.
struct World {
    model: Model,
    dice: Dice,
    vendor: Mutex<Vendor>,
}

#[derive(Default)]
struct Vendor {
    requests: BTreeMap<NaiveDate, u64>,
    /// Refreshes that ended well, for each expiry.
    renewed: BTreeMap<(Cnj, DateTime<Utc>), u32>,
    begun: u64,
    /// Answers that a node had asked for before it was frozen, and stored when it woke up, its claim long over: what is paid is kept.
    late: BTreeSet<(Cnj, DateTime<Utc>)>,
    /// Refreshes that such an answer made needless while they were under way. Only never taking a process back from a silent node would
    /// prevent them.
    needless: u64,
    violations: Vec<String>,
}

impl World {
    fn violation(&self, what: String) {
        self.vendor.lock().unwrap().violations.push(what);
    }
}

struct Desk {
    world: Arc<World>,
    clock: VirtualClock,
    reins: Reins,
}

impl Refresher for Desk {
    fn refresh(&self, cnj: Cnj, allowance: Allowance, deadline: Deadline) -> BoxFuture<'_, Refresh> {
        async move {
            let (expiry, node) = self.may_begin(cnj);
            let failed = |failure| Err(RefreshFailure::Failed { failure, retry_after: None });
            let fate = self.world.dice.below(100);
            let mut sent = 0;
            let outcome = loop {
                // Whoever keeps a deadline begins nothing after it.
                if deadline.is_over(self.clock.monotonic()) {
                    break Err(RefreshFailure::NotYet);
                }
                if !allowance.draw() {
                    break failed(Failure::EndlessPages);
                }
                sent += 1;
                let day = day_of(self.world.model.now());
                *self.world.vendor.lock().unwrap().requests.entry(day).or_default() += 1;
                // Now and then it hangs for longer than anybody waits.
                let hangs = if fate >= 98 { 200_000 } else { 0 };
                tokio::time::sleep(self.world.dice.between(50 + hangs, 4_000 + hangs)).await;
                match fate {
                    0..5 => break failed(Failure::ServerError),
                    5 => break failed(Failure::NoCredit),
                    _ if sent >= 3 => break self.renew(cnj, expiry, node, deadline),
                    _ => {}
                }
            };
            Refresh { outcome, cost_centavos: 3 * sent }
        }
        .boxed()
    }
}

impl Desk {
    /// At this moment the process is claimed by this node alone, and has not been refreshed since it was chosen.
    fn may_begin(&self, cnj: Cnj) -> (DateTime<Utc>, Option<Id>) {
        let now = self.world.model.now();
        self.world.vendor.lock().unwrap().begun += 1;
        let node = self.reins.node();
        let (process, held) = {
            let tables = self.world.model.tables();
            let process = tables.processes.get(&cnj).unwrap().clone();
            let held = process.claim.clone();
            (process, held)
        };
        let Some(held) = held.filter(|held| held.is_live(now) && Some(held.by.node()) == node) else {
            self.world.violation(format!("{now} {cnj}: refreshed without a claim"));
            return (process.valid_until, node);
        };
        if held.expiry != process.valid_until {
            self.world.violation(format!("{now} {cnj}: refreshed for an expiry that is over"));
        }
        (held.expiry, node)
    }

    fn renew(
        &self,
        cnj: Cnj,
        expiry: DateTime<Utc>,
        node: Option<Id>,
        deadline: Deadline,
    ) -> Result<Refreshed, RefreshFailure> {
        let late = deadline.is_over(self.clock.monotonic());
        let now = self.world.model.now();
        let mut tables = self.world.model.tables();
        let process = tables.processes.get_mut(&cnj).unwrap();
        if process.valid_until != expiry {
            // It slept through its own time, or somebody did before it: the newer copy stays.
            drop(tables);
            let is_late_ones = self.world.vendor.lock().unwrap().late.contains(&(cnj, expiry));
            if !late && is_late_ones {
                self.world.vendor.lock().unwrap().needless += 1;
            } else if !late {
                self.world.violation(format!("{now} {cnj}: {node:?} was overtaken within its own time"));
            }
            return Err(RefreshFailure::NotYet);
        }
        let ttl = TTL.mul_f64(0.9 + 0.2 * self.world.dice.fraction());
        (process.valid_until, process.last_sync) = (now + TimeDelta::from_std(ttl).unwrap(), now);
        drop(tables);
        let mut vendor = self.world.vendor.lock().unwrap();
        *vendor.renewed.entry((cnj, expiry)).or_default() += 1;
        if late {
            vendor.late.insert((cnj, expiry));
        }
        if late { Err(RefreshFailure::NotYet) } else { Ok(Refreshed::Unchanged) }
    }
}

/// A process that can be frozen: nothing of it runs until it is woken.
struct Frozen {
    inner: Pin<Box<dyn Future<Output = ()>>>,
    ice: Rc<Ice>,
}

#[derive(Default)]
struct Ice {
    is_frozen: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Ice {
    fn thaw(&self) {
        self.is_frozen.set(false);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Future for Frozen {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.ice.is_frozen.get() {
            self.ice.waker.replace(Some(context.waker().clone()));
            return Poll::Pending;
        }
        self.inner.as_mut().poll(context)
    }
}

/// One node: a life of the scheduler, and the means to end or freeze it.
struct Node {
    off: i64,
    reins: Reins,
    ice: Rc<Ice>,
    life: JoinHandle<()>,
}

fn settings() -> SyncSettings {
    SyncSettings { interval: INTERVAL, daily_limit: LIMIT, retention: None, ..SyncSettings::default() }
}

impl Node {
    fn start(world: &Arc<World>, began: tokio::time::Instant, off: i64) -> Self {
        let (clock, reins, ice) = (VirtualClock { began, off }, Reins::default(), Rc::new(Ice::default()));
        let desk = Desk { world: Arc::clone(world), clock, reins: reins.clone() };
        let around = Surroundings {
            book: Arc::new(world.model.clone()),
            refresher: Arc::new(desk),
            reads: Arc::new(NoReads),
            wishes: Arc::default(),
            clock: Arc::new(clock),
            random: Arc::new(world.dice.clone()),
            metrics: Metrics::new(),
            reins: reins.clone(),
        };
        let worker = Worker::new(settings(), Rules::default(), around);
        let inner = Box::pin(async move { worker.work().await });
        let life = spawn_local(Frozen { inner, ice: Rc::clone(&ice) });
        Self { off, reins, ice, life }
    }
}

fn seed() -> u64 {
    let given = std::env::var("JUSCACHE_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()) * 7_919 + 1)
}

fn world(seed: u64, began: tokio::time::Instant) -> Arc<World> {
    let dice = Dice(Arc::new(Mutex::new(seed)));
    let clock = VirtualClock { began, off: 0 };
    let network = dice.clone();
    let model = Model::new(
        Arc::new(move || clock.now()),
        Arc::new(move || match network.below(200) {
            0 => Fate::Unasked,
            1 => Fate::Lost,
            _ => Fate::Arrives(network.between(1, 40)),
        }),
    );
    for number in demo_numbers(PROCESSES, 7) {
        let now = model.now();
        let process = Process {
            valid_until: now + TimeDelta::from_std(dice.between(0, 6 * 3_600_000)).unwrap(),
            last_sync: now,
            created_at: now,
            watched: true,
            change_rate: None,
            total_movements: 40,
            reads: 0.0,
            reads_at: None,
            failures: 0,
            next_attempt_at: None,
            claim: None,
        };
        model.tables().processes.insert(Cnj::parse(&number).unwrap(), process);
    }
    Arc::new(World { model, dice, vendor: Mutex::default() })
}

/// Kills or freezes a node at a random moment of every other cycle, most often the leader. One that was frozen is thawed later, one that
/// was killed starts again with a new identity.
async fn accidents(world: &Arc<World>, nodes: &mut [Node], began: tokio::time::Instant) -> (u32, u32) {
    let dice = world.dice.clone();
    let (mut killed, mut frozen) = (0, 0);
    loop {
        let ended = world.model.tables().runs.iter().filter(|run| run.ended.is_some()).count();
        if u64::try_from(ended).unwrap() >= CYCLES {
            return (killed, frozen);
        }
        // Mostly in the middle of a cycle: they are short, so some are waited for.
        tokio::time::sleep(dice.between(1, 600_000)).await;
        if dice.below(4) > 0 {
            for _ in 0..15_000 {
                if world.model.tables().runs.last().is_some_and(|run| run.ended.is_none()) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(dice.between(1, 12_000)).await;
        }
        let leader = world.model.tables().holder.map(|(holder, _)| holder);
        let leads = nodes.iter().position(|node| node.reins.node() == leader).filter(|_| dice.below(5) > 0);
        let victim = leads.unwrap_or(usize::try_from(dice.below(3)).unwrap());
        let node = nodes.get_mut(victim).unwrap();
        if dice.below(2) == 0 {
            killed += 1;
            node.life.abort();
            tokio::time::sleep(dice.between(1, 60_000)).await;
            *node = Node::start(world, began, node.off);
        } else {
            frozen += 1;
            node.ice.is_frozen.set(true);
            tokio::time::sleep(dice.between(100, 400_000)).await;
            node.ice.thaw();
        }
    }
}

#[test]
fn a_thousand_cycles_of_three_nodes_under_accidents() {
    let seed = seed();
    println!("JUSCACHE_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let began = tokio::time::Instant::now();
        let world = world(seed, began);
        let mut nodes: Vec<Node> = [0, -5, 11].map(|off| Node::start(&world, began, off)).into();
        assert_eq!(nodes.len(), NODES);
        let (killed, frozen) = accidents(&world, &mut nodes, began).await;
        nodes.iter().for_each(|node| node.life.abort());
        check(&world, killed, frozen);
    });
}

fn check(world: &World, killed: u32, frozen: u32) {
    let tables = world.model.tables();
    let vendor = world.vendor.lock().unwrap();
    let adopted: u32 = tables.runs.iter().map(|run| run.adopted).sum();
    let most = vendor.requests.values().max().copied().unwrap_or(0);
    let twice: Vec<_> = vendor.renewed.iter().filter(|(_, times)| **times > 1).collect();
    println!(
        "{} cycles, {killed} killed, {frozen} frozen, {} epochs, {adopted} adoptions, {} refreshes begun, {} renewed, {} \
         needless after a late answer, at most {most} requests a day of {LIMIT}",
        tables.runs.len(),
        tables.epoch,
        vendor.begun,
        vendor.renewed.len(),
        vendor.needless,
    );
    assert!(vendor.violations.is_empty(), "{:#?}", vendor.violations);
    assert!(twice.is_empty(), "refreshed twice for one expiry: {twice:?}");
    assert!(most <= u64::from(LIMIT), "{:?}", vendor.requests);
    for (day, requests) in &vendor.requests {
        let counted = tables.days.get(day).unwrap().calls;
        assert!(*requests <= counted && counted <= u64::from(LIMIT), "{day}: {requests} sent, {counted} counted");
    }
    let full = tables.runs.iter().filter(|run| run.ended.is_some_and(|(_, ending)| ending == Ending::DayLimit)).count();
    assert!(full > 50, "the limit was felt: {full}");
    // Each tick has its run: the next one is due at the first tick after the one before it was begun.
    let due: Vec<_> = tables.runs.iter().filter(|run| run.trigger == Trigger::Schedule).collect();
    let interval = TimeDelta::from_std(INTERVAL).unwrap();
    let mut latest = TimeDelta::zero();
    for pair in due.windows(2) {
        let [before, after] = pair else { continue };
        assert!(before.ended.is_some(), "run {} was left behind", before.id);
        let mut next = before.due_at;
        while next <= before.started_at {
            next += interval;
        }
        assert_eq!(after.due_at, next, "a tick was missed before run {}", after.id);
        latest = latest.max(after.started_at - after.due_at);
    }
    println!("the latest run began {} s after it was due", latest.num_seconds());
    assert!(latest < interval, "no tick was swallowed by a takeover");
    // It was worth something: the accidents hit, and the work was done.
    assert!(killed > 50 && frozen > 50 && adopted > 20, "{killed} {frozen} {adopted}");
    assert!(vendor.renewed.len() > 200, "{}", vendor.renewed.len());
}
