//! How we stand with a vendor: whether it may be asked at all, after what it said last. Pure; one for each account, shared by all
//! processes, so that what one lookup learned the others need not learn again.
//!
//! | what happened | then |
//! |---|---|
//! | 401, 403 | nothing is asked; tried again slowly (for ever doubling, five minutes at the most) |
//! | 402, 403 about the balance | nothing is asked; the free balance route is, until it shows credit or tells nothing again and again |
//! | 429 | nothing is asked until `Retry-After`, or into the next minute |
//! | several failures in a row of one endpoint | nothing is asked for seconds, doubling up to half a minute |
//!
//! Failures are counted for each endpoint, because what is paid before the failing request is lost: a vendor that sells covers and
//! fails on movements must be noticed, and one failure more is enough when it goes on.
//!
//! What ends a hold is one trial: the first request after its time, while all others still wait. A result counts only if its request
//! was let through under the present state; what was on its way when the state changed says nothing about it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::messages::Failure;
use crate::ledger::call::{CallOutcome, Endpoint};
use crate::resilience::backoff::Backoff;
use crate::resilience::retry_budget::{RetryBudget, RetryBudgetSettings};

/// When asking stops, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct StandingSettings {
    /// Failures in a row that count as an outage.
    pub threshold: u32,
    /// Pauses during an outage.
    pub outage: Backoff,
    /// Pauses while the key is refused: somebody has to change a setting, so there is no hurry.
    pub unauthorized: Backoff,
    /// Pauses between looks at the balance: free, so as often as a person who has just paid would wish.
    pub no_credit: Backoff,
    /// How long a trial may go without a result before another one is let through.
    pub trial: Duration,
    /// How many failed requests may be sent again.
    pub retries: RetryBudgetSettings,
}

impl Default for StandingSettings {
    fn default() -> Self {
        let backoff = |base, cap| Backoff {
            base: Duration::from_secs(base),
            cap: Duration::from_secs(cap),
            stable_for: Duration::ZERO,
        };
        Self {
            threshold: 5,
            outage: backoff(2, 30),
            unauthorized: backoff(4, 300),
            no_credit: backoff(2, 60),
            trial: Duration::from_secs(20),
            retries: RetryBudgetSettings { per_mille: 100, most: 10, first: 2 },
        }
    }
}

/// Why asking has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldReason {
    /// The key is refused.
    Unauthorized,
    /// The account has no credit.
    NoCredit,
    /// The vendor limits us.
    RateLimited,
    /// It fails again and again.
    Outage,
}

impl HoldReason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unauthorized, Self::NoCredit, Self::RateLimited, Self::Outage];

    /// The word for logs, metrics and readiness.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NoCredit => "no-credit",
            Self::RateLimited => "rate-limited",
            Self::Outage => "outage",
        }
    }
}

/// Asking has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// What readers are told: of an outage, what the last failure was.
    pub failure: Failure,
    /// Since when.
    pub since: Instant,
    /// When the next trial may be made.
    pub until: Instant,
}

/// Permission to ask. What comes of it is reported with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what came of it is to be reported"]
pub struct Ticket {
    era: u64,
}

/// What a report changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Asking stops, or stays stopped for another reason.
    Stopped(Hold),
    /// Asking goes on.
    Resumed,
}

/// See the module.
#[derive(Debug)]
pub struct Standing {
    settings: StandingSettings,
    hold: Option<Hold>,
    /// Changes whenever a hold begins, goes on or ends.
    era: u64,
    /// Failures in a row of each endpoint that has not answered since.
    failures: HashMap<Endpoint, u32>,
    /// Holds in a row: they grow until something real succeeds.
    strikes: u32,
    retries: RetryBudget,
    /// The balance route cannot tell: then only a real request can.
    balance_is_mute: bool,
    /// Looks at the balance in a row that told nothing.
    deaf: u32,
}

/// After so many looks at the balance in a row that told nothing, one reader's request is the trial: the route itself may be what is
/// broken, or closed to the key.
const DEAF_PROBES: u32 = 5;

impl Standing {
    /// In good standing.
    #[must_use]
    pub fn new(settings: StandingSettings) -> Self {
        let retries = RetryBudget::new(settings.retries);
        let failures = HashMap::new();
        Self { settings, hold: None, era: 0, failures, strikes: 0, retries, balance_is_mute: false, deaf: 0 }
    }

