//! Actors that are replaced when they die or hang, and references to them that stay good.
//!
//! This folder is the only generic code that names actix, because actix alone does not supervise: a panic in a handler ends the
//! actor silently, `actix::Supervisor` restarts neither after a panic nor with a pause, and a mailbox's capacity does not bound
//! it (each of these is pinned down by a probe in `tests/it/supervision/probes.rs`).
//!
//! # How it works
//!
//! ```text
//! Supervisor ── its own arbiter
//!  └─ keeper (one task a child): launch → ready? → publish → attend ──┬─ exited: panic, stop    ─┐
//!       ▲                                                             └─ silent: stuck, abandon ─┤
//!       └───────── pause (full jitter), inside a sliding restart intensity ◄────── unpublish ◄───┘
//! child ── its own arbiter, a new one for each generation
//! ```
//!
//! * [`ChildSpec`] says what a child is made of and how much is put up with; [`Supervisor::child`] starts it.
//! * [`ActorRef`] is what everyone else holds. It outlives generations, bounds what is in flight, and its
//!   [`ask`](ActorRef::ask), which always has a [`Deadline`](crate::resilience::Deadline), is the only way to send.
//! * A child's **exit is a notification**: a small task on the child's arbiter awaits the actor's join handle. That an actor is
//!   **stuck** cannot be notified, so a heartbeat asks, and [`Progress`] lets a busy actor be silent for a while.
//! * A replaced generation leaves nothing behind: its arbiter goes with it, and with the arbiter its sockets and tasks. That is
//!   why an actor opens its connections in its own factory or `started`, and nobody else touches them.
//! * What happens once the intensity is used up is the child's own [`Escalation`]: a tier is marked down and tried again for
//!   ever, whereas for a child that nothing works without, [`Supervisor::fatal`] tells the application to exit.
//!
//! # In use
//!
//! ```no_run
//! use actix::{Actor, Context, Handler, Message};
//! use juscache::ambient::{SharedClock, SystemClock, SystemRandom};
//! use juscache::resilience::Deadline;
//! use juscache::supervision::{ChildSpec, Supervisor};
//! use std::time::Duration;
//!
//! struct Doubler;
//! impl Actor for Doubler {
//!     type Context = Context<Self>;
//! }
//! juscache::supervised!(Doubler);
//!
//! #[derive(Clone)]
//! struct Double(u32);
//! impl Message for Double {
//!     type Result = u32;
//! }
//! impl Handler<Double> for Doubler {
//!     type Result = u32;
//!     fn handle(&mut self, message: Double, _: &mut Self::Context) -> u32 {
//!         message.0.saturating_mul(2)
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let clock: SharedClock = SystemClock::shared();
//! let supervisor = Supervisor::start(clock.clone(), SystemRandom::shared(), Box::new(|_event| {}))?;
//! let doubler = supervisor.child(ChildSpec::new("doubler", || Doubler));
//!
//! let deadline = Deadline::after(clock.monotonic(), Duration::from_millis(200));
//! assert_eq!(doubler.ask_again(Double(21), deadline).await?, 42);
//! supervisor.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it needs, what it cannot do
//!
//! * It needs a running [`actix_rt::System`] (`#[actix_web::main]`), because arbiters belong to one.
//! * `panic = "unwind"` in every profile: with "abort" a child's panic would end the process, so this does not compile then.
//! * `Actor::stopping` and `Actor::stopped` run *while unwinding* after a panic: a second panic in them aborts the process, and
//!   `Running::Continue` would resume a half-dead actor. Leave both hooks alone, or make them trivial.
//! * A thread stuck in synchronous code cannot be killed in Rust. It is told to stop, left behind and counted; a child with too
//!   many of them left is not started again until one ends (see [`ChildSpec::max_abandoned`]).

#[cfg(not(panic = "unwind"))]
compile_error!("a panic must stay inside the actor that raised it: set panic = \"unwind\" in the profile");

pub mod actor_ref;
pub mod intensity;
mod keeper;
pub mod probe;
pub mod progress;
pub mod spawn;
pub mod spec;
pub mod status;
pub mod supervisor;

pub use actor_ref::{ActorRef, AskError, Failures};
pub use intensity::RestartIntensity;
pub use probe::{Child, Probe};
pub use progress::Progress;
pub use spec::{ChildSpec, Escalation, Heartbeat};
pub use status::{ChildEvent, ChildReport, ChildState, ExitCause};
pub use supervisor::{Fatal, Supervisor};
