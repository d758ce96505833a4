//! What actix really does. The supervision is built on these facts: an upgrade of actix that changes one fails here first.
#![expect(clippy::disallowed_methods, clippy::panic, reason = "the probes break actix without the supervision")]

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, MailboxError, Message, ResponseFuture};
use futures_util::future::join_all;

use super::fixture::{block, ms, now};

/// What the subject of a probe leaves behind to be looked at.
#[derive(Default)]
struct Seen {
    started: AtomicUsize,
    stopped_while_panicking: AtomicBool,
    timer_at: Mutex<Option<Instant>>,
    ticks: Mutex<Vec<Instant>>,
}

#[derive(Default)]
struct Subject {
    seen: Arc<Seen>,
    field: u32,
}

impl Actor for Subject {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.seen.started.fetch_add(1, Ordering::SeqCst);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.seen.stopped_while_panicking.store(std::thread::panicking(), Ordering::SeqCst);
    }
}

impl actix::Supervised for Subject {}

/// What a probe has its subject do.
enum Do {
    Nothing,
    Panic,
    PanicInTask,
    Stop,
    SetField(u32),
    ReadField,
    FloodUntil(Instant),
    Tick(Duration),
    Block(Duration),
}

impl Message for Do {
    type Result = u32;
}

impl Handler<Do> for Subject {
    type Result = ResponseFuture<u32>;

    fn handle(&mut self, message: Do, ctx: &mut Self::Context) -> Self::Result {
        match message {
            Do::Nothing | Do::ReadField => {}
            Do::Panic => panic!("a probe's panic"),
            Do::PanicInTask => return Box::pin(async { panic!("a probe's panic in a task") }),
            Do::Stop => ctx.stop(),
            Do::SetField(value) => self.field = value,
            Do::FloodUntil(end) if now() < end => ctx.address().do_send(Do::FloodUntil(end)),
            Do::FloodUntil(_) => {}
            Do::Tick(every) => {
                ctx.run_interval(every, |subject, _| subject.seen.ticks.lock().expect("one thread").push(now()));
            }
            Do::Block(duration) => block(duration),
        }
        Box::pin(std::future::ready(self.field))
    }
}

fn subject() -> (Addr<Subject>, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    (Subject { seen: Arc::clone(&seen), field: 0 }.start(), seen)
}

#[actix_rt::test]
async fn p1_a_panic_in_a_handler_ends_the_actor_and_only_the_join_handle_tells() {
    let (bystander, _) = subject();
    let life = Context::new().into_future(Subject::default());
    let addr = life.address();
    let life = actix_rt::spawn(life);

    assert_eq!(addr.send(Do::Panic).await, Err(MailboxError::Closed));
    assert!(life.await.is_err_and(|error| error.is_panic()));
    assert!(!addr.connected());
    assert_eq!(bystander.send(Do::Nothing).await, Ok(0), "the arbiter goes on");
}

#[actix_rt::test]
async fn p2_stopped_runs_while_unwinding() {
    let seen = Arc::new(Seen::default());
    let life = Context::new().into_future(Subject { seen: Arc::clone(&seen), field: 0 });
    let addr = life.address();
    let life = actix_rt::spawn(life);
    assert!(addr.send(Do::Panic).await.is_err());
    assert!(life.await.is_err());
    assert!(seen.stopped_while_panicking.load(Ordering::SeqCst));
}

