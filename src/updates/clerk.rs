//! Carries out what the plan says: asks, writes down, follows.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, WeakShared};
use tokio::time::sleep;

use super::book::{Book, Unsaved};
use super::court::{Court, CourtError, Errand};
use super::messages::{Standing, UpdateError};
use super::plan::{self, Opening, Seen, Sent, Step};
use super::refresher::Refresher;
use crate::ambient::SharedClock;
use crate::config::updates::UpdateSettings;
use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
use crate::domain::update::{Stage, UpdateRecord};
use crate::fetcher::messages::FetchError;
use crate::fetcher::update_messages::UpdateState;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::updates::messages::Saved;
use crate::resilience::Deadline;
use crate::supervision::spawn::{detach_named, detach_to_finish};

/// When the service recovers, it has usually done so by then.
pub(super) const RECOVERY_RETRY: Duration = Duration::from_secs(1);

/// What the actor needs of the rest of the house.
#[derive(Clone)]
pub struct Surroundings {
    /// The vendor.
    pub court: Arc<dyn Court>,
    /// Our copies.
    pub refresher: Arc<dyn Refresher>,
    /// The stored records.
    pub book: Arc<dyn Book>,
    /// The records that are not stored yet; one for all generations.
    pub unsaved: Unsaved,
    /// Wall time for records, monotonic time for deadlines.
    pub clock: SharedClock,
}

type Outcome = Result<Standing, UpdateError>;
/// A request that others may join. The task that drives it owns it, so that it ends with its generation.
type Asking = WeakShared<LocalBoxFuture<'static, Outcome>>;

pub(super) struct Clerk {
    settings: UpdateSettings,
    around: Surroundings,
    asking: RefCell<HashMap<Cnj, Asking>>,
    following: RefCell<HashSet<Cnj>>,
}

/// Whether a record is ours to go on with.
enum Kept {
    Ours,
    /// Another node was faster.
    Theirs(UpdateRecord),
}

impl Clerk {
    pub(super) fn new(settings: UpdateSettings, around: Surroundings) -> Self {
        Self { settings, around, asking: RefCell::default(), following: RefCell::default() }
    }

