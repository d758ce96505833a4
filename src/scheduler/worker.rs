//! One life of the scheduler on one node: takes the lead if nobody has it, and then works on the runs that are due.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use tokio::time::sleep;

use super::book::Book;
use super::choice::Rules;
use super::lease::Lease;
use super::reads::{Pending, ReadCounts};
use super::refresher::Refresher;
use super::reins::Reins;
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::sync::SyncSettings;
use crate::coordinator::early::WishList;
use crate::ledger::call::Id;
use crate::postgres_tier::sync::messages::{AddReads, BeginRun, Lead, Resign, Run};
use crate::telemetry::Metrics;

/// Processes whose reads one statement writes down.
const READS_AT_ONCE: usize = 500;

/// What the scheduler needs of the rest of the house.
#[derive(Clone)]
pub struct Surroundings {
    /// What all nodes share.
    pub book: Arc<dyn Book>,
    /// Renews our copies.
    pub refresher: Arc<dyn Refresher>,
    /// Counts reads.
    pub reads: Arc<dyn ReadCounts>,
    /// What readers wish refreshed before it expires.
    pub wishes: Arc<WishList>,
    /// Monotonic time for leases and deadlines. Wall time is the database's.
    pub clock: SharedClock,
    /// Identities, and jitter.
    pub random: SharedRandom,
    /// Where everything is counted.
    pub metrics: Metrics,
    /// What reaches it from outside.
    pub reins: Reins,
}

/// One life of the scheduler.
pub struct Worker {
    pub(super) settings: SyncSettings,
    pub(super) rules: Rules,
    pub(super) around: Surroundings,
    pub(super) node: Id,
    pending: Pending,
    /// The epoch in which it led when it last looked.
    leads: Cell<Option<u64>>,
}

impl Worker {
    /// With an identity of its own, so that not even its predecessor in the same process is taken for it.
    #[must_use]
    pub fn new(settings: SyncSettings, rules: Rules, around: Surroundings) -> Self {
        let node = Id::new(around.random.bits());
        around.reins.born(node);
        let rules = Rules { window: settings.window, batch: usize::try_from(settings.batch).unwrap_or(1), ..rules };
        Self { settings, rules, around, node, pending: Pending::default(), leads: Cell::new(None) }
    }

