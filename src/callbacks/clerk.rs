//! Works off what was received: takes a few at a time, carries out what the plan says, writes down what came of it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::copies::{Amendment, Copies};
use super::event::{self, Arrived};
use super::intake::Intake;
use super::list::CallbackList;
use super::neighbours::{Requests, Watches};
use super::plan::{self, Next, Outcome, Task, Trouble};
use crate::ambient::SharedClock;
use crate::config::callbacks::CallbackSettings;
use crate::domain::callback::{CallbackState, EventName};
use crate::domain::cnj::Cnj;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::callbacks::messages::{
    ClaimCallbacks, ClaimedCallback, PruneCallbacks, SettleCallback, Settlement,
};
use crate::postgres_tier::messages::PostgresError;
use crate::resilience::Deadline;
use crate::supervision::ActorRef;
use crate::supervision::spawn::detach_to_finish;
use crate::telemetry::Metrics;

/// Statements of one round of forgetting: half a million rows with the usual batch.
const PRUNE_TURNS: usize = 1_000;

/// What the actor needs of the rest of the house.
#[derive(Clone)]
pub struct Surroundings {
    /// Our copies.
    pub copies: Arc<dyn Copies>,
    /// Who is watched.
    pub watches: Arc<dyn Watches>,
    /// Who follows update requests.
    pub requests: Arc<dyn Requests>,
    /// The vendor's list; none where it cannot or need not be read.
    pub list: Option<Arc<dyn CallbackList>>,
    /// Where callbacks come in.
    pub intake: Intake,
    /// Where they are stored.
    pub postgres: ActorRef<PostgresTier>,
    /// What became of them is counted.
    pub metrics: Metrics,
    /// For deadlines.
    pub clock: SharedClock,
}

pub(super) struct Clerk {
    pub(super) settings: CallbackSettings,
    pub(super) around: Surroundings,
    under_way: Cell<usize>,
    /// The last look took as many as it could: there may be more.
    is_more: Cell<bool>,
}

impl Clerk {
    pub(super) fn new(settings: CallbackSettings, around: Surroundings) -> Self {
        Self { settings, around, under_way: Cell::new(0), is_more: Cell::new(false) }
    }

    /// Takes what waits, when the intake rings and now and then, for ever.
    pub(super) async fn work(self: &Rc<Self>) {
        loop {
            self.look().await;
            tokio::select! {
                () = self.around.intake.bells().work.notified() => {}
                () = sleep(self.settings.look_every) => {}
            }
        }
    }

    async fn look(self: &Rc<Self>) {
        let room = self.settings.batch.saturating_sub(self.under_way.get());
        if room == 0 {
            return;
        }
        let claim = ClaimCallbacks { most: room, lease: self.settings.lease() };
        let claimed = match self.around.postgres.ask(claim, self.soon()).await.map_err(PostgresError::from) {
            Ok(Ok(claimed)) => claimed,
            Ok(Err(error)) | Err(error) => {
                tracing::debug!(error = error.as_str(), "no callback can be taken");
                return;
            }
        };
        self.is_more.set(claimed.len() >= room);
        for callback in claimed {
            let place = Place::taken(self);
            detach_to_finish("callback", async move { place.clerk.work_on(callback).await });
        }
    }

    async fn work_on(&self, callback: ClaimedCallback) {
        let ClaimedCallback { id, body, received_at, attempts } = callback;
        let arrived = event::read(&body);
        let event = arrived.name().map_or("none", EventName::as_str);
        let number = arrived.number.clone().unwrap_or_default();
        let came = match arrived {
            // Whatever ended the earlier attempts without a word, the node perhaps, would end this one.
            _ if attempts > self.settings.most_attempts => Err(Trouble::Unfinished),
            Arrived { news: Err(_), .. } => Err(Trouble::Unreadable),
            Arrived { news: Ok(news), .. } => {
                let work = self.carry_out(plan::task(news, received_at));
                timeout(self.limit(), work).await.unwrap_or(Err(Trouble::Unfinished))
            }
        };
        let (settlement, outcome) = match came {
            Ok(outcome) => (Settlement::Over(outcome.state()), outcome.as_str()),
            Err(trouble) => (plan::settle_trouble(trouble, attempts, &self.settings), trouble.as_str()),
        };
        self.around.metrics.count_callback_effect(event, outcome);
        match settlement {
            Settlement::Over(CallbackState::Failed) => {
                tracing::warn!(callback = id, event, cnj = number, outcome, attempts, "a callback is given up");
            }
            _ => tracing::debug!(callback = id, event, cnj = number, outcome, attempts, "callback worked on"),
        }
        let settle = SettleCallback { id, attempts, settlement, outcome };
        // If it cannot be written down, it is taken again when the lease has ended, and has its effect already.
        match self.around.postgres.ask_again(settle, self.soon()).await.map_err(PostgresError::from) {
            Ok(Ok(_whoever_has_it_now)) => {}
            Ok(Err(error)) | Err(error) => {
                tracing::debug!(
                    callback = id,
                    error = error.as_str(),
                    "what came of a callback cannot be written down"
                );
            }
        }
    }

