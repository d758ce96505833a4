//! What readers wish refreshed a little before it expires, so that none of them finds it expired. On every node, whoever leads: a claim
//! makes one of them do it.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::choice::{Choice, Rules, choose};
use super::cycle::Step;
use super::verdict::{Strikes, Vendor};
use super::worker::Worker;
use crate::coordinator::early::HORIZON;
use crate::domain::cnj::Cnj;
use crate::postgres_tier::sync::messages::{Claimant, Outlook, ReadExpiring};

/// Refreshes under way at once on one node: they are beside the cycles' batches, and readers are not to wait behind them.
const AT_ONCE: usize = 4;

/// Readers of a busy process wish for it all the time; more often than this nobody looks whether there is something to do. A few times
/// within the horizon, so that what could not be read is read again in time.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Wishes that rest are remembered; beyond that all are looked at again, which costs a read each.
const MOST_RESTING: usize = 4096;

/// Lifetimes shorter than this many horizons are left alone: their copies would be refreshed again as soon as they are there.
const LEAST_HORIZONS: i32 = 2;

/// How to wait before looking at wishes, and until when.
#[derive(Default)]
struct Rest {
    looked: HashMap<Cnj, Instant>,
    /// At most [`AT_ONCE`] that are being looked at.
    busy: Vec<Cnj>,
    closed_until: Option<Instant>,
}

impl Rest {
    /// Whether a wish is to be looked at now; it then rests, and is busy until [`Self::done`].
    fn is_due(&mut self, cnj: Cnj, now: Instant) -> bool {
        // Claims of one node for one expiry are one claim: it must never work on it twice at once.
        if self.busy.contains(&cnj) || self.closed_until.is_some_and(|until| now < until) {
            return false;
        }
        let rests = |since: &Instant| now.saturating_duration_since(*since) < LOOK_AGAIN;
        if self.looked.get(&cnj).is_some_and(rests) {
            return false;
        }
        if self.looked.len() >= MOST_RESTING {
            self.looked.retain(|_, since| rests(since));
        }
        if self.looked.len() >= MOST_RESTING {
            self.looked.clear();
        }
        self.looked.insert(cnj, now);
        self.busy.push(cnj);
        true
    }

    fn done(&mut self, cnj: Cnj) {
        self.busy.retain(|busy| *busy != cnj);
    }
}

impl Worker {
    /// Refreshes what readers wish, until it is told to stop; what is under way then is finished. Nothing where nothing is to be spent.
    pub(super) async fn heed_wishes(&self) {
        if self.settings.daily_limit == 0 {
            return;
        }
        let (mut rest, mut strikes) = (Rest::default(), Strikes::default());
        let mut under_way = FuturesUnordered::new();
        let mut is_more = false;
        loop {
            tokio::select! {
                biased;
                () = self.around.reins.stopped() => break,
                Some((cnj, vendor)) = under_way.next() => {
                    rest.done(cnj);
                    if strikes.note(vendor, self.settings.most_strikes).is_some() {
                        // There is no use in asking for the next process either, for now.
                        strikes = Strikes::default();
                        rest.closed_until = self.monotonic().checked_add(self.settings.first_backoff);
                    }
                }
                () = self.some_wish(&mut is_more), if under_way.len() < AT_ONCE => {
                    let room = AT_ONCE.saturating_sub(under_way.len());
                    let wishes = self.around.wishes.take(room);
                    is_more = wishes.len() >= room;
                    let now = self.monotonic();
                    let due = wishes.into_iter().filter(|(cnj, _)| rest.is_due(*cnj, now));
                    under_way.extend(due.map(|(cnj, _)| self.heed(cnj)));
                }
            }
        }
        while under_way.next().await.is_some() {}
    }

    /// Resolves when there may be a wish. Loses none when it is dropped.
    async fn some_wish(&self, is_more: &mut bool) {
        if !*is_more {
            self.around.wishes.added().await;
            *is_more = true;
        }
    }

    /// Refreshes one process, if it is time and nobody else does; says what it heard of the vendor.
    async fn heed(&self, cnj: Cnj) -> (Cnj, Vendor) {
        match AssertUnwindSafe(self.refresh_early(cnj)).catch_unwind().await {
            Ok(vendor) => (cnj, vendor),
            Err(_logged_by_the_hook) => {
                tracing::error!(%cnj, "an early refresh panicked; its claim ends by itself");
                (cnj, Vendor::Unheard)
            }
        }
    }

