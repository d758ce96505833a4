//! Takes what is due, looks it up, writes down what became of it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::{sleep, timeout};

use super::Bell;
use super::book::Book;
use super::looker::Looker;
use super::plan;
use crate::ambient::SharedRandom;
use crate::config::warm::WarmSettings;
use crate::domain::warm::{ItemNote, ListChange, ListState, TakenItem, WarmList};
use crate::postgres_tier::messages::PostgresError;
use crate::supervision::spawn::detach_to_finish;

/// Batches of old rows that are removed in a row: more wait for the next round, so that others get a turn at the database.
const PRUNE_BATCHES: usize = 20;

/// What the actor needs of the rest of the house.
#[derive(Clone)]
pub struct Surroundings {
    /// The stored lists.
    pub book: Arc<dyn Book>,
    /// The fallback chain.
    pub looker: Arc<dyn Looker>,
    /// Wakes it.
    pub bell: Bell,
    /// Jitter.
    pub random: SharedRandom,
}

pub(super) struct Worker {
    settings: WarmSettings,
    around: Surroundings,
    under_way: Rc<Cell<usize>>,
}

impl Worker {
    pub(super) fn new(settings: WarmSettings, around: Surroundings) -> Self {
        Self { settings, around, under_way: Rc::default() }
    }

    /// Looks for what is due, until the service ends. A database that was away is not taken from at once when it is back: the others
    /// first write down what they have finished meanwhile.
    pub(super) async fn watch(self: &Rc<Self>) {
        let mut rung = self.around.bell.listen();
        let mut is_settled = false;
        while !self.around.bell.is_closed() {
            rung.mark_unchanged();
            let took = if is_settled { self.take().await } else { self.settle().await };
            is_settled = took.is_ok();
            let pause = match took {
                Ok(()) => self.settings.look_every,
                Err(error) => {
                    tracing::debug!(error = error.as_str(), "no list can be worked on");
                    self.settings.settle
                }
            };
            // Elapsed or rung, there may be something. It cannot be closed: the bell is ours.
            let _rung = timeout(pause, rung.changed()).await;
        }
    }

    /// Waits until the others had their time, if PostgreSQL answers at all.
    async fn settle(self: &Rc<Self>) -> Result<(), PostgresError> {
        let _nothing = self.around.book.claim(0, self.settings.lease()).await?;
        sleep(self.settings.settle).await;
        self.take().await
    }

    /// Removes lists that ended long ago, for ever.
    pub(super) async fn prune(&self) {
        let WarmSettings { keep, prune_batch, prune_every, .. } = self.settings;
        loop {
            sleep(prune_every).await;
            for _ in 0..PRUNE_BATCHES {
                match self.around.book.prune(keep, prune_batch).await {
                    Ok(0) | Err(_) => break,
                    Ok(rows) => tracing::debug!(rows, "old lists of processes to load were removed"),
                }
            }
        }
    }

    /// Takes as many as there is room for, and looks each up in a task of its own.
    async fn take(self: &Rc<Self>) -> Result<(), PostgresError> {
        let room = self.settings.at_once.saturating_sub(self.under_way.get());
        if room == 0 || self.around.bell.is_closed() {
            return Ok(());
        }
        for item in self.around.book.claim(room, self.settings.lease()).await? {
            let busy = Busy::begin(&self.under_way, &self.around.bell);
            let worker = Rc::clone(self);
            detach_to_finish("warm item", async move {
                let _until_the_end = busy;
                worker.load(item).await;
            });
        }
        Ok(())
    }

    async fn load(&self, item: TakenItem) {
        let seen = self.around.looker.look_up(item.cnj, item.requested_at).await;
        let note = plan::after(&item, &seen, &self.settings, self.around.random.fraction());
        match self.note(item.clone(), note).await {
            Ok(Some(list)) => told(&list, &note),
            Ok(None) => tracing::debug!(list = item.list, "somebody else has gone on with a process to load"),
            Err(error) => {
                // Whoever takes it when the lease ends finds what was bought.
                tracing::warn!(error = error.as_str(), list = item.list, "what became of a process cannot be noted");
            }
        }
    }

    /// Writes a try down. While PostgreSQL is away it is offered again and again, by a few tasks at the most: they keep their places, so
    /// nothing else is begun.
    async fn note(&self, item: TakenItem, note: ItemNote) -> Result<Option<WarmList>, PostgresError> {
        loop {
            match self.around.book.note(item.clone(), note).await {
                Err(PostgresError::Refused) => return Err(PostgresError::Refused),
                Err(_away) => sleep(self.settings.note_every).await,
                Ok(list) => return Ok(list),
            }
        }
    }
}

/// Says what somebody who runs the service wants to know of a list.
fn told(list: &WarmList, note: &ItemNote) {
    if let ListChange::Pause { seconds, reason, strikes } = note.list {
        let reason = reason.as_str();
        tracing::info!(list = list.id, reason, pause_s = seconds, strikes, "a list of processes to load pauses");
    }
    if list.state == ListState::Done {
        let WarmList { id, total, done, known, unknown, failed, cost_centavos, .. } = list;
        tracing::info!(list = id, total, done, known, unknown, failed, cost_centavos, "a list of processes is loaded");
    }
}

/// Counts a process that is being looked up, also if that panics, and wakes the watch when it is over.
struct Busy {
    under_way: Rc<Cell<usize>>,
    bell: Bell,
}

impl Busy {
    fn begin(under_way: &Rc<Cell<usize>>, bell: &Bell) -> Self {
        under_way.set(under_way.get().saturating_add(1));
        bell.began();
        Self { under_way: Rc::clone(under_way), bell: bell.clone() }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        self.bell.ended();
    }
}
