//! The reference to a supervised actor: what everyone who is not the supervisor holds.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix::{Addr, Handler, MailboxError, Message};
use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::time::timeout_at;

use super::probe::{Child, Probe};
use crate::resilience::Deadline;

/// Why there is no answer. None of them says anything about the question: a lookup that found nothing is an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The actor is not there at the moment; the message was not delivered.
    #[error("the actor is being restarted")]
    Unavailable,
    /// The deadline passed first. The message may have been, or still be, carried out.
    #[error("the actor did not answer in time")]
    TimedOut,
    /// As many asks as the actor's permits are in flight; the message was not delivered.
    #[error("the actor has too much to do")]
    Overloaded,
    /// The actor, or the task that prepared the answer, died with the message in hand. It may have been carried out in part.
    #[error("the actor crashed while it had the message")]
    Crashed,
}

impl AskError {
    /// `unavailable`, `timed-out`, `overloaded` or `crashed`, for log lines and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed-out",
            Self::Overloaded => "overloaded",
            Self::Crashed => "crashed",
        }
    }
}

/// How many asks ended without an answer since the process began, by [`AskError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failures {
    /// Asks that found no actor.
    pub unavailable: u64,
    /// Asks that ran into their deadline.
    pub timed_out: u64,
    /// Asks that were shed.
    pub overloaded: u64,
    /// Asks whose actor crashed.
    pub crashed: u64,
}

/// A reference that survives the actor's restarts, bounds what is in flight, and sends nothing without a deadline.
///
/// Cloning is cheap; all clones share the permits. References are made before the first generation is up and stay valid after
/// the last one is gone.
pub struct ActorRef<A: Child> {
    shared: Arc<Shared<A>>,
}

/// What all clones of a reference share.
struct Shared<A: Child> {
    name: Arc<str>,
    /// Swapped by the keeper only. `None`: nobody to ask.
    published: ArcSwapOption<Published<A>>,
    /// Wakes those who wait for `published` or `retired` to change.
    changed: Notify,
    retired: AtomicBool,
    permits: Semaphore,
    capacity: usize,
    unavailable: AtomicU64,
    timed_out: AtomicU64,
    overloaded: AtomicU64,
    crashed: AtomicU64,
}

/// One generation, as those who ask see it.
struct Published<A: Child> {
    addr: Addr<A>,
    /// Becomes true when the generation is given up: an answer from a stuck thread is not worth waiting for.
    given_up: watch::Sender<bool>,
}

impl<A: Child> ActorRef<A> {
    /// A reference without an actor, yet.
    pub(super) fn new(name: Arc<str>, permits: usize) -> Self {
        let capacity = permits.min(Semaphore::MAX_PERMITS);
        let shared = Shared {
            name,
            published: ArcSwapOption::empty(),
            changed: Notify::new(),
            retired: AtomicBool::new(false),
            permits: Semaphore::new(capacity),
            capacity,
            unavailable: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            overloaded: AtomicU64::new(0),
            crashed: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A reference to an actor that runs without a supervisor: for a test, or to stand in for a child.
    #[must_use]
    pub fn unsupervised(name: impl Into<Arc<str>>, permits: usize, addr: Addr<A>) -> Self {
        let reference = Self::new(name.into(), permits);
        reference.publish(addr);
        reference
    }

    /// Sends a message and waits for the answer, until the deadline.
    ///
    /// It never queues for a permit: with all of them taken the message is shed at once, because a queue in front of a full
    /// queue only makes everyone late. A message whose caller has given up is skipped by actix before its handler runs, but
    /// once begun it is carried out: let the message carry the deadline as well.
    ///
    /// # Errors
    /// Any [`AskError`]; only after `Unavailable` and `Overloaded` is it certain that nothing was done.
    pub async fn ask<M>(&self, message: M, deadline: Deadline) -> Result<M::Result, AskError>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let answer = match self.admit() {
            Ok(_permit) => self.deliver(message, deadline).await,
            Err(shed) => Err(shed),
        };
        answer.inspect_err(|error| self.count(*error))
    }

    /// As [`ask`](Self::ask), for messages that may be carried out twice: waits for an actor that is not there, and asks once
    /// more after a crash.
    ///
    /// It waits for the notice that a new generation is up, and never longer than the deadline. Whoever waits holds a permit,
    /// so that the number of those who wait is bounded as well.
    ///
    /// # Errors
    /// Any [`AskError`]: `Unavailable` when no generation was up by the deadline, `Crashed` after the second crash.
    pub async fn ask_again<M>(&self, message: M, deadline: Deadline) -> Result<M::Result, AskError>
    where
        A: Handler<M>,
        M: Message + Send + Clone + 'static,
        M::Result: Send,
    {
        let answer = match self.admit() {
            Ok(_permit) => self.deliver_again(message, deadline).await,
            Err(shed) => Err(shed),
        };
        answer.inspect_err(|error| self.count(*error))
    }

    /// Waits until the actor is up.
    ///
    /// # Errors
    /// `Unavailable` at the deadline, and at once when the actor was shut down.
    pub async fn ready(&self, deadline: Deadline) -> Result<(), AskError> {
        let up = async {
            loop {
                // Registered before looking, so that a change in between is not missed.
                let changed = self.shared.changed.notified();
                if self.shared.retired.load(Ordering::SeqCst) {
                    return Err(AskError::Unavailable);
                }
                if self.is_up() {
                    return Ok(());
                }
                changed.await;
            }
        };
        timeout_at(deadline.instant().into(), up).await.unwrap_or(Err(AskError::Unavailable))
    }

    /// The child's name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.shared.name
    }

