//! One cycle: choose, claim, refresh, again while there is something to do; then clean up, and end the run.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::{sleep, timeout_at};

use super::choice::{Choice, choose};
use super::lease::Lease;
use super::refresher::{Refresh, RefreshFailure};
use super::verdict::{Strikes, Vendor, Verdict, judge};
use super::worker::Worker;
use crate::config::sync::SyncSettings;
use crate::postgres_tier::sync::messages::{
    self as book, Claim, Claimant, Claimed, Clean, EndRun, Finish, Outlook, ReadOutlook, Run,
};
use crate::postgres_tier::sync::words::{ClaimRefusal, ClaimState, Ending};
use crate::resilience::{Allowance, Deadline};

/// What a refresh may be late before it is given up by us: it keeps its deadline itself.
const GRACE: Duration = Duration::from_secs(1);

/// Rounds in a row in which nothing could be taken: whoever else is at these processes is left alone then.
const MOST_IDLE_ROUNDS: u32 = 3;

/// The pauses between attempts to write a result down; bounded by the claim itself.
const WRITE_AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Attempts to end a run; what stays open is gone on with, which costs another look at what is due.
const END_ATTEMPTS: u32 = 3;

/// What became of one choice.
pub(super) enum Step {
    /// It was not taken.
    Refused(ClaimRefusal),
    /// Nobody knows whether it was: its claim ends by itself.
    Unclear,
    /// It was asked for.
    Done(Vendor),
}

/// How a round went.
enum Round {
    /// At least one process was asked for.
    Worked,
    /// None could be taken.
    Idle,
    /// There is no use in another one.
    Over(Ending),
    /// It is not ours any more, or the database is away: somebody goes on with it.
    BrokenOff,
}

impl Worker {
    /// Works on a run until it ends. None: it is left open for whoever leads next.
    pub(super) async fn cycle(&self, lease: &Lease, run: &Run) -> Option<Run> {
        let by = book::Worker { node: self.node, epoch: lease.epoch, run: run.id };
        let ending = self.refresh_all(lease, by).await?;
        let cleaned = self.clean_up(|| lease.holds(self.monotonic())).await;
        if !lease.holds(self.monotonic()) {
            return None;
        }
        for _ in 0..END_ATTEMPTS {
            match self.around.book.end_run(EndRun { by, ending, cleaned }).await {
                Ok(ended) => return ended,
                Err(error) => tracing::debug!(run = run.id, error = error.as_str(), "a run cannot be ended yet"),
            }
            sleep(WRITE_AGAIN.0).await;
        }
        None
    }

    async fn refresh_all(&self, lease: &Lease, by: book::Worker) -> Option<Ending> {
        if self.settings.daily_limit == 0 {
            return Some(Ending::Off);
        }
        let (mut strikes, mut idle) = (Strikes::default(), 0);
        loop {
            match self.round(lease, by, &mut strikes).await {
                Round::Worked => idle = 0,
                Round::Idle => idle += 1,
                Round::Over(ending) => return Some(ending),
                Round::BrokenOff => return None,
            }
            if idle >= MOST_IDLE_ROUNDS {
                return Some(Ending::Completed);
            }
        }
    }

    async fn round(&self, lease: &Lease, by: book::Worker, strikes: &mut Strikes) -> Round {
        if !lease.holds(self.monotonic()) {
            return Round::BrokenOff;
        }
        let SyncSettings { window, slice, interest, daily_limit, .. } = self.settings;
        let read = ReadOutlook { run: by.run, window, slice, interest };
        let Ok(Outlook { now, calls, candidates }) = self.around.book.outlook(read).await else {
            return Round::BrokenOff;
        };
        let left = u32::try_from(u64::from(daily_limit).saturating_sub(calls)).unwrap_or(u32::MAX);
        if left == 0 {
            return Round::Over(Ending::DayLimit);
        }
        let failures: Vec<_> = candidates.iter().map(|candidate| (candidate.cnj, candidate.failures)).collect();
        let failures_of =
            |choice: &Choice| failures.iter().find(|(cnj, _)| *cnj == choice.cnj).map_or(0, |(_, failures)| *failures);
        let choices = choose(candidates.clone(), now, left, &self.rules);
        if choices.is_empty() {
            // What would be chosen on a day without a limit does not fit what is left of this one.
            let is_anything_due = !choose(candidates, now, u32::MAX, &self.rules).is_empty();
            return Round::Over(if is_anything_due { Ending::DayLimit } else { Ending::Completed });
        }
        let refreshes = choices.iter().map(|choice| self.refresh(lease, by, choice, failures_of(choice)));
        let steps = join_all(refreshes).await;
        self.conclude(&steps, strikes)
    }

