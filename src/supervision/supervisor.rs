//! The supervisor as the application sees it: start children, read how they are, shut them down.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_rt::{Arbiter, ArbiterHandle};
use tokio::sync::watch;
use tokio::time::timeout;

use super::actor_ref::ActorRef;
use super::keeper::Keeper;
use super::probe::{Child, Probe};
use super::spawn::{arbiter_for_the_supervisor, stop_and_join, watch_over};
use super::spec::ChildSpec;
use super::status::{ChildEvent, ChildReport, Status};
use crate::ambient::{SharedClock, SharedRandom};

/// What a shutdown allows over a child's own grace, which the child's keeper observes by itself.
const SLACK: Duration = Duration::from_millis(500);

/// What a child is given however late its turn comes: an idle one needs a few milliseconds.
const LEAST_GRACE: Duration = Duration::from_millis(150);

/// Is told of every event in a child's life, on the supervisor's arbiter: it must neither block nor panic.
pub type Observer = Box<dyn Fn(&ChildEvent) + Send + Sync>;

/// Why the process should exit with a failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("actor {child} failed for good ({reason}); the process must be started again")]
pub struct Fatal {
    /// The child that used up its restart intensity.
    pub child: Arc<str>,
    /// Its last failure, for engineers.
    pub reason: String,
}

/// What all keepers share.
pub(super) struct Household {
    pub(super) clock: SharedClock,
    pub(super) random: SharedRandom,
    observer: Observer,
    fatal: watch::Sender<Option<Fatal>>,
}

impl Household {
    /// Tells the observer.
    pub(super) fn observe(&self, event: &ChildEvent) {
        (self.observer)(event);
    }

    /// Makes [`Supervisor::fatal`] resolve. The first one stays: what follows is usually its consequence.
    pub(super) fn escalate(&self, fatal: Fatal) {
        tracing::error!(child = %fatal.child, reason = fatal.reason, "child failed for good");
        self.fatal.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert(fatal);
            first
        });
    }
}

/// A cheap handle to the supervisor and its children; see the [module](super) for how they live.
///
/// The children outlive the handles: only [`shutdown`](Self::shutdown), or the end of the actix system, ends them.
#[derive(Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
}

struct Shared {
    household: Arc<Household>,
    arbiter: ArbiterHandle,
    /// A std mutex, because nothing is awaited while it is held.
    roster: Mutex<Roster>,
}

struct Roster {
    /// In start order. Names are few; a search through them is enough.
    children: Vec<Arc<Kept>>,
    /// Taken by the first shutdown; after that no child is started any more.
    arbiter: Option<Arbiter>,
}

impl Supervisor {
    /// Starts a supervisor without children, on an arbiter of its own.
    ///
    /// # Errors
    /// When no actix system is running on this thread, or the machine refuses another thread.
    pub fn start(clock: SharedClock, random: SharedRandom, observer: Observer) -> io::Result<Self> {
        let arbiter = arbiter_for_the_supervisor()?;
        let household = Arc::new(Household { clock, random, observer, fatal: watch::Sender::new(None) });
        let handle = arbiter.handle();
        let roster = Mutex::new(Roster { children: Vec::new(), arbiter: Some(arbiter) });
        Ok(Self { shared: Arc::new(Shared { household, arbiter: handle, roster }) })
    }

    /// Starts a child and returns the reference to it at once; [`ActorRef::ready`] waits until it is up.
    ///
    /// Children are shut down in the reverse of the order in which they were started: start what others depend on first. After
    /// a shutdown nothing is started, and the reference stays unavailable.
    pub fn child<A: Child>(&self, spec: ChildSpec<A>) -> ActorRef<A> {
        let actor = ActorRef::new(Arc::clone(&spec.name), spec.permits);
        let status = Arc::new(Status::new());
        let (stop, told_to_stop) = watch::channel(None);
        let kept = Kept {
            name: Arc::clone(&spec.name),
            status: Arc::clone(&status),
            actor: Box::new(actor.clone()),
            stop,
            grace: spec.shutdown_grace,
        };

        let mut roster = self.shared.roster.lock().unwrap_or_else(PoisonError::into_inner);
        if roster.arbiter.is_none() {
            actor.retire();
            return actor;
        }
        roster.children.push(Arc::new(kept));
        let household = Arc::clone(&self.shared.household);
        let keeper = Keeper { spec, actor: actor.clone(), status, household, told_to_stop, abandoned: Vec::new() };
        self.shared.arbiter.spawn_fn(move || {
            let child = Arc::clone(&keeper.spec.name);
            let household = Arc::clone(&keeper.household);
            watch_over(keeper.run(), move |reason| household.escalate(Fatal { child, reason }));
        });
        actor
    }

