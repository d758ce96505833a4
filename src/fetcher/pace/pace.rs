//! The pace of one account on one node, and its conversation with Redis.

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::sleep;

use super::rate::{Rate, duration, micros};
use super::standing::{Asked, Mode, Next, Standing};
use crate::ambient::{SharedClock, SharedRandom};
use crate::domain::caller::Lane;
use crate::domain::snapshot::Provider;
use crate::ledger::call::Id;
use crate::redis_tier::actor::RedisTier;
use crate::redis_tier::messages::RedisError;
use crate::redis_tier::slots::{Slot, TakeSlot};
use crate::resilience::deadline::Deadline;
use crate::resilience::gcra::Micros;
use crate::supervision::ActorRef;

/// The tier answers within its own, shorter timeout, or at once that Redis is away; whoever waits for longer waits for a stuck actor.
const ASK_WITHIN: Duration = Duration::from_millis(500);

/// Where all nodes take their slots.
pub trait SharedSlots: Debug + Send + Sync {
    /// Asks for a slot, or to be counted.
    fn take(&self, ask: TakeSlot, deadline: Deadline) -> BoxFuture<'_, Result<Slot, RedisError>>;
}

impl SharedSlots for ActorRef<RedisTier> {
    fn take(&self, ask: TakeSlot, deadline: Deadline) -> BoxFuture<'_, Result<Slot, RedisError>> {
        async move { self.ask(ask, deadline).await.unwrap_or(Err(RedisError::Away)) }.boxed()
    }
}

/// How the pace is kept, for readiness and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceReport {
    /// By what.
    pub mode: Mode,
    /// Nodes known to share the limit, this one included; zero while Redis was never reached.
    pub nodes: u32,
    /// Requests on their way.
    pub in_flight: usize,
    /// How many may be.
    pub in_flight_limit: usize,
}

/// The pace of one account.
///
/// It outlives the actor that asks: held by the factory and not by the actor, it makes a fetcher that was replaced after a crash keep
/// within what its predecessor left of the minute.
#[derive(Debug)]
pub struct Pace {
    account: &'static str,
    node: Id,
    shared: Option<Shared>,
    standing: Mutex<Standing>,
    /// Wakes those who wait for a slot when another way of getting one begins.
    changed: Notify,
    clock: SharedClock,
    origin: Instant,
    pub(super) in_flight: AtomicUsize,
    pub(super) in_flight_limit: AtomicUsize,
}

/// A request for which Redis is being asked; dropped, it is asked for no more.
///
/// No lock is held meanwhile: a generation of the fetcher that is stuck is given up with all it holds, and the pace outlives it.
struct Asking<'a> {
    pace: &'a Pace,
    asked: Asked,
}

impl Asking<'_> {
    fn granted(&self) -> bool {
        self.pace.standing().granted(self.asked, self.pace.now())
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.pace.standing().not_granted(self.asked);
    }
}

#[derive(Debug)]
struct Shared {
    slots: Arc<dyn SharedSlots>,
    random: SharedRandom,
}

impl Pace {
    /// A pace of at most `per_minute` requests in **every** span of 60 s, kept by this node alone; zero counts as one.
    #[must_use]
    pub fn new(per_minute: u32, clock: SharedClock) -> Arc<Self> {
        // Never told to anybody.
        Self::build(Provider::Escavador, Rate::per_minute(per_minute), Id::new(0), None, clock)
    }

    /// A pace that all nodes keep together: those that take their slots in the same place.
    ///
    /// [`keep_counted`](Self::keep_counted) must run beside it, or a node is forgotten while it asks for nothing, and does not notice
    /// that Redis is back.
    #[must_use]
    pub fn shared(
        account: Provider,
        rate: Rate,
        slots: Arc<dyn SharedSlots>,
        clock: SharedClock,
        random: SharedRandom,
    ) -> Arc<Self> {
        let node = Id::new(random.bits());
        Self::build(account, rate, node, Some(Shared { slots, random }), clock)
    }

    /// Shared over Redis where there is one, alone otherwise.
    #[must_use]
    pub fn over(
        redis: Option<&ActorRef<RedisTier>>,
        account: Provider,
        rate: Rate,
        clock: SharedClock,
        random: SharedRandom,
    ) -> Arc<Self> {
        match redis {
            Some(redis) => Self::shared(account, rate, Arc::new(redis.clone()), clock, random),
            None => Self::build(account, rate, Id::new(0), None, clock),
        }
    }

    fn build(account: Provider, rate: Rate, node: Id, shared: Option<Shared>, clock: SharedClock) -> Arc<Self> {
        let origin = clock.monotonic();
        Arc::new(Self {
            account: account.as_str(),
            node,
            standing: Mutex::new(Standing::new(rate, shared.is_none())),
            shared,
            changed: Notify::new(),
            clock,
            origin,
            in_flight: AtomicUsize::new(0),
            in_flight_limit: AtomicUsize::new(0),
        })
    }

    /// How the pace is kept now.
    #[must_use]
    pub fn report(&self) -> PaceReport {
        let (in_flight, in_flight_limit) =
            (self.in_flight.load(Ordering::Relaxed), self.in_flight_limit.load(Ordering::Relaxed));
        let standing = self.standing();
        PaceReport { mode: standing.mode(), nodes: standing.nodes(), in_flight, in_flight_limit }
    }