    /// Whether a request may be sent now.
    ///
    /// # Errors
    /// The hold that stands against it, `until` moved to when it makes sense to come back.
    pub fn admit(&mut self, endpoint: Endpoint, now: Instant) -> Result<Ticket, Hold> {
        self.check(endpoint, now)?;
        let trial = later(now, self.settings.trial);
        // A look at the balance tells nothing of an outage or a limit: it must not take the turn of a request that does.
        if let Some(hold) = self.hold.filter(|hold| endpoint != Endpoint::Balance || self.is_probed(hold)) {
            self.hold = Some(Hold { until: trial, ..hold });
        }
        Ok(Ticket { era: self.era })
    }

    /// As [`Standing::admit`], for whoever is not about to send yet.
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, endpoint: Endpoint, now: Instant) -> Result<(), Hold> {
        match self.hold {
            Some(hold) if now < hold.until => Err(hold),
            // Without credit, or with a bad key, the free route finds out; no reader has to.
            Some(hold) if self.is_probed(&hold) && endpoint != Endpoint::Balance => {
                Err(Hold { until: later(now, self.settings.outage.base), ..hold })
            }
            _ => Ok(()),
        }
    }

    /// Whether it is time to look at the balance, so that asking can go on.
    #[must_use]
    pub fn wants_probe(&self, now: Instant) -> bool {
        self.hold.is_some_and(|hold| self.is_probed(&hold) && now >= hold.until)
    }

    fn is_probed(&self, hold: &Hold) -> bool {
        let is_told = matches!(hold.reason, HoldReason::NoCredit | HoldReason::Unauthorized);
        is_told && !self.balance_is_mute && self.deaf < DEAF_PROBES
    }

    /// The balance route gave no usable answer, or there is none: from now on a reader's request is the trial.
    pub fn balance_is_mute(&mut self, now: Instant) {
        self.balance_is_mute = true;
        if let Some(hold) = &mut self.hold {
            hold.until = now;
        }
    }

    /// The present hold.
    #[must_use]
    pub fn hold(&self) -> Option<Hold> {
        self.hold
    }

    /// Takes one retry out of what is left for all requests together. While nothing is asked there is nothing to repeat, unless it is a
    /// limit that will have passed by then.
    pub fn may_retry(&mut self) -> bool {
        self.hold.is_none_or(|hold| hold.reason == HoldReason::RateLimited) && self.retries.take()
    }

    /// Notes a first try, of which retries are a share.
    pub fn tried(&mut self) {
        self.retries.tried();
    }

    /// Reports what came of a request. `advice`: when the vendor would have us come back; `fraction`: jitter in `[0, 1)`.
    pub fn report(
        &mut self,
        ticket: Ticket,
        endpoint: Endpoint,
        outcome: CallOutcome,
        advice: Option<Duration>,
        (now, fraction): (Instant, f64),
    ) -> Change {
        let reason = match meaning(outcome) {
            Meaning::Answers => return self.answered(ticket, endpoint),
            Meaning::Says(reason) => reason,
            Meaning::Trouble if self.hold.is_none() => {
                if !self.is_current(ticket) {
                    return Change::None;
                }
                let threshold = self.settings.threshold.max(1);
                let failures = self.failures.entry(endpoint).or_default();
                *failures = failures.saturating_add(1);
                if *failures < threshold {
                    return Change::None;
                }
                // After the pause one more is enough, unless it answers.
                *failures = threshold.saturating_sub(1);
                HoldReason::Outage
            }
            // A trial that fails otherwise than before does not tell what it was sent to find out.
            Meaning::Trouble => self.hold.map_or(HoldReason::Outage, |hold| hold.reason),
            Meaning::Nothing => return Change::None,
        };
        if self.is_current(ticket) {
            self.deaf = if endpoint == Endpoint::Balance { self.deaf.saturating_add(1) } else { 0 };
        }
        let already = self.hold.is_some_and(|hold| hold.reason == reason);
        if !self.is_current(ticket) && (already || reason == HoldReason::Outage) {
            return Change::None;
        }
        self.stop(reason, failure(outcome), advice, now, fraction)
    }

    /// The balance, as a probe found it.
    pub fn has_credit(&mut self, has_credit: bool, (now, fraction): (Instant, f64)) -> Change {
        self.deaf = 0;
        match (self.hold.map(|hold| hold.reason), has_credit) {
            (Some(HoldReason::NoCredit | HoldReason::Unauthorized), true) => self.resume(),
            // The key is accepted again, but there is nothing to spend.
            (Some(HoldReason::NoCredit | HoldReason::Unauthorized), false) => {
                self.stop(HoldReason::NoCredit, Failure::NoCredit, None, now, fraction)
            }
            _ => Change::None,
        }
    }

    fn answered(&mut self, ticket: Ticket, endpoint: Endpoint) -> Change {
        if endpoint == Endpoint::Balance || !self.is_current(ticket) {
            return Change::None;
        }
        self.failures.remove(&endpoint);
        if self.failures.is_empty() {
            self.strikes = 0;
        }
        if self.hold.is_some() { self.resume() } else { Change::None }
    }

    fn resume(&mut self) -> Change {
        self.hold = None;
        self.era = self.era.wrapping_add(1);
        Change::Resumed
    }

    fn stop(
        &mut self,
        reason: HoldReason,
        failure: Failure,
        advice: Option<Duration>,
        now: Instant,
        fraction: f64,
    ) -> Change {
        let strikes = if self.hold.is_none_or(|hold| hold.reason == reason) { self.strikes } else { 0 };
        let backoff = match reason {
            HoldReason::Unauthorized => self.settings.unauthorized,
            HoldReason::NoCredit => self.settings.no_credit,
            HoldReason::Outage | HoldReason::RateLimited => self.settings.outage,
        };
        // At least half of the bound: a jitter down to nothing would be no pause.
        let pause = backoff.bound(strikes).mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0);
        let pause =
            advice.map_or(pause, |advice| if reason == HoldReason::RateLimited { advice } else { advice.max(pause) });
        let since = self.hold.filter(|hold| hold.reason == reason).map_or(now, |hold| hold.since);
        let hold = Hold { reason, failure, since, until: later(now, pause) };
        self.hold = Some(hold);
        self.strikes = strikes.saturating_add(1);
        self.era = self.era.wrapping_add(1);
        Change::Stopped(hold)
    }

    fn is_current(&self, ticket: Ticket) -> bool {
        ticket.era == self.era
    }
}

