//! What a try means for its process and for its list. Pure.

use std::time::Duration;

use crate::config::warm::WarmSettings;
use crate::coordinator::messages::LookupError;
use crate::domain::served::{Freshness, ServedFrom, StaleReason};
use crate::domain::warm::{ItemNext, ItemNote, ItemState, ListChange, PauseReason, TakenItem};
use crate::fetcher::messages::Failure;

/// How a try went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A copy that is good enough was held, and nobody was asked.
    Held {
        /// Where.
        from: ServedFrom,
        /// Whether it was fetched since the list was accepted.
        fetched_since: bool,
    },
    /// A fetch whose shard was replaced has come to its end.
    Followed(ServedFrom),
    /// The chain answered.
    Served {
        /// From where.
        from: ServedFrom,
        /// Whether that is what was wanted.
        freshness: Freshness,
        /// Centavos.
        cost_centavos: u64,
    },
    /// The chain had no answer.
    Refused(LookupError),
}

impl Seen {
    /// Whether the fetch may be going on although its reader was told otherwise.
    #[must_use]
    pub fn may_be_under_way(&self) -> bool {
        matches!(self, Self::Refused(LookupError::Recovering { .. }))
    }
}

/// What a try tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The process is settled.
    Settled(ItemState, &'static str),
    /// Everything is stopped; it has nothing to do with this process.
    Stopped(PauseReason, &'static str),
    /// The process failed, or everything is stopped: nobody can tell from one try.
    Doubtful(PauseReason, &'static str),
    /// The process failed, and the vendor answers.
    Failed(&'static str),
}

/// Decides what follows from a try; `fraction`: jitter in `[0, 1)`.
#[must_use]
pub fn after(item: &TakenItem, seen: &Seen, settings: &WarmSettings, fraction: f64) -> ItemNote {
    let (verdict, retry_after, cost_centavos) = judge(seen, item.claim);
    let is_trial = item.strikes > 0;
    let pause = |reason| ListChange::Pause {
        seconds: pause(item.strikes, retry_after, settings, fraction).as_secs_f64(),
        reason,
        strikes: item.strikes.saturating_add(1),
    };
    // Whatever the vendor answers ends what had stopped the list.
    let answered = if is_trial { ListChange::Resume } else { ListChange::None };
    let failures = item.attempts.saturating_add(1);
    let again = |attempts: u32| {
        // At least half, so that a process which cost money in vain is not tried again at once.
        let wait = settings.again.bound(attempts).mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0);
        let wait = wait.max(retry_after.unwrap_or_default().min(settings.again.cap));
        ItemNext::Again { after_seconds: wait.as_secs_f64() }
    };
    let (next, attempts, outcome, list) = match verdict {
        Verdict::Settled(state, outcome) => {
            // Where nobody was asked, nothing is known of what had stopped the list.
            let was_asked = !matches!(seen, Seen::Held { .. }) && state != ItemState::Known;
            let list = if is_trial && !was_asked { ListChange::TryNext } else { answered };
            (ItemNext::Over(state), item.attempts, outcome, list)
        }
        // The list's pause is its own.
        Verdict::Stopped(reason, outcome) => {
            (ItemNext::Again { after_seconds: 0.0 }, item.attempts, outcome, pause(reason))
        }
        Verdict::Doubtful(reason, outcome) => {
            // The vendor answered for the one before it, or for nobody for hours.
            let is_enough = failures >= settings.most_doubts || (failures >= settings.most_attempts && !is_trial);
            let next = if is_enough { ItemNext::Over(ItemState::Failed) } else { again(item.attempts) };
            (next, failures, outcome, pause(reason))
        }
        Verdict::Failed(outcome) => {
            let is_enough = failures >= settings.most_attempts;
            let next = if is_enough { ItemNext::Over(ItemState::Failed) } else { again(item.attempts) };
            (next, failures, outcome, answered)
        }
    };
    ItemNote { next, attempts, outcome, cost_centavos, list }
}

/// How long a list pauses: doubling, as long as whoever stopped it asks for, and never longer than the cap.
fn pause(strikes: u32, retry_after: Option<Duration>, settings: &WarmSettings, fraction: f64) -> Duration {
    let bound = settings.pause.bound(strikes);
    // At least half: nodes need no spreading, because one of them finds out for all.
    let wait = bound.mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0);
    wait.max(retry_after.unwrap_or_default()).min(settings.pause.cap)
}

fn judge(seen: &Seen, claim: u32) -> (Verdict, Option<Duration>, u64) {
    match seen {
        // It was taken before, by a node that did not live to say that it was bought.
        Seen::Held { from, fetched_since: true } if claim > 1 => {
            (Verdict::Settled(ItemState::Done, from.as_str()), None, 0)
        }
        Seen::Held { from, .. } => (Verdict::Settled(ItemState::Known, from.as_str()), None, 0),
        Seen::Followed(from) => (Verdict::Settled(ItemState::Done, from.as_str()), None, 0),
        Seen::Served { from, freshness, cost_centavos } => (served(*from, *freshness), None, *cost_centavos),
        Seen::Refused(error) => match error {
            LookupError::Unknown => (Verdict::Settled(ItemState::Unknown, "unknown"), None, 0),
            LookupError::Upstream { failure, retry_after, cost_centavos } => {
                (refused(*failure), Some(*retry_after), *cost_centavos)
            }
            LookupError::Overloaded { retry_after } => {
                (Verdict::Stopped(PauseReason::Overloaded, "overloaded"), Some(*retry_after), 0)
            }
            LookupError::Recovering { retry_after } => {
                (Verdict::Doubtful(PauseReason::Overloaded, "recovering"), Some(*retry_after), 0)
            }
            LookupError::NotHeld => (Verdict::Doubtful(PauseReason::Overloaded, "not-held"), None, 0),
        },
    }
}

fn served(from: ServedFrom, freshness: Freshness) -> Verdict {
    let word = |reason: PauseReason| (reason, reason.as_str());
    match freshness {
        Freshness::Fresh if from == ServedFrom::Api => Verdict::Settled(ItemState::Done, from.as_str()),
        Freshness::Fresh => Verdict::Settled(ItemState::Known, from.as_str()),
        Freshness::Stale(None) => Verdict::Doubtful(PauseReason::Overloaded, "not-asked"),
        Freshness::Stale(Some(reason)) => {
            let (pause, outcome) = word(reason.into());
            match reason {
                StaleReason::RateLimited
                | StaleReason::CreditsExhausted
                | StaleReason::BudgetExhausted
                | StaleReason::NoProvider => Verdict::Stopped(pause, outcome),
                // With a copy in hand one is not told whether it was the vendor or the process.
                StaleReason::UpstreamUnavailable | StaleReason::UpstreamTimeout | StaleReason::Revalidating => {
                    Verdict::Doubtful(pause, outcome)
                }
            }
        }
    }
}

fn refused(failure: Failure) -> Verdict {
    let (reason, outcome) = (failure.stale_reason().into(), failure.as_str());
    match failure {
        Failure::NoProvider
        | Failure::Unauthorized
        | Failure::NoCredit
        | Failure::BudgetExhausted
        | Failure::RateLimited => Verdict::Stopped(reason, outcome),
        Failure::Unreachable | Failure::ServerError | Failure::TimedOut => Verdict::Doubtful(reason, outcome),
        Failure::Refused | Failure::Unreadable | Failure::EndlessPages => Verdict::Failed(outcome),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
