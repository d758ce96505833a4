//! The file that owns threads and tasks: everything that runs on its own was started here.

use std::any::Any;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use actix::dev::channel;
use actix::{Addr, Context};
use actix_rt::Arbiter;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use super::probe::Child;
use super::progress::Progress;
use super::spec::Factory;
use super::status::ExitCause;

/// Starts a task on the current arbiter and forgets it: for a loop that lives exactly as long as its actor's generation.
///
/// A panic in it ends the task only (tokio catches it); the panic hook has logged it. The task is dropped, wherever it is, when
/// the generation is replaced or shut down.
///
/// # Panics
/// Outside an arbiter.
pub fn detach(task: impl Future<Output = ()> + 'static) {
    drop(spawn(task));
}

/// As [`detach`], and if the task panics, a log line says which one it was.
pub fn detach_named(name: &'static str, task: impl Future<Output = ()> + 'static) {
    detach(async move {
        if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
            tracing::error!(task = name, panic = message_of(panic.as_ref()), "detached task panicked");
        }
    });
}

/// As [`detach_named`], for work that has an end and is worth waiting for: an ordered shutdown lets it finish, within the
/// child's grace. A paid answer on its way to the database is such work.
pub fn detach_to_finish(name: &'static str, task: impl Future<Output = ()> + 'static) {
    let work = Progress::current().begin_work();
    detach_named(name, async move {
        let _work = work;
        task.await;
    });
}

/// One life of a child: its address, and what its keeper needs to notice its end and to end it.
pub(super) struct Generation<A: Child> {
    /// Good from the launch on, although nothing is handled before the actor has started.
    pub(super) addr: Addr<A>,
    /// The one that its arbiter's [`Progress::current`] returns.
    pub(super) progress: Progress,
    /// Tells why the actor ended. It is closed without a word if the arbiter ended first.
    pub(super) exited: oneshot::Receiver<ExitCause>,
    /// Nobody else's: what else runs on it was started by this generation and ends with it.
    pub(super) arbiter: Arbiter,
}

/// Launches one generation on a new arbiter. The address is good at once; messages wait until the actor has started.
///
/// # Errors
/// When the machine refuses another thread.
///
/// # Panics
/// Outside an [`actix_rt::System`].
pub(super) fn launch<A: Child>(factory: Factory<A>) -> io::Result<Generation<A>> {
    let arbiter = Arbiter::try_new()?;
    let progress = Progress::new();
    // Capacity zero means unbounded: the bound is the reference's permits, since actix's own does not bound.
    let (sender, mailbox) = channel::channel(0);
    let (exit, exited) = oneshot::channel();

    let theirs = progress.clone();
    let accepted = arbiter.spawn_fn(move || {
        theirs.settle_here();
        match catch_unwind(AssertUnwindSafe(|| factory())) {
            Ok(actor) => {
                let life = spawn(Context::with_receiver(mailbox).into_future(actor));
                detach(async move {
                    // Nobody listens any more once the generation was given up.
                    let _ = exit.send(cause_of(life.await));
                });
            }
            Err(panic) => {
                let _ = exit.send(ExitCause::Panicked(message_of(panic.as_ref())));
            }
        }
    });
    if accepted {
        Ok(Generation { addr: Addr::new(sender), progress, exited, arbiter })
    } else {
        Err(io::Error::other("the new arbiter ended before it began"))
    }
}

/// Starts a new arbiter for the supervisor itself, away from whatever its children do to theirs.
///
/// # Errors
/// When no actix system runs on this thread, or the machine refuses another thread.
pub(super) fn arbiter_for_the_supervisor() -> io::Result<Arbiter> {
    match actix_rt::System::try_current() {
        Some(_) => Arbiter::try_new(),
        None => Err(io::Error::other("no actix system is running; start the supervisor under actix_web::main")),
    }
}

/// Runs a keeper on the current arbiter. `on_panic` is told if it panics, which would be a bug in this folder.
pub(super) fn watch_over(keeper: impl Future<Output = ()> + 'static, on_panic: impl FnOnce(String) + 'static) {
    detach(async move {
        if let Err(panic) = AssertUnwindSafe(keeper).catch_unwind().await {
            on_panic(message_of(panic.as_ref()));
        }
    });
}

/// Stops an arbiter and resolves when its thread has ended.
///
/// The joining is done by a thread of its own, so that a caller who loses patience with a stuck arbiter only drops this future.
/// No thread left for that counts as joined: the arbiter was told to stop, more cannot be done.
pub(super) async fn stop_and_join(arbiter: Arbiter) {
    arbiter.stop();
    let (joined, when_joined) = oneshot::channel();
    let joining = thread::Builder::new().name("juscache-join".to_owned()).spawn(move || {
        // Neither a panic of that thread nor an impatient caller is of interest any more.
        let _ = arbiter.join();
        let _ = joined.send(());
    });
    if joining.is_ok() {
        let _ = when_joined.await;
    }
}

#[expect(clippy::disallowed_methods, reason = "this file owns tasks")]
fn spawn<T: 'static>(task: impl Future<Output = T> + 'static) -> actix_rt::task::JoinHandle<T> {
    actix_rt::spawn(task)
}

/// What the actor's join handle says about its end.
fn cause_of(end: Result<(), JoinError>) -> ExitCause {
    match end.map_err(JoinError::try_into_panic) {
        Ok(()) => ExitCause::Stopped,
        Err(Ok(panic)) => ExitCause::Panicked(message_of(panic.as_ref())),
        Err(Err(_cancelled)) => ExitCause::Cancelled,
    }
}

/// The text of a panic; `panic!` makes a `&str` or a `String`, anything else has none.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