    async fn refresh_early(&self, cnj: Cnj) -> Vendor {
        let began = self.monotonic();
        let within = HORIZON.to_std().unwrap_or_default();
        let outlook = match self.around.book.expiring(ReadExpiring { cnj, within }).await {
            Ok(outlook) => outlook,
            Err(error) => {
                tracing::debug!(%cnj, error = error.as_str(), "not known whether it is to be refreshed early");
                return Vendor::Unheard;
            }
        };
        let Some((choice, failures)) = choose_early(outlook, self.settings.daily_limit, &self.rules) else {
            return Vendor::Unheard;
        };
        let by = Claimant::Reader(self.node);
        match self.take_and_refresh(by, began, &choice, failures).await {
            Step::Done(vendor) => vendor,
            Step::Refused(_) | Step::Unclear => Vendor::Unheard,
        }
    }
}

/// What is refreshed early, with its failures so far: what the day has left for it, and what does not always expire within the horizon.
fn choose_early(outlook: Outlook, daily_limit: u32, rules: &Rules) -> Option<(Choice, u32)> {
    let Outlook { now, calls, mut candidates } = outlook;
    let left = u32::try_from(u64::from(daily_limit).saturating_sub(calls)).unwrap_or(u32::MAX);
    candidates.retain(|candidate| candidate.valid_until - candidate.last_sync >= HORIZON * LEAST_HORIZONS);
    let failures = candidates.first()?.failures;
    let rules = Rules { window: HORIZON.to_std().unwrap_or_default(), batch: 1, ..*rules };
    let choice = choose(candidates, now, left, &rules).pop()?;
    let explanation = format!("its readers would find it expired: {}", choice.explanation);
    Some((Choice { explanation, ..choice }, failures))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::ambient::{Clock, SystemClock};
    use crate::domain::sample::instant;
    use crate::scheduler::choice::Candidate;

    fn number() -> Cnj {
        Cnj::parse("0000001-39.2024.8.26.0100").unwrap()
    }

    fn outlook(calls: u64, lived: i64, left: i64) -> Outlook {
        let now: DateTime<Utc> = instant(0);
        let candidate = Candidate {
            cnj: number(),
            valid_until: now + TimeDelta::seconds(left),
            last_sync: now - TimeDelta::seconds(lived),
            change_rate: None,
            watched: false,
            reads_per_day: 0.0,
            total_movements: 3,
            failures: 2,
        };
        Outlook { now, calls, candidates: vec![candidate] }
    }

    #[test]
    fn only_what_lives_long_enough_is_about_to_expire_and_fits_the_day() {
        let chosen = |calls, lived, left| choose_early(outlook(calls, lived, left), 200, &Rules::default());
        let (choice, failures) = chosen(0, 3600, 30).unwrap();
        assert_eq!((choice.valid_until, failures), (instant(30), 2));
        assert!(choice.explanation.starts_with("its readers would find it expired: about to expire"));
        assert!(chosen(200, 3600, 30).is_none(), "the day is used up");
        assert!(chosen(0, 89, 30).is_none(), "it always expires soon");
        assert!(chosen(0, 90, 30).is_some());
        assert!(chosen(0, 3600, 61).is_none(), "too early");
        assert!(choose_early(Outlook { candidates: Vec::new(), ..outlook(0, 0, 0) }, 200, &Rules::default()).is_none());
    }

    #[test]
    fn a_wish_that_comes_all_the_time_is_looked_at_now_and_then() {
        let (mut rest, start, cnj) = (Rest::default(), SystemClock.monotonic(), number());
        assert!(rest.is_due(cnj, start));
        assert!(!rest.is_due(cnj, start + LOOK_AGAIN), "somebody is at it");
        rest.done(cnj);
        assert!(!rest.is_due(cnj, start + LOOK_AGAIN / 2));
        assert!(rest.is_due(cnj, start + LOOK_AGAIN));
        rest.done(cnj);
        rest.closed_until = Some(start + 9 * LOOK_AGAIN);
        assert!(!rest.is_due(cnj, start + 8 * LOOK_AGAIN), "the vendor is away");
        assert!(rest.is_due(cnj, start + 9 * LOOK_AGAIN));
    }
}