    async fn carry_out(&self, task: Task) -> Result<Outcome, Trouble> {
        match task {
            Task::Amend(cnj, amendment) => self.amend(cnj, amendment).await,
            Task::Conclude(cnj) => {
                let deadline = self.within(self.settings.amend_within);
                match self.around.requests.concluded(cnj, deadline).await {
                    Ok(true) => Ok(Outcome::Followed),
                    Ok(false) => Ok(Outcome::NoRequest),
                    Err(_) => Err(Trouble::Updates),
                }
            }
            Task::Monitor { cnj, found } => match self.around.watches.monitor_says(cnj, found).await {
                Ok(true) => Ok(Outcome::MonitorAsked),
                Ok(false) => Ok(Outcome::MonitorKnown),
                Err(_) => Err(Trouble::Database),
            },
            Task::Nothing(outcome) => Ok(outcome),
        }
    }

    async fn amend(&self, cnj: Cnj, amendment: Amendment) -> Result<Outcome, Trouble> {
        let is_movement = matches!(amendment, Amendment::Movement(_));
        match self.try_amend(cnj, amendment.clone(), is_movement).await {
            Next::Over(outcome) => return Ok(outcome),
            Next::Later(trouble) => return Err(trouble),
            Next::BringIfWatched => {}
        }
        if !self.around.watches.is_watched(cnj).await.map_err(|_away| Trouble::Database)? {
            return Ok(Outcome::NotHeld);
        }
        let deadline = self.within(self.settings.bring_within);
        match plan::after_bring(&self.around.copies.bring(cnj, deadline).await) {
            Next::Over(Outcome::Brought) => {}
            Next::Over(outcome) => return Ok(outcome),
            Next::Later(trouble) => return Err(trouble),
            Next::BringIfWatched => return Ok(Outcome::NotHeld),
        }
        // What was bought usually has it; a copy of another source, or one that somebody had bought before, may not.
        match self.try_amend(cnj, amendment, is_movement).await {
            Next::Later(trouble) => Err(trouble),
            Next::Over(_) | Next::BringIfWatched => Ok(Outcome::Brought),
        }
    }

    async fn try_amend(&self, cnj: Cnj, amendment: Amendment, is_movement: bool) -> Next {
        let deadline = self.within(self.settings.amend_within);
        plan::after_amend(is_movement, &self.around.copies.amend(cnj, amendment, deadline).await)
    }

    /// Forgets what is old, for ever.
    pub(super) async fn prune(&self) {
        loop {
            for _ in 0..PRUNE_TURNS {
                match self.prune_some().await {
                    Ok(gone) if gone >= self.settings.prune_batch => {}
                    Ok(_) | Err(_) => break,
                }
            }
            sleep(self.settings.prune_every).await;
        }
    }

    async fn prune_some(&self) -> Result<usize, PostgresError> {
        let CallbackSettings { keep, keep_failed, prune_batch: most, .. } = self.settings;
        let prune = PruneCallbacks { keep, keep_failed, most };
        self.around.postgres.ask(prune, self.soon()).await?
    }

    /// What the work on one callback may take, so that it ends before its lease.
    fn limit(&self) -> Duration {
        self.settings.lease().saturating_sub(self.settings.book_patience)
    }

    pub(super) fn soon(&self) -> Deadline {
        self.within(self.settings.book_patience)
    }

    pub(super) fn within(&self, time: Duration) -> Deadline {
        Deadline::after(self.around.clock.monotonic(), time)
    }
}

/// One of the places for work that is under way; free again when dropped, also after a panic.
struct Place {
    clerk: Rc<Clerk>,
}

impl Place {
    fn taken(clerk: &Rc<Clerk>) -> Self {
        clerk.under_way.set(clerk.under_way.get() + 1);
        Self { clerk: Rc::clone(clerk) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clerk.under_way.set(self.clerk.under_way.get().saturating_sub(1));
        if self.clerk.is_more.get() {
            self.clerk.around.intake.bells().work.notify_one();
        }
    }
}
