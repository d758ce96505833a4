use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;

use super::*;
use crate::ambient::{SystemClock, SystemRandom};
use crate::postgres_tier::ledger::messages::Period;

const HOUR: Duration = Duration::from_secs(3600);

/// A vault of one process, which can go away.
#[derive(Debug, Default, Clone)]
pub(crate) struct Fake(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    cap: u64,
    reserved: Mutex<HashMap<Id, u64>>,
    away: AtomicBool,
}

impl Fake {
    pub(crate) fn of(cap: u64) -> Self {
        Self(Arc::new(Shared { cap, ..Shared::default() }))
    }

    fn away(&self, away: bool) {
        self.0.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn reserved(&self) -> u64 {
        self.0.reserved.lock().unwrap().values().sum()
    }
}

impl Vault for Fake {
    fn reserve(&self, wanted: Vec<Draw>) -> BoxFuture<'_, Result<Reserved, VaultAway>> {
        async move {
            if self.0.away.load(Ordering::SeqCst) {
                return Err(VaultAway);
            }
            if self.reserved() + wanted.iter().map(|draw| draw.centavos).sum::<u64>() > self.0.cap {
                return Ok(Reserved::Exhausted { period: Period::Day, ends_in: HOUR });
            }
            let wanted = wanted.into_iter().map(|draw| (draw.reservation, draw.centavos));
            self.0.reserved.lock().unwrap().extend(wanted);
            Ok(Reserved::Granted { ends_in: HOUR })
        }
        .boxed()
    }

    fn release(&self, ids: Vec<Id>) -> BoxFuture<'_, Result<(), VaultAway>> {
        async move {
            if self.0.away.load(Ordering::SeqCst) {
                return Err(VaultAway);
            }
            let mut reserved = self.0.reserved.lock().unwrap();
            reserved.retain(|id, _| !ids.contains(id));
            Ok(())
        }
        .boxed()
    }
}

fn budget(cap: u64) -> (Budget, Fake) {
    let vault = Fake::of(cap);
    (Budget::capped(Box::new(vault.clone()), cap, SystemClock::shared(), SystemRandom::shared()), vault)
}

#[actix_rt::test]
async fn without_a_cap_and_for_what_is_free_nothing_is_set_aside() {
    let unlimited = Budget::unlimited(SystemClock::shared(), SystemRandom::shared());
    assert_eq!(unlimited.draw(300, Lane::Background).await, Ok(None));
    let (budget, vault) = budget(0);
    assert_eq!(budget.draw(0, Lane::Interactive).await, Ok(None));
    assert_eq!(vault.reserved(), 0);
}

#[actix_rt::test]
async fn an_exhausted_cap_says_when_it_ends_and_is_not_asked_again_at_once() {
    let (budget, vault) = budget(500);
    assert_eq!(budget.draw(300, Lane::Interactive).await.unwrap().map(|draw| draw.centavos), Some(300));
    let refusal = budget.draw(300, Lane::Interactive).await.unwrap_err();
    assert_eq!(refusal, Refusal { failure: Failure::BudgetExhausted, retry_after: Some(HOUR) });
    vault.away(true);
    let refusal = budget.check(300, Lane::Interactive).unwrap_err();
    assert!(refusal.retry_after > Some(HOUR - Duration::from_secs(60)), "{refusal:?}");
}

#[actix_rt::test]
async fn readers_live_on_the_reserve_while_the_vault_is_away_and_background_work_waits() {
    let (budget, vault) = budget(100_000);
    budget.tend(300).await;
    assert_eq!(vault.reserved(), 1_200, "the reserve is part of the cap");
    vault.away(true);
    assert_eq!(budget.draw(300, Lane::Background).await.unwrap_err().failure, Failure::BudgetExhausted);
    for _ in 0..RESERVED_REQUESTS {
        assert!(budget.draw(300, Lane::Interactive).await.unwrap().is_some());
    }
    assert_eq!(budget.draw(300, Lane::Interactive).await.unwrap_err().retry_after, Some(AWAY_RETRY));
    vault.away(false);
    budget.tend(300).await;
    assert_eq!(vault.reserved(), 2_400, "what was spent stays set aside until it is settled");
}

#[actix_rt::test]
async fn what_is_not_spent_is_given_back() {
    let (budget, vault) = budget(100_000);
    budget.tend(300).await;
    let draw = budget.draw(300, Lane::Interactive).await.unwrap().unwrap();
    budget.give_back(draw);
    budget.tend(300).await;
    assert_eq!(vault.reserved(), 1_200);
    budget.tend(320).await;
    assert_eq!(vault.reserved(), 1_280, "portions too small for the price are replaced");
    budget.close().await;
    assert_eq!(vault.reserved(), 0);
}

#[actix_rt::test]
async fn a_small_cap_has_no_reserve() {
    let (budget, vault) = budget(3_000);
    budget.tend(300).await;
    assert_eq!(vault.reserved(), 0);
}

/// Grants, and answers too late for whoever asked.
#[derive(Debug)]
struct Slow(Fake);

impl Vault for Slow {
    fn reserve(&self, wanted: Vec<Draw>) -> BoxFuture<'_, Result<Reserved, VaultAway>> {
        async move {
            let _granted = self.0.reserve(wanted).await;
            std::future::pending().await
        }
        .boxed()
    }

    fn release(&self, ids: Vec<Id>) -> BoxFuture<'_, Result<(), VaultAway>> {
        self.0.release(ids)
    }
}

#[actix_rt::test]
async fn who_leaves_while_money_is_set_aside_strands_none() {
    let fake = Fake::of(1_000);
    let budget = Budget::capped(Box::new(Slow(fake.clone())), 1_000, SystemClock::shared(), SystemRandom::shared());
    assert!(budget.draw(300, Lane::Interactive).now_or_never().is_none());
    assert_eq!(fake.reserved(), 300);
    budget.tend(0).await;
    assert_eq!(fake.reserved(), 0);
}

#[actix_rt::test]
async fn for_requests_that_belong_together_there_is_money_for_all_or_for_none() {
    let (budget, vault) = budget(900);
    let drawn = budget.draw_all(&[300, 0, 200], Lane::Interactive).await.unwrap();
    assert_eq!(drawn.iter().map(|draw| draw.centavos).collect::<Vec<_>>(), [300, 200], "what is free needs none");
    assert!(budget.draw_all(&[300, 200], Lane::Interactive).await.is_err());
    assert_eq!(vault.reserved(), 500);
}

#[actix_rt::test]
async fn the_reserve_too_is_good_for_all_or_for_none() {
    let (budget, vault) = budget(100_000);
    budget.tend(300).await;
    vault.away(true);
    assert!(budget.draw(300, Lane::Interactive).await.is_ok());
    assert!(budget.draw_all(&[300, 200], Lane::Interactive).await.is_ok());
    assert!(budget.draw_all(&[300, 200], Lane::Interactive).await.is_err());
    assert!(budget.draw(300, Lane::Interactive).await.is_ok(), "the last portion was not lost");
    assert!(budget.draw(300, Lane::Interactive).await.is_err());
}