    /// Takes a slot.
    ///
    /// Cancelled in the middle, it may have used up a slot of Redis, never more than one.
    ///
    /// # Errors
    /// How long until it makes sense to try again, or until [`changed`](Self::changed).
    pub(super) async fn take(&self, lane: Lane) -> Result<(), Duration> {
        // Twice: to learn that Redis is away changes what is needed.
        for _ in 0..2 {
            let Some((shared, asking)) = self.needs(lane)? else { return Ok(()) };
            match self.ask(shared, Some(lane)).await {
                Some(Slot { wait: None, .. }) if asking.granted() => return Ok(()),
                Some(Slot { wait, .. }) => {
                    return Err(wait.map_or(MOST_JITTER, |wait| wait + self.jitter(shared, wait)));
                }
                None => {}
            }
        }
        Err(self.standing().timing().beat)
    }

    /// Nothing if the request may go out now; otherwise Redis must be asked.
    fn needs(&self, lane: Lane) -> Result<Option<(&Shared, Asking<'_>)>, Duration> {
        let now = self.now();
        let mut standing = self.standing();
        let needs = standing.next(now, lane).map_err(duration)?;
        let Some(shared) = self.shared.as_ref().filter(|_| needs == Next::Ask) else {
            standing.sent(now);
            return Ok(None);
        };
        let asked = standing.asking(now);
        Ok(Some((shared, Asking { pace: self, asked })))
    }

    /// Two nodes that are told the same wait must not always come back in the same order. What is waited for too long is not lost:
    /// it comes back as burst.
    fn jitter(&self, shared: &Shared, wait: Duration) -> Duration {
        let alone = self.standing().nodes() <= 1;
        if alone { Duration::ZERO } else { wait.min(MOST_JITTER).mul_f64(shared.random.fraction() / 4.0) }
    }

    /// Resolves when another way of getting slots begins. Registered from the call on, not only from the first poll, once it is
    /// [enabled](Notified::enable).
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Shows Redis signs of life, for as long as it is polled; whoever owns the pace runs it. Without Redis it ends at once.
    pub async fn keep_counted(self: Arc<Self>) {
        let Some(shared) = &self.shared else { return };
        loop {
            let due = self.standing().until_beat(self.now());
            match due {
                Some(wait) => sleep(duration(wait)).await,
                None => {
                    let heard = self.ask(shared, None).await.is_some();
                    let timing = self.standing().timing();
                    sleep(if heard { timing.beat } else { timing.beat_away }).await;
                }
            }
            if self.standing().is_leaving() {
                return;
            }
        }
    }

    /// Tells Redis that this node ends, so that its part is the others' at once. What is under way may still take slots of Redis.
    pub async fn sign_off(&self) {
        if let Some(shared) = &self.shared {
            self.standing().leave();
            let _nobody_listens = self.ask(shared, None).await;
        }
    }

    /// One question to Redis. `None`: it is away.
    async fn ask(&self, shared: &Shared, lane: Option<Lane>) -> Option<Slot> {
        let asked = self.now();
        let question = self.standing().question(asked, self.account, self.node, lane);
        let deadline = Deadline::after(self.clock.monotonic(), ASK_WITHIN);
        let answer = shared.slots.take(question, deadline).await;
        let now = self.now();
        let changed = match &answer {
            Ok(slot) => self.standing().heard(asked, now, slot),
            Err(_) => self.standing().lost(asked, now),
        };
        if changed {
            let PaceReport { mode, nodes, .. } = self.report();
            tracing::info!(account = self.account, mode = mode.as_str(), nodes, "the pace is kept in another way");
            self.changed.notify_waiters();
        }
        answer.ok()
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        // Its methods leave nothing half done.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Micros {
        micros(self.clock.monotonic().saturating_duration_since(self.origin))
    }
}

/// A quarter of it at most is waited for beyond what was told.
const MOST_JITTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use futures_util::future::{pending, ready};

    use super::*;
    use crate::ambient::{SystemClock, SystemRandom};

    /// A Redis that always grants; silent when told so.
    #[derive(Debug, Default)]
    struct Fake {
        silent: std::sync::atomic::AtomicBool,
    }

    impl SharedSlots for Fake {
        fn take(&self, _: TakeSlot, _: Deadline) -> BoxFuture<'_, Result<Slot, RedisError>> {
            if self.silent.load(Ordering::SeqCst) {
                return pending().boxed();
            }
            ready(Ok(Slot { wait: None, nodes: 1, owed: -1 })).boxed()
        }
    }

    /// The thread that asks may be stuck, and never be heard of again: what it held must not keep its successor.
    #[actix_rt::test]
    async fn who_asks_and_is_never_heard_of_again_keeps_nobody_up() {
        let fake = Arc::new(Fake::default());
        let slots: Arc<dyn SharedSlots> = Arc::<Fake>::clone(&fake);
        let rate = Rate::per_minute(5);
        let pace = Pace::shared(Provider::Escavador, rate, slots, SystemClock::shared(), SystemRandom::shared());
        fake.silent.store(true, Ordering::SeqCst);
        let mut stuck = Box::pin(pace.take(Lane::Interactive));
        assert!(stuck.as_mut().now_or_never().is_none());
        std::mem::forget(stuck);
        fake.silent.store(false, Ordering::SeqCst);
        assert!(pace.take(Lane::Interactive).await.is_err(), "its request may be sent");
        sleep(Duration::from_millis(1_050)).await;
        assert_eq!(pace.take(Lane::Interactive).await, Ok(()), "it was not");
        pace.sign_off().await;
    }
}
