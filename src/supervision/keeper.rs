//! The life of one child, generation after generation: one task on the supervisor's arbiter, to be read from top to bottom.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use tokio::sync::watch;
use tokio::time::{sleep, timeout_at};

use super::actor_ref::{ActorRef, AskError, send};
use super::intensity::{RestartWindow, Verdict};
use super::probe::{Child, Probe};
use super::progress::Progress;
use super::spawn::{Generation, launch, stop_and_join};
use super::spec::{ChildSpec, Escalation};
use super::status::{ChildEvent, ChildState, ExitCause, Status};
use super::supervisor::{Fatal, Household};
use crate::resilience::Deadline;

/// Everything the task needs. It is the only one that publishes the child's address and writes its status.
pub(super) struct Keeper<A: Child> {
    /// What the child is made of.
    pub(super) spec: ChildSpec<A>,
    /// Where each generation's address is published.
    pub(super) actor: ActorRef<A>,
    /// Where the story is told, for the reports.
    pub(super) status: Arc<Status>,
    /// Clock, randomness, observer: what all keepers share.
    pub(super) household: Arc<Household>,
    /// Becomes true when the child is to be shut down.
    pub(super) told_to_stop: watch::Receiver<Option<Duration>>,
    /// Stuck generations whose threads may still be there.
    pub(super) abandoned: Vec<Progress>,
}

impl<A: Child> Keeper<A> {
    /// Runs the child until it is shut down, or given up for good.
    pub(super) async fn run(mut self) {
        let mut window = RestartWindow::new(self.spec.intensity);
        let mut attempt = 0_u32;
        loop {
            let began = self.household.clock.monotonic();
            let generation = self.status.launched();
            let Some(cause) = self.live(generation).await else {
                break;
            };

            let now = self.household.clock.monotonic();
            if now.saturating_duration_since(began) >= self.spec.backoff.stable_for {
                attempt = 0;
            }
            let (next, pause) = match window.record(now) {
                Verdict::Restart => {
                    let fraction = self.household.random.fraction();
                    (ChildState::BackingOff, self.spec.backoff.delay(attempt, fraction))
                }
                Verdict::Exhausted => (ChildState::Down, self.spec.backoff.cap),
            };
            attempt = attempt.saturating_add(1);
            self.note_failure(generation, cause.clone(), next, pause);

            if next == ChildState::Down && self.spec.escalation == Escalation::ExitProcess {
                self.household.escalate(Fatal { child: Arc::clone(&self.spec.name), reason: cause.to_string() });
                // Nothing is restarted any more; the application exits, and shuts down before it does.
                self.shut_down_ordered().await;
                break;
            }
            tokio::select! {
                biased;
                () = self.shut_down_ordered() => break,
                () = sleep(pause) => {}
            }
        }
        self.actor.retire();
        self.status.enter(ChildState::Stopped);
    }

    /// One generation from launch to end. Returns why it failed, or `None` when it was shut down.
    async fn live(&mut self, number: u64) -> Option<ExitCause> {
        self.abandoned.retain(Progress::is_held_elsewhere);
        if self.abandoned.len() >= self.spec.max_abandoned.max(1) {
            return Some(ExitCause::TooManyAbandoned);
        }
        let mut generation = match launch(Arc::clone(&self.spec.factory)) {
            Ok(generation) => generation,
            Err(error) => return Some(ExitCause::NoThread(error.to_string())),
        };

        let cause = tokio::select! {
            biased;
            () = self.shut_down_ordered() => None,
            exited = &mut generation.exited => Some(exited.unwrap_or(ExitCause::Cancelled)),
            cause = self.attend(number, &generation.addr, &generation.progress) => Some(cause),
        };

        match &cause {
            None => self.say_goodbye(generation).await,
            Some(cause) => {
                self.actor.give_up();
                // Never joined here: a stuck thread would take the supervisor with it.
                generation.arbiter.stop();
                if cause.leaves_a_thread() {
                    self.abandoned.push(generation.progress);
                }
            }
        }
        cause
    }

    /// Publishes the generation once it is ready, then watches over it. Returns when it is silent for too long; that it
    /// exited is for the caller to notice.
    async fn attend(&self, number: u64, addr: &Addr<A>, progress: &Progress) -> ExitCause {
        if !self.answers(addr, self.spec.start_within).await {
            return ExitCause::NeverReady;
        }
        self.actor.publish(addr.clone());
        self.status.enter(ChildState::Up);
        tracing::info!(child = %self.spec.name, generation = number, "child is up");
        self.household.observe(&ChildEvent::Up { child: Arc::clone(&self.spec.name), generation: number });

        self.until_stuck(addr, progress).await;
        ExitCause::Stuck
    }

    /// Returns when the child has shown no sign of life for its patience, or for the longest zone while it is in one. Signs are
    /// an answered heartbeat and recorded progress.
    async fn until_stuck(&self, addr: &Addr<A>, progress: &Progress) {
        let heartbeat = self.spec.heartbeat;
        let mut last_sign = self.household.clock.monotonic();
        loop {
            sleep(heartbeat.every).await;
            let steps = progress.steps();
            let answered = self.answers(addr, heartbeat.patience).await;
            let now = self.household.clock.monotonic();
            if answered || progress.steps() != steps {
                last_sign = now;
            } else if !progress.is_protected() || now.saturating_duration_since(last_sign) >= heartbeat.longest_zone {
                return;
            }
        }
    }

    /// Whether the actor answers a heartbeat in time. For one that is exiting it does not return: that is noticed elsewhere.
    async fn answers(&self, addr: &Addr<A>, within: Duration) -> bool {
        let deadline = Deadline::after(self.household.clock.monotonic(), within);
        match send(addr, Probe::Heartbeat, deadline).await {
            Ok(()) => true,
            Err(AskError::Crashed) => pending().await,
            Err(_silent) => false,
        }
    }

    /// The ordered end: nobody new, then what is in flight, then the thread, all within what is left of the child's grace.
    async fn say_goodbye(&self, generation: Generation<A>) {
        self.actor.retire();
        let grace = (*self.told_to_stop.borrow()).unwrap_or(self.spec.shutdown_grace);
        let deadline = Deadline::after(self.household.clock.monotonic(), grace);
        let drain = async {
            self.actor.idle().await;
            generation.progress.all_work_done().await;
        };
        let drained = timeout_at(deadline.instant().into(), drain).await.is_ok();
        let joined = timeout_at(deadline.instant().into(), stop_and_join(generation.arbiter)).await.is_ok();
        tracing::info!(child = %self.spec.name, drained, joined, "child was shut down");
    }

    /// Resolves when the child is to be shut down, at once if it was told so before.
    async fn shut_down_ordered(&self) {
        // An error means that every handle of the supervisor is gone; the children then live as long as the system.
        if self.told_to_stop.clone().wait_for(Option::is_some).await.is_err() {
            pending().await
        }
    }

    /// Tells everyone who wants to know: the log, the report, the observer.
    fn note_failure(&self, generation: u64, cause: ExitCause, next: ChildState, pause: Duration) {
        let child = Arc::clone(&self.spec.name);
        tracing::warn!(%child, generation, %cause, next = next.as_str(), ?pause, "child failed");
        self.status.failed(cause.clone(), self.household.clock.now(), next);
        self.household.observe(&ChildEvent::Failed { child, generation, cause, next });
    }
}