#[actix_rt::test]
async fn p3_a_mailbox_of_one_takes_a_thousand_messages() {
    struct Narrow;
    impl Actor for Narrow {
        type Context = Context<Self>;
        fn started(&mut self, ctx: &mut Self::Context) {
            ctx.set_mailbox_capacity(1);
        }
    }
    impl Handler<Gate> for Narrow {
        type Result = ();
        fn handle(&mut self, gate: Gate, _: &mut Self::Context) {
            gate.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    struct Gate(Arc<AtomicUsize>);
    impl Message for Gate {
        type Result = ();
    }

    let handled = Arc::new(AtomicUsize::new(0));
    let addr = Narrow.start();
    // Polled all together before the actor, which shares this thread, can run: all of them are enqueued at once.
    let sends = (0..1_000).map(|_| addr.send(Gate(Arc::clone(&handled))));
    assert!(join_all(sends).await.iter().all(Result::is_ok));
    assert_eq!(handled.load(Ordering::SeqCst), 1_000);
}

#[actix_rt::test]
async fn p4_a_panic_in_a_response_future_leaves_the_actor_alive() {
    let (addr, seen) = subject();
    assert_eq!(addr.send(Do::PanicInTask).await, Err(MailboxError::Closed));
    assert!(addr.connected());
    assert_eq!(addr.send(Do::Nothing).await, Ok(0));
    assert_eq!(seen.started.load(Ordering::SeqCst), 1);
}

#[actix_rt::test]
async fn p5_a_flood_of_messages_starves_timers() {
    let (addr, seen) = subject();
    let begin = now();
    let flood = ms(150);
    struct Arm;
    impl Message for Arm {
        type Result = ();
    }
    impl Handler<Arm> for Subject {
        type Result = ();
        fn handle(&mut self, _: Arm, ctx: &mut Self::Context) {
            ctx.run_later(ms(5), |subject, _| {
                *subject.seen.timer_at.lock().expect("one thread") = Some(now());
            });
        }
    }
    addr.send(Arm).await.expect("it is alive");
    addr.send(Do::FloodUntil(begin + flood)).await.expect("it is alive");
    while seen.timer_at.lock().expect("one thread").is_none() {
        assert!((now() - begin) < Duration::from_secs(10));
        actix_rt::time::sleep(ms(1)).await;
    }
    let fired = seen.timer_at.lock().expect("one thread").expect("just seen");
    assert!(fired - begin >= flood, "due after 5 ms, fired after {:?}", fired - begin);
}

#[actix_rt::test]
async fn p6_actix_own_supervisor_keeps_the_fields_and_starts_twice() {
    let seen = Arc::new(Seen::default());
    let theirs = Arc::clone(&seen);
    let addr = actix::Supervisor::start(move |_| Subject { seen: theirs, field: 0 });
    addr.send(Do::SetField(7)).await.expect("it is alive");
    let _ = addr.send(Do::Stop).await;
    assert_eq!(addr.send(Do::ReadField).await, Ok(7));
    assert_eq!(seen.started.load(Ordering::SeqCst), 2);

    assert!(addr.send(Do::Panic).await.is_err());
    actix_rt::task::yield_now().await;
    assert!(!addr.connected(), "it does not restart after a panic");
}

#[actix_rt::test]
async fn p7_run_interval_makes_up_for_a_stall_in_a_burst() {
    let (addr, seen) = subject();
    addr.send(Do::Tick(ms(10))).await.expect("it is alive");
    addr.send(Do::Block(ms(200))).await.expect("it is alive");
    let after_stall = now();
    let ticks = |seen: &Seen| seen.ticks.lock().expect("one thread").len();
    while ticks(&seen) < 10 {
        assert!((now() - after_stall) < Duration::from_secs(10));
        actix_rt::time::sleep(ms(1)).await;
    }
    let ticks = seen.ticks.lock().expect("one thread").clone();
    assert!(ticks[9] - ticks[0] < ms(50), "ten ticks of 10 ms took {:?}", ticks[9] - ticks[0]);
}

/// Cargo ignores a profile's `panic` for tests, so the profiles are read; that a library built with anything else does not
/// compile at all is seen to in `src/supervision/mod.rs`.
#[test]
fn p8_every_profile_unwinds() {
    let manifest = include_str!("../../../Cargo.toml");
    for profile in ["dev", "release"] {
        let after = manifest.split(&format!("[profile.{profile}]")).nth(1).expect("the profile is written down");
        let section = after.split("\n[").next().expect("a split has a first part");
        assert!(section.contains("panic = \"unwind\""), "profile {profile}");
    }
    assert!(std::panic::catch_unwind(|| panic!("a probe's panic")).is_err());
}

#[actix_rt::test]
async fn p9_a_message_that_nobody_waits_for_any_more_is_skipped() {
    let (addr, _) = subject();
    drop(addr.send(Do::SetField(9)));
    assert_eq!(addr.send(Do::ReadField).await, Ok(0));
}