    /// How many asks are in flight, those who wait for a restart included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.capacity.saturating_sub(self.shared.permits.available_permits())
    }

    /// Whether there is somebody to ask.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.shared.published.load().as_ref().is_some_and(|published| published.addr.connected())
    }

    /// How many asks failed, and how.
    #[must_use]
    pub fn failures(&self) -> Failures {
        Failures {
            unavailable: self.shared.unavailable.load(Ordering::Relaxed),
            timed_out: self.shared.timed_out.load(Ordering::Relaxed),
            overloaded: self.shared.overloaded.load(Ordering::Relaxed),
            crashed: self.shared.crashed.load(Ordering::Relaxed),
        }
    }

    /// Lets everyone who asks reach this generation.
    pub(super) fn publish(&self, addr: Addr<A>) {
        self.shared.published.store(Some(Arc::new(Published { addr, given_up: watch::Sender::new(false) })));
        self.shared.changed.notify_waiters();
    }

    /// Gives the published generation up: nobody is asked until the next [`publish`](Self::publish), and whoever still waits
    /// for this generation's answer is told that it crashed.
    pub(super) fn give_up(&self) {
        if let Some(published) = self.shared.published.swap(None) {
            published.given_up.send_replace(true);
        }
    }

    /// Unpublishes for good: those who wait for the actor learn that it will not come back. What is in flight is answered.
    pub(super) fn retire(&self) {
        self.shared.published.store(None);
        self.shared.retired.store(true, Ordering::SeqCst);
        self.shared.changed.notify_waiters();
    }

    /// Waits until nothing is in flight.
    pub(super) async fn idle(&self) {
        // A capacity beyond u32 cannot be taken in one go; such an actor is not waited for.
        if let Ok(all) = u32::try_from(self.shared.capacity) {
            let _ = self.shared.permits.acquire_many(all).await;
        }
    }

    /// Sends a probe without waiting for what comes of it. False if there is nobody.
    pub(super) fn sabotage(&self, probe: Probe) -> bool {
        self.shared.published.load().as_ref().is_some_and(|published| published.addr.try_send(probe).is_ok())
    }

    /// Takes a permit, now or never. It is given back by being dropped.
    fn admit(&self) -> Result<SemaphorePermit<'_>, AskError> {
        self.shared.permits.try_acquire().map_err(|_full| AskError::Overloaded)
    }

    /// Asks whoever is published now.
    async fn deliver<M>(&self, message: M, deadline: Deadline) -> Result<M::Result, AskError>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let (request, mut given_up) = {
            let published = self.shared.published.load();
            match published.as_ref() {
                Some(generation) if generation.addr.connected() => {
                    (send(&generation.addr, message, deadline), generation.given_up.subscribe())
                }
                _ => return Err(AskError::Unavailable),
            }
        };
        tokio::select! {
            biased;
            answer = request => answer,
            // An error means an ordered end, in which what is in flight is still answered.
            Ok(_) = given_up.wait_for(|given_up| *given_up) => Err(AskError::Crashed),
        }
    }

    /// Waits for an actor and asks it; after a crash, the same once more.
    async fn deliver_again<M>(&self, message: M, deadline: Deadline) -> Result<M::Result, AskError>
    where
        A: Handler<M>,
        M: Message + Send + Clone + 'static,
        M::Result: Send,
    {
        self.ready(deadline).await?;
        match self.deliver(message.clone(), deadline).await {
            Err(AskError::Crashed) => self.settle(deadline).await,
            // It died between being looked up and being asked.
            Err(AskError::Unavailable) => {}
            answer => return answer,
        }
        self.ready(deadline).await?;
        self.deliver(message, deadline).await
    }

    /// Returns once it is certain whether a crash has ended the actor.
    ///
    /// A caller learns of a panic while the actor is still unwinding, with its mailbox open; and if it was only the task that
    /// prepared the answer, the actor lives on. A heartbeat tells: a dying actor handles no further message, it drops them.
    async fn settle(&self, deadline: Deadline) {
        let _ = self.deliver(Probe::Heartbeat, deadline).await;
    }

    fn count(&self, error: AskError) {
        let counter = match error {
            AskError::Unavailable => &self.shared.unavailable,
            AskError::TimedOut => &self.shared.timed_out,
            AskError::Overloaded => &self.shared.overloaded,
            AskError::Crashed => &self.shared.crashed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends to one generation. The message is in the mailbox when this returns; the future waits for the answer.
#[expect(clippy::disallowed_methods, reason = "the one place that sends, and it adds the deadline")]
pub(super) fn send<A, M>(
    addr: &Addr<A>,
    message: M,
    deadline: Deadline,
) -> impl Future<Output = Result<M::Result, AskError>> + use<A, M>
where
    A: Child + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    let answer = addr.send(message);
    async move {
        match timeout_at(deadline.instant().into(), answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(MailboxError::Closed)) => Err(AskError::Crashed),
            Ok(Err(MailboxError::Timeout)) | Err(_) => Err(AskError::TimedOut),
        }
    }
}

impl<A: Child> Clone for ActorRef<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<A: Child> fmt::Debug for ActorRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorRef").field("name", &self.shared.name).field("up", &self.is_up()).finish_non_exhaustive()
    }
}
