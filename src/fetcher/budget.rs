//! The caps: money is set aside in PostgreSQL before a request is sent, so that all nodes together stay within them.
//!
//! A node keeps a little money set aside for itself (the local reserve, portion by portion), so that readers are still served when
//! PostgreSQL is away; it is part of the cap, not beside it. Background work has no claim to it. What a request really cost is settled
//! when its row of the ledger is stored.

use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::account::Refusal;
use super::messages::Failure;
use crate::ambient::{SharedClock, SharedRandom};
use crate::domain::caller::Lane;
use crate::ledger::call::{Draw, Id};
use crate::postgres_tier::ledger::messages::Reserved;

/// How long an exhausted cap is believed before PostgreSQL is asked again: settled requests may have freed some of it.
const BELIEVED_FOR: Duration = Duration::from_secs(2);

/// When background work that could not ask is told to come back.
const AWAY_RETRY: Duration = Duration::from_secs(5);

/// Requests that the local reserve is good for: two fetches, for the readers of an outage's first seconds; little enough not to strand
/// money.
const RESERVED_REQUESTS: usize = 4;

/// Reservations that wait to be undone. Beyond that they stay set aside until this node's process has ended.
const MOST_UNUSED: usize = 10_000;

/// Where money is set aside.
pub trait Vault: Debug + Send + Sync {
    /// Sets money aside, for all that is wanted or for none of it, if the caps allow it.
    fn reserve(&self, wanted: Vec<Draw>) -> BoxFuture<'_, Result<Reserved, VaultAway>>;
    /// Gives back what is left of reservations.
    fn release(&self, ids: Vec<Id>) -> BoxFuture<'_, Result<(), VaultAway>>;
}

/// The vault cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultAway;

/// The caps as one node keeps them.
#[derive(Debug)]
pub struct Budget {
    /// None while no cap is set: then nothing has to be set aside.
    vault: Option<Box<dyn Vault>>,
    /// The smallest cap, which bounds the local reserve.
    cap: u64,
    state: Mutex<State>,
    clock: SharedClock,
    random: SharedRandom,
}

#[derive(Debug, Default)]
struct State {
    /// The service ends: nothing is set aside for it any more.
    is_closed: bool,
    reserve: Vec<Portion>,
    exhausted: Option<Exhausted>,
    /// Not spent, or not known whether it was granted.
    unused: Vec<Id>,
}

#[derive(Debug, Clone, Copy)]
struct Exhausted {
    believed_until: Instant,
    ends_at: Instant,
}

/// Money of the local reserve, for one request. It is spent or given back as a whole, so that doing either twice does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Portion {
    id: Id,
    centavos: u64,
    /// The end of the day it was set aside for.
    good_until: Instant,
}

impl Portion {
    fn is_good_for(&self, centavos: u64, now: Instant) -> bool {
        self.centavos >= centavos && now < self.good_until
    }
}

impl Budget {
    /// Without caps.
    #[must_use]
    pub fn unlimited(clock: SharedClock, random: SharedRandom) -> Self {
        Self { vault: None, cap: u64::MAX, state: Mutex::default(), clock, random }
    }

    /// Under caps that `vault` keeps, the smaller of which is `cap` centavos.
    #[must_use]
    pub fn capped(vault: Box<dyn Vault>, cap: u64, clock: SharedClock, random: SharedRandom) -> Self {
        Self { vault: Some(vault), cap, state: Mutex::default(), clock, random }
    }

    /// Whether there is any cap to keep.
    #[must_use]
    pub fn is_capped(&self) -> bool {
        self.vault.is_some()
    }

    /// Whether it is known already that there is no money, without asking.
    ///
    /// # Errors
    /// The refusal.
    pub fn check(&self, centavos: u64, lane: Lane) -> Result<(), Refusal> {
        if self.vault.is_none() || centavos == 0 {
            return Ok(());
        }
        self.check_all(&[centavos], lane)
    }

    fn check_all(&self, amounts: &[u64], lane: Lane) -> Result<(), Refusal> {
        let now = self.clock.monotonic();
        let state = self.lock();
        let has_reserve = || lane == Lane::Interactive && state.out_of_reserve(amounts, now).is_some();
        match state.exhausted {
            Some(exhausted) if now < exhausted.believed_until && !has_reserve() => {
                Err(refusal(exhausted.ends_at.saturating_duration_since(now)))
            }
            _ => Ok(()),
        }
    }

    /// Sets money aside for one request; none is needed without a cap, or for what is free.
    ///
    /// # Errors
    /// The refusal, when the caps do not allow it or nobody can say whether they do.
    pub async fn draw(&self, centavos: u64, lane: Lane) -> Result<Option<Draw>, Refusal> {
        Ok(self.draw_all(&[centavos], lane).await?.pop())
    }