    /// How every child is, in start order. It asks nobody, so it answers whatever state they are in.
    #[must_use]
    pub fn report(&self) -> Vec<ChildReport> {
        let report = |child: &Arc<Kept>| child.status.report(Arc::clone(&child.name), child.actor.in_flight());
        self.children().iter().map(report).collect()
    }

    /// Resolves when a child with [`Escalation::ExitProcess`](super::Escalation) has failed for good, and never otherwise.
    pub async fn fatal(&self) -> Fatal {
        let mut fatal = self.shared.household.fatal.subscribe();
        loop {
            if let Some(fatal) = fatal.borrow_and_update().clone() {
                return fatal;
            }
            // An error would mean that the sender is gone, but `self` holds it.
            let _ = fatal.changed().await;
        }
    }

    /// Sends a [`Probe`] to a child, for tests that break it from inside. False if there is nobody to break.
    pub fn sabotage(&self, child: &str, probe: Probe) -> bool {
        self.children().iter().find(|kept| *kept.name == *child).is_some_and(|kept| kept.actor.sabotage(probe))
    }

    /// Shuts the children down one after the other, the last one started first.
    ///
    /// Each one gets its [`shutdown_grace`](ChildSpec::shutdown_grace) to answer what is in flight and finish its work; one
    /// that is stuck is left behind when it is over. The others are supervised until it is their turn, and go on working: so all
    /// graces count from the beginning, and the end comes after the longest of them, not after their sum. A second call waits
    /// for nothing.
    pub async fn shutdown(&self) {
        self.shutdown_since(Duration::ZERO).await;
    }

    /// As [`shutdown`](Self::shutdown), for an end that began so long ago.
    pub async fn shutdown_since(&self, since: Duration) {
        let clock = &self.shared.household.clock;
        let begun = clock.monotonic();
        let arbiter = self.shared.roster.lock().unwrap_or_else(PoisonError::into_inner).arbiter.take();
        let Some(arbiter) = arbiter else { return };
        for child in self.children().iter().rev() {
            child.shut_down(since.saturating_add(clock.monotonic().saturating_duration_since(begun))).await;
        }
        // The keepers are done; whatever else, the process is not held up by its supervisor.
        let _ = timeout(SLACK, stop_and_join(arbiter)).await;
    }

    fn children(&self) -> Vec<Arc<Kept>> {
        self.shared.roster.lock().unwrap_or_else(PoisonError::into_inner).children.clone()
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("children", &self.report()).finish_non_exhaustive()
    }
}

/// One child in the roster.
struct Kept {
    name: Arc<str>,
    status: Arc<Status>,
    actor: Box<dyn AnyRef>,
    /// What is left of its grace, once it is to end.
    stop: watch::Sender<Option<Duration>>,
    grace: Duration,
}

impl Kept {
    /// Asks the keeper to end its child, and waits until it has; so much of its grace is over. The bound is for a keeper that is itself
    /// gone.
    async fn shut_down(&self, since: Duration) {
        let grace = self.grace.saturating_sub(since).max(LEAST_GRACE.min(self.grace));
        self.stop.send_replace(Some(grace));
        if timeout(grace + SLACK, self.status.wait_until_stopped()).await.is_err() {
            tracing::error!(child = %self.name, "child did not leave, it is left behind");
        }
    }
}

/// An [`ActorRef`] whose actor's type was forgotten, so that children of all types fit in one roster.
trait AnyRef: Send + Sync {
    fn in_flight(&self) -> usize;
    fn sabotage(&self, probe: Probe) -> bool;
}

impl<A: Child> AnyRef for ActorRef<A> {
    fn in_flight(&self) -> usize {
        self.in_flight()
    }

    fn sabotage(&self, probe: Probe) -> bool {
        self.sabotage(probe)
    }
}