    /// Works until it is told to stop. A panic ends the look it happened in: its run is gone on with like a dead leader's.
    pub async fn work(&self) {
        while !self.around.reins.is_stopping() {
            let pause = match AssertUnwindSafe(self.turn()).catch_unwind().await {
                Ok(pause) => pause,
                Err(_logged_by_the_hook) => {
                    tracing::error!("a synchronisation panicked; it is gone on with");
                    self.settings.renew_every()
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.around.reins.nudged() => {}
                () = self.around.reins.stopped() => {}
            }
        }
        self.resign().await;
    }

    /// Looks once, and says how long to wait until the next look.
    async fn turn(&self) -> Duration {
        let every = self.settings.renew_every();
        let lease = self.lead().await;
        self.leads.set(lease.as_ref().map(|lease| lease.epoch));
        self.around.metrics.sync_leader.set(i64::from(lease.is_some()));
        let Some(lease) = lease else { return every };
        let begin = BeginRun { node: self.node, epoch: lease.epoch, interval: self.settings.interval };
        match self.around.book.begin_run(begin).await {
            Ok(None) => every.min(self.settings.interval),
            Ok(Some(run)) => self.run(&lease, &run).await,
            Err(error) => {
                tracing::debug!(error = error.as_str(), "no synchronisation can begin");
                every
            }
        }
    }

    /// A cycle, with the lease kept up beside it. Losing the lease stops what is not begun; what is under way is finished.
    async fn run(&self, lease: &Lease, run: &Run) -> Duration {
        if run.adopted > 0 {
            tracing::info!(run = run.id, adopted = run.adopted, "going on with another leader's synchronisation");
        }
        let (cycle, keep) = (pin!(self.cycle(lease, run)), pin!(self.keep(lease)));
        let ended = match select(cycle, keep).await {
            Either::Left((ended, _)) => ended,
            Either::Right(((), cycle)) => cycle.await,
        };
        match ended {
            Some(run) => {
                self.tell(&run);
                Duration::ZERO
            }
            None => {
                tracing::info!(run = run.id, "the synchronisation breaks off; whoever leads next goes on with it");
                self.settings.renew_every()
            }
        }
    }

    /// The one line that closes a cycle.
    fn tell(&self, run: &Run) {
        let Some((at, ending)) = run.ended else { return };
        self.around.metrics.sync_last_run.set(at.timestamp());
        let took = (at - run.started_at).to_std().unwrap_or_default();
        tracing::info!(
            run = run.id,
            trigger = run.trigger.as_str(),
            ending = ending.as_str(),
            duration = ?took,
            refreshed = run.refreshed,
            unchanged = run.unchanged,
            failed = run.failed,
            cleaned = run.cleaned,
            calls = run.calls,
            centavos = run.cost_centavos,
            "synchronised"
        );
    }

    async fn lead(&self) -> Option<Lease> {
        let asked_at = self.monotonic();
        match self.around.book.lead(self.wish()).await {
            Ok(epoch) => epoch.map(|epoch| Lease::new(epoch, self.settings.lease(), asked_at)),
            Err(error) => {
                tracing::debug!(error = error.as_str(), "nobody can take the lead of the synchronisation");
                None
            }
        }
    }

    fn wish(&self) -> Lead {
        Lead { node: self.node, lease: self.settings.lease(), interval: self.settings.interval }
    }

    /// Renews the lease until it is lost, or given up because the service ends.
    async fn keep(&self, lease: &Lease) {
        loop {
            tokio::select! {
                () = sleep(self.settings.renew_every()) => {}
                () = self.around.reins.stopped() => {
                    // At once, so that another node need not wait for what is still under way here.
                    lease.lose();
                    self.resign().await;
                    return;
                }
            }
            let asked_at = self.monotonic();
            match self.around.book.lead(self.wish()).await {
                Ok(Some(epoch)) if epoch == lease.epoch => lease.renewed(asked_at),
                Ok(_another) => {
                    tracing::warn!(epoch = lease.epoch, "the lead of the synchronisation is lost");
                    lease.lose();
                    return;
                }
                // It holds until its own end.
                Err(error) => tracing::debug!(error = error.as_str(), "the lead cannot be renewed now"),
            }
        }
    }

    async fn resign(&self) {
        self.around.metrics.sync_leader.set(0);
        let Some(epoch) = self.leads.take() else { return };
        let resign = Resign { node: self.node, epoch };
        if let Err(error) = self.around.book.resign(resign).await {
            tracing::debug!(error = error.as_str(), "the lead ends by itself");
        }
    }

    /// Writes down what was read, now and then, until it is told to stop, and then once more.
    pub async fn count_reads(&self) {
        loop {
            tokio::select! {
                () = sleep(self.settings.flush_reads_every) => {}
                () = self.around.reins.stopped() => {}
            }
            self.flush_reads().await;
            if self.around.reins.is_stopping() {
                return;
            }
        }
    }

    pub(super) async fn flush_reads(&self) {
        let most = self.settings.most_pending_reads;
        self.pending.add(self.around.reads.drain(), most);
        loop {
            let reads = self.pending.take(READS_AT_ONCE);
            if reads.is_empty() {
                return;
            }
            let add = AddReads { reads: reads.clone() };
            if let Err(error) = self.around.book.add_reads(add).await {
                tracing::debug!(error = error.as_str(), "reads cannot be written down yet");
                self.pending.add(reads, most);
                return;
            }
        }
    }

    /// All of it, until it is told to stop.
    pub async fn live(&self) {
        let ((), (), ()) = tokio::join!(self.work(), self.count_reads(), self.heed_wishes());
    }

    /// Who it is.
    #[must_use]
    pub fn node(&self) -> Id {
        self.node
    }

    pub(super) fn monotonic(&self) -> Instant {
        self.around.clock.monotonic()
    }
}