    /// Sets money aside for several requests that are of no use without each other: for all or for none. Those that are free need none.
    ///
    /// # Errors
    /// As [`Budget::draw`].
    pub async fn draw_all(&self, amounts: &[u64], lane: Lane) -> Result<Vec<Draw>, Refusal> {
        let amounts: Vec<u64> = amounts.iter().copied().filter(|centavos| *centavos > 0).collect();
        let Some(vault) = self.vault.as_ref().filter(|_| !amounts.is_empty()) else { return Ok(Vec::new()) };
        self.check_all(&amounts, lane)?;
        let name = |centavos: &u64| Draw { reservation: Id::new(self.random.bits()), centavos: *centavos };
        let wanted: Vec<Draw> = amounts.iter().map(name).collect();
        let mut asking = Asking { budget: self, wanted };
        let reserved = vault.reserve(asking.wanted.clone()).await;
        let wanted = std::mem::take(&mut asking.wanted);
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let refused = match reserved {
            Ok(Reserved::Granted { .. }) => return Ok(wanted),
            Ok(Reserved::Exhausted { ends_in, .. }) => {
                let ends_at = later(now, ends_in);
                state.exhausted = Some(Exhausted { believed_until: later(now, BELIEVED_FOR.min(ends_in)), ends_at });
                refusal(ends_in)
            }
            Err(VaultAway) => {
                wanted.iter().for_each(|draw| state.undo(draw.reservation));
                refusal(AWAY_RETRY)
            }
        };
        match state.out_of_reserve(&amounts, now) {
            Some((drawn, left)) if lane == Lane::Interactive => {
                state.reserve = left;
                Ok(drawn)
            }
            _ => Err(refused),
        }
    }

    /// Takes money back that was drawn for a request which was not sent.
    pub fn give_back(&self, draw: Draw) {
        self.lock().undo(draw.reservation);
    }

    /// Keeps the local reserve filled, and gives back what is not needed. To be called now and then; `price`: what the dearest request of
    /// a fetch costs.
    pub async fn tend(&self, price: u64) {
        let Some(vault) = &self.vault else { return };
        let now = self.clock.monotonic();
        let (unused, missing) = {
            let mut state = self.lock();
            let (good, old): (Vec<_>, Vec<_>) = state.reserve.drain(..).partition(|part| part.is_good_for(price, now));
            state.reserve = good;
            let mut unused = std::mem::take(&mut state.unused);
            unused.extend(old.into_iter().map(|part| part.id));
            // A tenth of the cap at the most: with several nodes, more would strand the day's money in reserves.
            let wanted = u64::try_from(RESERVED_REQUESTS).unwrap_or(u64::MAX).saturating_mul(price);
            let worth_it = price > 0 && wanted <= self.cap / 10;
            let missing =
                if worth_it && !state.is_closed { RESERVED_REQUESTS.saturating_sub(state.reserve.len()) } else { 0 };
            (unused, missing)
        };
        if !unused.is_empty() && vault.release(unused.clone()).await.is_err() {
            let mut state = self.lock();
            unused.into_iter().for_each(|id| state.undo(id));
            return;
        }
        for _ in 0..missing {
            let id = Id::new(self.random.bits());
            let reserved = vault.reserve(vec![Draw { reservation: id, centavos: price }]).await;
            let mut state = self.lock();
            match reserved {
                Ok(Reserved::Granted { ends_in }) => {
                    let good_until = later(self.clock.monotonic(), ends_in);
                    state.reserve.push(Portion { id, centavos: price, good_until });
                }
                Ok(Reserved::Exhausted { .. }) => return,
                Err(VaultAway) => return state.undo(id),
            }
        }
    }

    /// Gives everything back that is set aside: the service ends.
    pub async fn close(&self) {
        let Some(vault) = &self.vault else { return };
        let ids = {
            let mut state = self.lock();
            state.is_closed = true;
            let mut ids = std::mem::take(&mut state.unused);
            ids.extend(state.reserve.drain(..).map(|part| part.id));
            ids
        };
        if !ids.is_empty() && vault.release(ids).await.is_err() {
            tracing::warn!(
                "money set aside could not be given back; it is once a service starts on this data folder again"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one step: a panic in between leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reservations being made. Should nobody wait for them any more, they are undone.
struct Asking<'a> {
    budget: &'a Budget,
    wanted: Vec<Draw>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.wanted.is_empty() {
            let mut state = self.budget.lock();
            self.wanted.iter().for_each(|draw| state.undo(draw.reservation));
        }
    }
}

impl State {
    /// These amounts out of the local reserve, and what is left of it then; none if there is too little for all of them.
    fn out_of_reserve(&self, amounts: &[u64], now: Instant) -> Option<(Vec<Draw>, Vec<Portion>)> {
        let mut left = self.reserve.clone();
        let mut take = |centavos: u64| {
            let at = left.iter().position(|part| part.is_good_for(centavos, now))?;
            let Portion { id, centavos, .. } = left.swap_remove(at);
            Some(Draw { reservation: id, centavos })
        };
        let drawn = amounts.iter().map(|centavos| take(*centavos)).collect::<Option<Vec<Draw>>>()?;
        Some((drawn, left))
    }

    fn undo(&mut self, id: Id) {
        if self.unused.len() < MOST_UNUSED {
            self.unused.push(id);
        }
    }
}

fn refusal(retry_after: Duration) -> Refusal {
    Refusal { failure: Failure::BudgetExhausted, retry_after: Some(retry_after) }
}

fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or(now)
}

#[cfg(test)]
#[path = "budget_tests.rs"]
pub(super) mod tests;
