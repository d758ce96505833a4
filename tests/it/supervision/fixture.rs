//! A child to break, and a supervisor with small intervals to break it under.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use juscache::ambient::{Clock, SystemClock, SystemRandom};
use juscache::resilience::{Backoff, Deadline};
use juscache::supervised;
use juscache::supervision::{
    ActorRef, AskError, ChildReport, ChildSpec, ChildState, Heartbeat, Progress, RestartIntensity, Supervisor,
};
use tokio::time::sleep;

/// Counts what it was told; each generation begins at zero.
#[derive(Default)]
pub(super) struct Counter {
    count: u32,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

supervised!(Counter);

/// Answers how often this generation was told so.
#[derive(Debug, Clone)]
pub(super) struct Increment;

impl Message for Increment {
    type Result = u32;
}

impl Handler<Increment> for Counter {
    type Result = u32;

    fn handle(&mut self, _: Increment, _: &mut Self::Context) -> u32 {
        self.count += 1;
        self.count
    }
}

/// Is answered after this long, without keeping the actor from anything.
#[derive(Debug, Clone)]
pub(super) struct AnswerAfter(pub(super) Duration);

impl Message for AnswerAfter {
    type Result = ();
}

impl Handler<AnswerAfter> for Counter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: AnswerAfter, _: &mut Self::Context) -> Self::Result {
        Box::pin(sleep(message.0))
    }
}

/// Panics in the handler as long as there are panics left, then is answered.
#[derive(Debug, Clone)]
pub(super) struct PanicWhileLeft(pub(super) Arc<AtomicUsize>);

impl Message for PanicWhileLeft {
    type Result = ();
}

impl Handler<PanicWhileLeft> for Counter {
    type Result = ();

    fn handle(&mut self, message: PanicWhileLeft, _: &mut Self::Context) {
        message.carry_out();
    }
}

impl PanicWhileLeft {
    pub(super) fn times(panics: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(panics)))
    }

    fn carry_out(&self) {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(left.is_err(), "one of the panics that the test ordered");
    }
}

/// As [`PanicWhileLeft`], but in the task that prepares the answer.
#[derive(Debug, Clone)]
pub(super) struct PanicInTask(pub(super) PanicWhileLeft);

impl Message for PanicInTask {
    type Result = ();
}

impl Handler<PanicInTask> for Counter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: PanicInTask, _: &mut Self::Context) -> Self::Result {
        Box::pin(async move { message.0.carry_out() })
    }
}

/// Blocks the thread this long, in a protected zone.
#[derive(Debug, Clone)]
pub(super) struct BlockProtected(pub(super) Duration);

impl Message for BlockProtected {
    type Result = ();
}

impl Handler<BlockProtected> for Counter {
    type Result = ();

    fn handle(&mut self, message: BlockProtected, _: &mut Self::Context) {
        let _zone = Progress::current().protect();
        block(message.0);
    }
}

#[expect(clippy::disallowed_methods, reason = "a stuck thread is what is being tested")]
pub(super) fn block(duration: Duration) {
    std::thread::sleep(duration);
}

pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn now() -> Instant {
    SystemClock.monotonic()
}

pub(super) fn within(wait: Duration) -> Deadline {
    Deadline::after(now(), wait)
}

/// Time enough for anything that works, on a busy machine.
pub(super) fn soon() -> Deadline {
    within(Duration::from_secs(10))
}

pub(super) fn supervisor() -> Supervisor {
    Supervisor::start(SystemClock::shared(), SystemRandom::shared(), Box::new(|_| {})).expect("a system is running")
}

/// A counter that is restarted quickly and without limit, and not taken for stuck on a busy machine.
pub(super) fn spec(name: &str) -> ChildSpec<Counter> {
    ChildSpec {
        backoff: Backoff { base: ms(1), cap: ms(5), stable_for: ms(60_000) },
        intensity: RestartIntensity { max_restarts: 1_000, within: ms(10_000) },
        heartbeat: Heartbeat { every: ms(20), patience: ms(10_000), longest_zone: ms(60_000) },
        ..ChildSpec::new(name, Counter::default)
    }
}

/// As [`spec`], but soon taken for stuck.
pub(super) fn impatient(name: &str) -> ChildSpec<Counter> {
    let mut spec = spec(name);
    spec.heartbeat.patience = ms(200);
    spec
}

/// A supervisor with one counter that is up.
pub(super) async fn with_child(spec: ChildSpec<Counter>) -> (Supervisor, ActorRef<Counter>) {
    let supervisor = supervisor();
    let actor = supervisor.child(spec);
    actor.ready(soon()).await.expect("the child comes up");
    (supervisor, actor)
}

pub(super) async fn increment(actor: &ActorRef<Counter>) -> Result<u32, AskError> {
    actor.ask(Increment, soon()).await
}

pub(super) fn report_of(supervisor: &Supervisor, name: &str) -> ChildReport {
    supervisor.report().into_iter().find(|report| *report.name == *name).expect("the child is known")
}

/// Waits until the child's report says what is hoped for.
pub(super) async fn report_when(
    supervisor: &Supervisor,
    name: &str,
    hoped_for: impl Fn(&ChildReport) -> bool,
) -> ChildReport {
    let deadline = soon();
    loop {
        let report = report_of(supervisor, name);
        if hoped_for(&report) {
            return report;
        }
        assert!(!deadline.is_over(now()), "it did not come to that: {report:?}");
        sleep(ms(2)).await;
    }
}

pub(super) fn is_up_again(report: &ChildReport) -> bool {
    report.state == ChildState::Up && report.restarts > 0
}