enum Meaning {
    /// The vendor is there and deals with us.
    Answers,
    /// It says why it does not.
    Says(HoldReason),
    /// Something is wrong with it, or with the way to it.
    Trouble,
    /// It says nothing about the vendor.
    Nothing,
}

fn meaning(outcome: CallOutcome) -> Meaning {
    match outcome {
        CallOutcome::Ok | CallOutcome::Unknown | CallOutcome::Busy | CallOutcome::Refused => Meaning::Answers,
        CallOutcome::Unauthorized => Meaning::Says(HoldReason::Unauthorized),
        CallOutcome::NoCredit => Meaning::Says(HoldReason::NoCredit),
        CallOutcome::RateLimited => Meaning::Says(HoldReason::RateLimited),
        CallOutcome::ServerError | CallOutcome::Unreachable | CallOutcome::TimedOut | CallOutcome::Unreadable => {
            Meaning::Trouble
        }
        CallOutcome::Interrupted => Meaning::Nothing,
    }
}

/// What an outcome means to whoever asked.
#[must_use]
pub fn failure(outcome: CallOutcome) -> Failure {
    match outcome {
        CallOutcome::Unauthorized => Failure::Unauthorized,
        CallOutcome::NoCredit => Failure::NoCredit,
        CallOutcome::Refused | CallOutcome::Busy => Failure::Refused,
        CallOutcome::RateLimited => Failure::RateLimited,
        CallOutcome::ServerError => Failure::ServerError,
        CallOutcome::TimedOut => Failure::TimedOut,
        CallOutcome::Unreachable | CallOutcome::Interrupted => Failure::Unreachable,
        CallOutcome::Ok | CallOutcome::Unknown | CallOutcome::Unreadable => Failure::Unreadable,
    }
}

fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or(now)
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
