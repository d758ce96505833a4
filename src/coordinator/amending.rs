//! How an amendment is carried out: by the process's shard, one after the other, and never beside a flight, so that neither overwrites
//! what the other brought.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Handler, Message, ResponseFuture};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::timeout_at;

use super::actor::Coordinator;
use super::amendment::{self, Amended, Amendment, Change, Holding};
use super::plan::Said;
use super::reader::Progress;
use super::shard::Shard;
use super::trail::Tier;
use crate::domain::cnj::Cnj;
use crate::domain::entry::Entry;
use crate::postgres_tier::messages::Stored;
use crate::resilience::Deadline;

/// Another node, or a flight, may be faster three times, and each store is read back. After that whoever asked comes back later.
const ROUNDS: usize = 6;

/// Amends the newest copy of a process. Costs nothing and asks no vendor.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Amended, AmendError>")]
pub struct Amend {
    /// The process.
    pub cnj: Cnj,
    /// What is told of it.
    pub amendment: Amendment,
    /// When the asker stops waiting.
    pub deadline: Deadline,
}

/// Why a copy was not amended: to be tried again later, which does no harm if it was amended after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AmendError {
    /// The service is recovering, or busy with this process.
    #[error("the service is recovering")]
    Recovering,
    /// PostgreSQL cannot be asked, so nobody knows what is stored.
    #[error("postgresql is away")]
    PostgresAway,
}

/// Whose turn it is to amend a process.
#[derive(Debug, Default)]
pub(super) struct Turn {
    mine: Mutex<()>,
    /// A flight began meanwhile.
    disturbed: Cell<bool>,
}

impl Handler<Amend> for Coordinator {
    type Result = ResponseFuture<Result<Amended, AmendError>>;

    fn handle(&mut self, amend: Amend, _: &mut Self::Context) -> Self::Result {
        let shard = Rc::clone(&self.shard);
        Box::pin(async move {
            let Amend { cnj, amendment, deadline } = amend;
            let until = deadline.instant().into();
            timeout_at(until, shard.amend(cnj, Arc::new(amendment))).await.unwrap_or(Err(AmendError::Recovering))
        })
    }
}

/// A place in the queue for a process; the last one to leave takes the queue away.
struct InTurn<'a> {
    shard: &'a Shard,
    cnj: Cnj,
    turn: Rc<Turn>,
}

impl Drop for InTurn<'_> {
    fn drop(&mut self) {
        // The map's own, and this one.
        if Rc::strong_count(&self.turn) <= 2 {
            self.shard.turns.borrow_mut().remove(&self.cnj);
        }
    }
}

impl Shard {
    /// Tells those who amend a process that a flight begins.
    pub(super) fn disturb(&self, cnj: &Cnj) {
        if let Some(turn) = self.turns.borrow().get(cnj) {
            turn.disturbed.set(true);
        }
    }

    async fn amend(&self, cnj: Cnj, amendment: Arc<Amendment>) -> Result<Amended, AmendError> {
        let turn = Rc::clone(self.turns.borrow_mut().entry(cnj).or_default());
        let place = InTurn { shard: self, cnj, turn };
        let _mine = place.turn.mine.lock().await;
        let mut stored = None;
        for _ in 0..ROUNDS {
            self.landed(&cnj).await;
            place.turn.disturbed.set(false);
            let Some(amended) = self.round(cnj, &amendment, &mut stored).await? else { continue };
            // A flight that began meanwhile may bring a copy that does not know: looked at once more when it has landed.
            if !place.turn.disturbed.get() {
                return Ok(if stored.is_some() { Amended::Done } else { amended });
            }
        }
        Err(AmendError::Recovering)
    }

    /// Waits for the flight under way, if any.
    async fn landed(&self, cnj: &Cnj) {
        let aboard = self.flights.borrow().get(cnj).map(|open| open.progress.subscribe());
        if let Some(mut progress) = aboard {
            // An error means that nobody is left to land it.
            let _over = progress
                .wait_for(|progress| matches!(progress, Progress::Landed { .. } | Progress::Lost))
                .await
                .is_ok();
        }
    }

    /// Looks at what is held, and stores it amended if it does not know; none then, because another node may have amended the same copy at
    /// the same moment: two contents under one version, of which PostgreSQL kept the first. So what counts is what the next round finds
    /// there. `stored`: what an earlier round stored.
    async fn round(
        &self,
        cnj: Cnj,
        amendment: &Arc<Amendment>,
        stored: &mut Option<Arc<Entry>>,
    ) -> Result<Option<Amended>, AmendError> {
        let near = self.near.held(&cnj);
        let redis = self.desk.ask_redis(cnj).await;
        let postgres = self.desk.ask_postgres(cnj).await;
        if matches!(postgres, Said::Failed(_) | Said::Off) {
            return Err(AmendError::PostgresAway);
        }
        let stored_counts = !self.settings.longest_stored().is_zero();
        let Some(holding) = amendment::holding(near, redis, postgres, stored_counts) else {
            return Ok(Some(Amended::NotHeld));
        };
        let Holding { held, newest, redis_lacks } = holding;
        let (entry, told, settings) = (Arc::clone(&held.entry), Arc::clone(amendment), self.settings.clone());
        let now = self.clock.now();
        let change =
            tokio::task::spawn_blocking(move || amendment::amended(&entry, newest, &told, &settings, now)).await;
        match change {
            Ok(Ok(Change::Changed(entry))) => {
                let entry = Arc::new(*entry);
                match self.desk.store(&entry, self.stored_until(entry.header())).await {
                    Ok(Stored::Stored(_)) => *stored = Some(entry),
                    // Another node has a newer copy; it is what the next round finds.
                    Ok(Stored::Outdated) => {}
                    Err(_away) => return Err(AmendError::PostgresAway),
                }
                Ok(None)
            }
            Ok(Ok(Change::Already)) => {
                if held.tier == Tier::Postgres {
                    // The tiers above; also when whoever stored it there went before they had it. Ours may be fresh for longer than the
                    // row, which is switched off then.
                    let version = held.entry.header().version;
                    let ours = stored.clone().filter(|ours| ours.header().version == version);
                    self.fill(cnj, ours.unwrap_or(held.entry), redis_lacks).await;
                }
                Ok(Some(Amended::Already))
            }
            Ok(Ok(Change::NotOurs)) => Ok(Some(Amended::NotHeld)),
            Ok(Err(error)) => {
                tracing::error!(%cnj, %error, "a copy cannot be amended");
                Ok(Some(Amended::NotHeld))
            }
            Err(panic) => {
                tracing::error!(%cnj, %panic, "a copy cannot be amended");
                Err(AmendError::Recovering)
            }
        }
    }
}