    /// Joins the asking for a process that is under way, or begins one. It is driven to its end in any case: it may be paid already.
    pub(super) fn ask(self: &Rc<Self>, cnj: Cnj, caller: Caller) -> LocalBoxFuture<'static, Outcome> {
        let running = self.asking.borrow().get(&cnj).and_then(WeakShared::upgrade);
        if let Some(running) = running {
            let joined = running.map(|outcome| match outcome {
                Ok(standing) => Ok(Standing { spent_centavos: 0, ..standing }),
                Err(error) => Err(error.for_free()),
            });
            return joined.boxed_local();
        }
        let (clerk, under_way) = (Rc::clone(self), UnderWay { clerk: Rc::clone(self), cnj });
        let work = async move {
            let _until_the_end = under_way;
            clerk.begin(cnj, caller).await
        };
        let work = work.boxed_local().shared();
        if let Some(joinable) = work.downgrade() {
            self.asking.borrow_mut().insert(cnj, joinable);
        }
        detach_to_finish("update request", work.clone().map(drop));
        work.boxed_local()
    }

    /// How the last request stands.
    pub(super) async fn status(&self, cnj: Cnj, caller: Caller) -> Outcome {
        let record = match self.known(cnj).await {
            Ok(record) => record,
            Err(_away) => {
                let status = self.around.court.status(self.errand(cnj, Lane::Interactive, caller)).await;
                let update = status.map_err(refusal)?.update;
                update.map(|update| plan::as_the_vendor_tells(cnj, update, self.now()))
            }
        };
        let adopted = record.as_ref().is_some_and(|record| record.adopted);
        Ok(Standing { cnj, record, adopted, spent_centavos: 0 })
    }

    /// Looks at an open request now. False if there is none, or it is being looked at already.
    pub(super) async fn look_at(self: &Rc<Self>, cnj: Cnj) -> bool {
        match self.known(cnj).await {
            Ok(Some(record)) if matches!(record.stage, Stage::Uncertain | Stage::Open) => self.follow(record),
            _ => false,
        }
    }

    /// Looks for what is due, for ever.
    pub(super) async fn watch(self: &Rc<Self>) {
        loop {
            self.look().await;
            sleep(self.settings.look_every).await;
        }
    }

    /// Stores what could not be stored, then follows what is due: at most a batch at a time.
    pub(super) async fn look(self: &Rc<Self>) {
        self.save_unsaved().await;
        let room = || self.settings.batch.saturating_sub(self.following.borrow().len());
        for record in self.around.unsaved.due(self.now(), room()) {
            self.follow(record);
        }
        if room() == 0 {
            return;
        }
        match self.around.book.claim(room(), self.settings.lease()).await {
            Ok(due) => due.into_iter().for_each(|record| {
                self.follow(record);
            }),
            Err(error) => tracing::debug!(error = error.as_str(), "no update request can be taken"),
        }
    }

    async fn begin(&self, cnj: Cnj, caller: Caller) -> Outcome {
        // Without PostgreSQL the vendor's status is the truth; it is read anyway.
        let mut stored = self.known(cnj).await.unwrap_or_default();
        let opening = plan::opening(stored.as_ref(), self.now(), &self.settings);
        if let (Opening::Join, Some(record)) = (opening, &stored) {
            return Ok(joined(record.clone()));
        }
        let errand = self.errand(cnj, Lane::Interactive, caller);
        let status = self.around.court.status(errand).await.map_err(refusal)?;
        if let (Opening::Review, Some(record)) = (opening, &stored) {
            match plan::after_status(record.clone(), &Seen::Told(status), self.now(), &self.settings) {
                Step::Over(over) => {
                    if let Kept::Theirs(record) = self.keep(&over).await {
                        return Ok(joined(record));
                    }
                    stored = Some(over);
                }
                // It is due, and followed by whoever takes it.
                Step::Wait(_) | Step::Refresh(_) => return Ok(joined(record.clone())),
            }
        }
        if let Some(open) = status.update.filter(|update| update.state == UpdateState::Open) {
            let record = plan::adopted(cnj, caller, stored.as_ref(), open, self.now(), &self.settings);
            return Ok(joined(match self.keep(&record).await {
                Kept::Ours => record,
                Kept::Theirs(record) => record,
            }));
        }
        self.send(plan::asked(cnj, caller, stored.as_ref(), status.update, self.now(), &self.settings), caller).await
    }

    /// Asks the vendor, once, with the record stored before.
    async fn send(&self, record: UpdateRecord, caller: Caller) -> Outcome {
        let cnj = record.cnj;
        if let Kept::Theirs(record) = self.keep(&record).await {
            return Ok(joined(record));
        }
        let deadline = Deadline::after(self.monotonic(), self.settings.request_within);
        let said = self.around.court.request(Errand { cnj, lane: Lane::Interactive, caller, deadline }).await;
        let (record, sent) = plan::after_request(record, &said, self.now(), &self.settings);
        // Another node that followed it meanwhile knows as much; what this caller paid is told in any case.
        let _whoever_is_ahead = self.keep(&record).await;
        tracing::info!(%cnj, state = record.stage.as_str(), adopted = record.adopted, "update requested");
        let cost_centavos = record.cost_centavos;
        match (sent, said) {
            (Sent::Unknown, _) => Err(UpdateError::Unknown { cost_centavos }),
            (Sent::Refused, Err(error)) => Err(refusal(error)),
            (Sent::Going | Sent::Refused, _) => {
                let adopted = record.adopted;
                Ok(Standing { cnj, record: Some(record), adopted, spent_centavos: cost_centavos })
            }
        }
    }

    /// Goes on with a request in a task of its own. False if that is being done already.
    fn follow(self: &Rc<Self>, record: UpdateRecord) -> bool {
        if !self.following.borrow_mut().insert(record.cnj) {
            return false;
        }
        let followed = Followed { clerk: Rc::clone(self), cnj: record.cnj };
        detach_named("update", async move { followed.clerk.go_on(record).await });
        true
    }

    async fn go_on(&self, record: UpdateRecord) {
        let seen = match record.stage {
            Stage::Refreshing => Seen::Silent { retry_after: None },
            _ => self.see(record.cnj).await,
        };
        match plan::after_status(record, &seen, self.now(), &self.settings) {
            Step::Wait(record) | Step::Over(record) => self.note(&record).await,
            Step::Refresh(record) => {
                if let Kept::Ours = self.keep(&record).await {
                    let since = record.learned_at.unwrap_or(record.requested_at);
                    let deadline = Deadline::after(self.monotonic(), self.settings.refresh_within);
                    let outcome = self.around.refresher.refresh(record.cnj, since, deadline).await;
                    self.note(&plan::after_refresh(record, &outcome, self.now(), &self.settings)).await;
                }
            }
        }
    }

    async fn see(&self, cnj: Cnj) -> Seen {
        match self.around.court.status(self.errand(cnj, Lane::Background, Caller::Service)).await {
            Ok(status) => Seen::Told(status),
            Err(CourtError::Vendor(FetchError { retry_after, .. })) => Seen::Silent { retry_after },
            Err(CourtError::NotAsked | CourtError::Unanswered) => Seen::Silent { retry_after: None },
        }
    }

    /// Writes a step down, and says it if it was the last.
    async fn note(&self, record: &UpdateRecord) {
        let kept = self.keep(record).await;
        if let (Kept::Ours, true) = (kept, record.stage.is_over()) {
            tracing::info!(
                cnj = %record.cnj,
                state = record.stage.as_str(),
                checks = record.checks,
                cost_centavos = record.cost_centavos,
                "update request is over"
            );
        }
    }

    /// Stores a record, or keeps it here until that is possible.
    async fn keep(&self, record: &UpdateRecord) -> Kept {
        let unsaved = &self.around.unsaved;
        match self.save(record).await {
            Ok(Saved::Saved) => unsaved.forget(record),
            Ok(Saved::Newer(stored)) => {
                unsaved.forget(record);
                return Kept::Theirs(*stored);
            }
            Err(error) => {
                let kept = unsaved.keep(record, self.settings.most_unsaved);
                tracing::debug!(error = error.as_str(), kept, "an update request cannot be stored yet");
            }
        }
        Kept::Ours
    }

    async fn save(&self, record: &UpdateRecord) -> Result<Saved, PostgresError> {
        let check_in = record.next_check_at.map(|at| (at - self.now()).to_std().unwrap_or_default());
        self.around.book.save(record.clone(), check_in).await
    }

    async fn save_unsaved(&self) {
        for record in self.around.unsaved.all() {
            match self.save(&record).await {
                // What is farther in the database is followed from there.
                Ok(Saved::Saved | Saved::Newer(_)) => self.around.unsaved.forget(&record),
                Err(_still_away) => return,
            }
        }
    }

    /// What is known of a process here or in the database.
    async fn known(&self, cnj: Cnj) -> Result<Option<UpdateRecord>, PostgresError> {
        match self.around.unsaved.get(&cnj) {
            Some(record) => Ok(Some(record)),
            None => self.around.book.read(cnj).await,
        }
    }

    fn errand(&self, cnj: Cnj, lane: Lane, caller: Caller) -> Errand {
        let deadline = Deadline::after(self.monotonic(), self.settings.status_within);
        Errand { cnj, lane, caller, deadline }
    }

    /// The moment, for deadlines.
    pub(super) fn monotonic(&self) -> Instant {
        self.around.clock.monotonic()
    }

    fn now(&self) -> DateTime<Utc> {
        self.around.clock.now()
    }

    /// Whether anything is being followed at this moment.
    #[cfg(test)]
    pub(super) fn is_following(&self) -> bool {
        !self.following.borrow().is_empty()
    }
}

fn joined(record: UpdateRecord) -> Standing {
    Standing { cnj: record.cnj, record: Some(record), adopted: true, spent_centavos: 0 }
}

fn refusal(error: CourtError) -> UpdateError {
    match error {
        CourtError::NotAsked | CourtError::Unanswered => UpdateError::Recovering { retry_after: RECOVERY_RETRY },
        CourtError::Vendor(error) => UpdateError::Vendor(error),
    }
}

/// Takes a process off the list of those asked for, also after a panic.
struct UnderWay {
    clerk: Rc<Clerk>,
    cnj: Cnj,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.clerk.asking.borrow_mut().remove(&self.cnj);
    }
}

/// Takes a process off the list of those followed, also after a panic.
struct Followed {
    clerk: Rc<Clerk>,
    cnj: Cnj,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.clerk.following.borrow_mut().remove(&self.cnj);
    }
}