    fn conclude(&self, steps: &[Step], strikes: &mut Strikes) -> Round {
        let (mut worked, mut ending, mut stale, mut full) = (false, None, false, false);
        for step in steps {
            match step {
                Step::Refused(ClaimRefusal::StaleEpoch) => stale = true,
                Step::Refused(ClaimRefusal::DayLimit) => full = true,
                Step::Refused(_) | Step::Unclear => {}
                Step::Done(vendor) => {
                    worked = true;
                    ending = ending.or(strikes.note(*vendor, self.settings.most_strikes));
                }
            }
        }
        match ending {
            Some(ending) => Round::Over(ending),
            None if stale => Round::BrokenOff,
            None if worked => Round::Worked,
            None if full => Round::Over(Ending::DayLimit),
            None => Round::Idle,
        }
    }

    /// Takes one process of the batch while the lead holds.
    async fn refresh(&self, lease: &Lease, by: book::Worker, choice: &Choice, failures: u32) -> Step {
        let began = self.monotonic();
        if !lease.holds(began) {
            return Step::Refused(ClaimRefusal::StaleEpoch);
        }
        self.take_and_refresh(Claimant::Leader(by), began, choice, failures).await
    }

    /// Takes one process for whoever may, refreshes it, and writes down what came of it. `began`: from before anything was decided.
    pub(super) async fn take_and_refresh(&self, by: Claimant, began: Instant, choice: &Choice, failures: u32) -> Step {
        let claim_lease = self.settings.claim_lease();
        let daily_limit = self.settings.daily_limit;
        let claim = Claim { by, choice: choice.clone(), lease: claim_lease, daily_limit };
        match self.around.book.claim(claim).await {
            Ok(Claimed::Claimed) => {}
            Ok(Claimed::Refused(refusal)) => {
                tracing::debug!(cnj = %choice.cnj, refusal = refusal.as_str(), "not taken");
                return Step::Refused(refusal);
            }
            Err(error) => {
                tracing::debug!(cnj = %choice.cnj, error = error.as_str(), "not known whether it is taken");
                return Step::Unclear;
            }
        }
        // Both are counted from before the question: the claim lasts at least as long, whatever the database's clock says, so whoever
        // was paused in between finds its time over and begins nothing.
        let deadline = Deadline::after(began, self.settings.refresh_within);
        let (verdict, cost_centavos) = self.ask(choice, failures, deadline).await;
        self.around.metrics.count_sync(verdict.outcome.as_str());
        let finish = Finish {
            by,
            cnj: choice.cnj,
            outcome: verdict.outcome,
            calls: verdict.calls,
            cost_centavos,
            is_failure: verdict.is_failure,
            retry_in: verdict.retry_in,
        };
        self.write_down(finish, Deadline::after(began, claim_lease).instant()).await;
        Step::Done(verdict.vendor)
    }

    async fn ask(&self, choice: &Choice, failures: u32, deadline: Deadline) -> (Verdict, u64) {
        if deadline.is_over(self.monotonic()) {
            let late = Verdict {
                outcome: ClaimState::Late,
                calls: 0,
                is_failure: false,
                retry_in: None,
                vendor: Vendor::Unheard,
            };
            return (late, 0);
        }
        let _under_way = self.around.reins.begin();
        let allowance = Allowance::of(choice.calls);
        let asked = self.around.refresher.refresh(choice.cnj, allowance.clone(), deadline);
        let in_time = timeout_at(Deadline::after(deadline.instant(), GRACE).instant().into(), asked).await;
        let refresh = in_time.unwrap_or(Refresh { outcome: Err(RefreshFailure::NotYet), cost_centavos: 0 });
        let counts = (choice.calls, allowance.drawn());
        let verdict = judge(&refresh, counts, failures, self.around.random.fraction(), &self.settings);
        (verdict, refresh.cost_centavos)
    }

    /// What was paid is written down also when the lead is lost, and while the database is away for a moment. After the claim's end
    /// somebody else may have the process, and what was set aside stays counted.
    async fn write_down(&self, finish: Finish, until: Instant) {
        let (mut pause, longest) = WRITE_AGAIN;
        loop {
            match self.around.book.finish(finish.clone()).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::debug!(cnj = %finish.cnj, "a refresh came too late to be written down");
                    return;
                }
                Err(error) => {
                    tracing::debug!(cnj = %finish.cnj, error = error.as_str(), "a refresh cannot be written down yet");
                }
            }
            if self.monotonic() + pause >= until {
                tracing::warn!(cnj = %finish.cnj, "a refresh could not be written down; its requests stay counted");
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Removes what nobody confirmed for the retention, a few at a time. How many processes and movements went.
    async fn clean_up(&self, goes_on: impl Fn() -> bool) -> u64 {
        let Some(retention) = self.settings.retention else { return 0 };
        let clean = Clean { retention, most: self.settings.clean_batch };
        let mut cleaned = 0_u64;
        for _ in 0..self.settings.most_clean_batches {
            if !goes_on() {
                break;
            }
            match self.around.book.clean(clean).await {
                Ok(0) => break,
                Ok(removed) => cleaned = cleaned.saturating_add(removed),
                Err(error) => {
                    tracing::warn!(error = error.as_str(), "not everything could be cleaned up");
                    break;
                }
            }
        }
        cleaned
    }
}
