//! What a child is made of, and how much is put up with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::intensity::RestartIntensity;
use super::probe::Child;
use crate::resilience::Backoff;

/// What to do with a child that keeps failing although it was restarted as often as its intensity allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escalation {
    /// Mark it down and go on trying, each time after the back-off's cap: for a tier, without which the service still answers.
    #[default]
    KeepTrying,
    /// Give up and resolve [`Supervisor::fatal`](super::Supervisor::fatal), so that the process exits and whatever runs it
    /// starts a fresh one: for a child without which nothing can be answered.
    ExitProcess,
}

/// How a silent child is told from a quiet one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The pause between one answer and the next question.
    pub every: Duration,
    /// How long a child that makes no [`Progress`](super::Progress) may leave a heartbeat unanswered.
    ///
    /// Not less than a second outside tests: with `RUST_BACKTRACE` set, the panic of a mere task blocks its arbiter while the
    /// backtrace is printed, which was seen to take more than 100 ms in an unoptimised build.
    pub patience: Duration,
    /// How long a child may be silent inside protected zones. They are for known long waits, not for endless ones.
    pub longest_zone: Duration,
}

impl Default for Heartbeat {
    /// Asked every second, stuck after 5 s of silence, or after 2 min of it in a protected zone.
    fn default() -> Self {
        Self { every: Duration::from_secs(1), patience: Duration::from_secs(5), longest_zone: Duration::from_secs(120) }
    }
}

/// Builds one generation's actor; see [`ChildSpec::new`].
pub type Factory<A> = Arc<dyn Fn() -> A + Send + Sync>;

/// Everything the supervisor must know about one child. The fields are what an operator would tune.
pub struct ChildSpec<A: Child> {
    /// What it is called in reports, metrics and log lines; unique in its supervisor.
    pub name: Arc<str>,
    /// How many asks may be in flight; one more is shed. This, not the mailbox, is the bound of the child's queue.
    pub permits: usize,
    /// The pauses between restarts.
    pub backoff: Backoff,
    /// How many restarts are a hiccup.
    pub intensity: RestartIntensity,
    /// What comes after that.
    pub escalation: Escalation,
    /// How it is noticed that the child is stuck.
    pub heartbeat: Heartbeat,
    /// How long a new generation may take until it answers its first heartbeat.
    pub start_within: Duration,
    /// How long the shutdown waits for the child: for its answers in flight, its unfinished work and its thread, all in all.
    pub shutdown_grace: Duration,
    /// How many threads of stuck generations may be alive before no new generation is started; zero counts as one.
    pub max_abandoned: usize,
    /// Builds each generation's actor; see [`new`](Self::new).
    pub factory: Factory<A>,
}

impl<A: Child> ChildSpec<A> {
    /// A child with the defaults, to be adjusted with struct update syntax or by assigning its fields.
    ///
    /// `factory` is run **on the child's own arbiter**, once for each generation, under `catch_unwind`: a panicking factory is
    /// one more way to exit. It must not block; connections are opened in `Actor::started`. A child that must not be asked
    /// before it is ready waits there (`ctx.wait`): until that wait is over, no heartbeat is answered and no address published.
    pub fn new(name: impl Into<Arc<str>>, factory: impl Fn() -> A + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            permits: 1_024,
            backoff: Backoff::default(),
            intensity: RestartIntensity::default(),
            escalation: Escalation::default(),
            heartbeat: Heartbeat::default(),
            start_within: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(5),
            max_abandoned: 8,
            factory: Arc::new(factory),
        }
    }
}

impl<A: Child> fmt::Debug for ChildSpec<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec").field("name", &self.name).field("permits", &self.permits).finish_non_exhaustive()
    }
}
