//! What to do next with a request to look at the court: a pure function of what is stored, what the vendor says, and the time.
//!
//! ```text
//! Asked ─► Open ─► Refreshing ─► Succeeded
//!   │       ▲ │        └────────► NotFound, Expired
//!   ▼       │ └─────────────────► NotFound, Failed, Expired
//! Uncertain ┴───────────────────► Failed (never accepted), NotFound, Expired
//! ```
//! Asking costs money and is done once: whatever is not certain is found out from the vendor's status, which is free.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::court::CourtError;
use super::refresher::{RefreshError, Refreshed};
use crate::config::updates::UpdateSettings;
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::update::{Stage, UpdateRecord};
use crate::domain::version::later;
use crate::fetcher::messages::Failure;
use crate::fetcher::update_messages::{UpdateRequested, UpdateState, UpdateStatus, VendorUpdate};
use crate::resilience::Backoff;

/// How somebody's wish for an update begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// A request is under way: this one joins it, and nobody is asked.
    Join,
    /// None is: the vendor's status is read first, it may know of one.
    Look,
    /// One is said to be under way, for longer than it may be: the vendor's status decides whether it still counts.
    Review,
}

/// Decides it.
#[must_use]
pub fn opening(stored: Option<&UpdateRecord>, now: DateTime<Utc>, settings: &UpdateSettings) -> Opening {
    let Some(record) = stored.filter(|record| !record.stage.is_over()) else {
        return Opening::Look;
    };
    let patience = match record.stage {
        Stage::Asked | Stage::Uncertain => settings.uncertain_for.min(settings.give_up_after),
        _ => settings.give_up_after,
    };
    if age(record, now) >= patience { Opening::Review } else { Opening::Join }
}

/// The record of a request that is about to be sent. It is stored before, so that a crash leaves a trace; it is looked at again when
/// the answer would have come.
#[must_use]
pub fn asked(
    cnj: Cnj,
    caller: Caller,
    stored: Option<&UpdateRecord>,
    previous: Option<VendorUpdate>,
    now: DateTime<Utc>,
    settings: &UpdateSettings,
) -> UpdateRecord {
    let due = later(now, settings.request_within + settings.first_poll);
    UpdateRecord {
        cnj,
        stage: Stage::Asked,
        vendor_id: None,
        previous_id: previous.map(|update| update.id),
        adopted: false,
        requested_at: name(stored, now),
        learned_at: None,
        concluded_at: None,
        next_check_at: Some(due),
        checks: 0,
        refreshes: 0,
        cost_centavos: 0,
        client: caller.as_str().to_owned(),
    }
}

/// The record of a request that was open at the vendor already, whoever made it.
#[must_use]
pub fn adopted(
    cnj: Cnj,
    caller: Caller,
    stored: Option<&UpdateRecord>,
    open: VendorUpdate,
    now: DateTime<Utc>,
    settings: &UpdateSettings,
) -> UpdateRecord {
    let record = UpdateRecord { adopted: true, ..asked(cnj, caller, stored, None, now, settings) };
    step(UpdateRecord { stage: Stage::Open, vendor_id: Some(open.id), ..record }, now, settings.first_poll)
}

/// What a request is when nothing of it can be stored or read, from the vendor's status alone.
#[must_use]
pub fn as_the_vendor_tells(cnj: Cnj, update: VendorUpdate, now: DateTime<Utc>) -> UpdateRecord {
    let stage = match update.state {
        UpdateState::Open => Stage::Open,
        UpdateState::Succeeded => Stage::Succeeded,
        UpdateState::NotFound => Stage::NotFound,
        UpdateState::Failed => Stage::Failed,
    };
    UpdateRecord {
        cnj,
        stage,
        vendor_id: Some(update.id),
        previous_id: None,
        adopted: true,
        requested_at: update.created_at.unwrap_or(now),
        learned_at: None,
        concluded_at: update.concluded_at.filter(|_| stage.is_over()),
        next_check_at: None,
        checks: 0,
        refreshes: 0,
        cost_centavos: 0,
        client: String::new(),
    }
}

/// What became of sending a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The vendor has it, or it may have it: it is followed.
    Going,
    /// The vendor does not know the process.
    Unknown,
    /// It was certainly not accepted, and the caller is told why.
    Refused,
}

/// The record after the vendor's answer to our request, or after none came.
#[must_use]
pub fn after_request(
    record: UpdateRecord,
    said: &Result<UpdateRequested, CourtError>,
    now: DateTime<Utc>,
    settings: &UpdateSettings,
) -> (UpdateRecord, Sent) {
    let cost_centavos = record.cost_centavos.saturating_add(match said {
        Ok(requested) => requested.cost_centavos,
        Err(error) => error.cost_centavos(),
    });
    let record = UpdateRecord { cost_centavos, ..record };
    match said {
        Ok(UpdateRequested { update: None, busy: false, .. }) => {
            (end(record, Stage::NotFound, None, now), Sent::Unknown)
        }
        Ok(UpdateRequested { update, busy, .. }) => {
            let vendor_id = update.map(|update| update.id);
            let record = UpdateRecord { stage: Stage::Open, vendor_id, adopted: *busy, ..record };
            (step(record, now, settings.first_poll), Sent::Going)
        }
        Err(error) if may_have_been_accepted(error) => {
            (step(UpdateRecord { stage: Stage::Uncertain, ..record }, now, settings.first_poll), Sent::Going)
        }
        Err(_) => (end(record, Stage::Failed, None, now), Sent::Refused),
    }
}

/// Whether the vendor may have got, and charged, a request that ended so. In doubt it may: a second one could be paid twice.
#[must_use]
pub fn may_have_been_accepted(error: &CourtError) -> bool {
    match error {
        CourtError::NotAsked => false,
        CourtError::Unanswered => true,
        CourtError::Vendor(error) if error.cost_centavos > 0 => true,
        CourtError::Vendor(error) => match error.failure {
            Failure::TimedOut
            | Failure::Unreachable
            | Failure::ServerError
            | Failure::Unreadable
            | Failure::EndlessPages => true,
            Failure::NoProvider
            | Failure::Unauthorized
            | Failure::NoCredit
            | Failure::BudgetExhausted
            | Failure::Refused
            | Failure::RateLimited => false,
        },
    }
}

/// What a look at the vendor's status showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The vendor answered.
    Told(UpdateStatus),
    /// It did not; perhaps it says when it would.
    Silent {
        /// When to come back.
        retry_after: Option<Duration>,
    },
}

/// What comes next, with the record to store first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Look again at `next_check_at`.
    Wait(UpdateRecord),
    /// Renew our copy, if this step is ours: another node may have taken it.
    Refresh(UpdateRecord),
    /// Nothing more.
    Over(UpdateRecord),
}

/// Decides after a look at the vendor's status; for a record that is not being refreshed yet, nor over.
#[must_use]
pub fn after_status(record: UpdateRecord, seen: &Seen, now: DateTime<Utc>, settings: &UpdateSettings) -> Step {
    if record.stage == Stage::Refreshing {
        return refresh(record, now, settings);
    }
    let age = age(&record, now);
    let told = match seen {
        Seen::Told(status) => Some(status),
        Seen::Silent { .. } => None,
    };
    // One that is open is ours, or as good as ours: the vendor has one at a time.
    let news = told
        .and_then(|status| status.update)
        .filter(|update| update.state == UpdateState::Open || Some(update.id) != record.previous_id);
    let record = match news {
        Some(update) => UpdateRecord { vendor_id: Some(update.id), ..record },
        None => record,
    };
    let concluded_at = news.and_then(|update| update.concluded_at);
    match news.map(|update| update.state) {
        Some(UpdateState::Succeeded) => {
            let record = UpdateRecord {
                stage: Stage::Refreshing,
                learned_at: Some(now),
                concluded_at: Some(concluded_at.unwrap_or(now)),
                ..record
            };
            refresh(record, now, settings)
        }
        Some(UpdateState::NotFound) => Step::Over(end(record, Stage::NotFound, concluded_at, now)),
        Some(UpdateState::Failed) => Step::Over(end(record, Stage::Failed, concluded_at, now)),
        _ if age >= settings.give_up_after => Step::Over(end(record, Stage::Expired, None, now)),
        Some(UpdateState::Open) => wait(UpdateRecord { stage: Stage::Open, ..record }, seen, now, settings),
        None if record.stage == Stage::Open => wait(record, seen, now, settings),
        None if told.is_some() && age >= settings.uncertain_for => Step::Over(end(record, Stage::Failed, None, now)),
        None => wait(UpdateRecord { stage: Stage::Uncertain, ..record }, seen, now, settings),
    }
}

/// The record after our copy was renewed, or was not.
#[must_use]
pub fn after_refresh(
    record: UpdateRecord,
    outcome: &Result<Refreshed, RefreshError>,
    now: DateTime<Utc>,
    settings: &UpdateSettings,
) -> UpdateRecord {
    let spent = match outcome {
        Ok(refreshed) => refreshed.cost_centavos,
        Err(RefreshError::Unknown) => 0,
        Err(RefreshError::NotYet { cost_centavos, .. }) => *cost_centavos,
    };
    let record = UpdateRecord { cost_centavos: record.cost_centavos.saturating_add(spent), ..record };
    match outcome {
        Ok(_) => end(record, Stage::Succeeded, None, now),
        // The vendor has looked and has nothing to show.
        Err(RefreshError::Unknown) => end(record, Stage::NotFound, None, now),
        Err(RefreshError::NotYet { retry_after, paid, .. }) => {
            let refreshes = if *paid { record.refreshes } else { record.refreshes.saturating_sub(1) };
            let record = UpdateRecord { refreshes, ..record };
            if refreshes >= settings.most_refreshes || age(&record, now) >= settings.give_up_after {
                return end(record, Stage::Expired, None, now);
            }
            // As long again as it has taken so far.
            let taken = record.learned_at.map_or(Duration::ZERO, |since| span(since, now));
            let pause = taken.max(retry_after.unwrap_or_default()).clamp(settings.first_poll, settings.longest_poll);
            step(record, now, pause)
        }
    }
}

/// Begins a renewal of our copy. It is counted before it begins: a crash in the middle must not buy for ever.
fn refresh(record: UpdateRecord, now: DateTime<Utc>, settings: &UpdateSettings) -> Step {
    if record.refreshes >= settings.most_refreshes {
        return Step::Over(end(record, Stage::Expired, None, now));
    }
    let refreshes = record.refreshes.saturating_add(1);
    Step::Refresh(step(UpdateRecord { refreshes, ..record }, now, settings.lease()))
}

fn wait(record: UpdateRecord, seen: &Seen, now: DateTime<Utc>, settings: &UpdateSettings) -> Step {
    let advice = match seen {
        Seen::Silent { retry_after: Some(advice) } => *advice,
        _ => Duration::ZERO,
    };
    let left = settings.give_up_after.saturating_sub(age(&record, now));
    let pause = pause_after(record.checks, settings).max(advice.min(settings.longest_poll)).min(left);
    Step::Wait(step(record, now, pause))
}

/// The wait after so many looks: it doubles up to the longest. Without jitter, because requests begin at different times and every
/// node takes a few at a time.
fn pause_after(looks: u32, settings: &UpdateSettings) -> Duration {
    let (base, cap) = (settings.first_poll, settings.longest_poll);
    Backoff { base, cap, stable_for: Duration::ZERO }.bound(looks)
}

fn step(record: UpdateRecord, now: DateTime<Utc>, pause: Duration) -> UpdateRecord {
    UpdateRecord { checks: record.checks.saturating_add(1), next_check_at: Some(later(now, pause)), ..record }
}

fn end(record: UpdateRecord, stage: Stage, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> UpdateRecord {
    UpdateRecord {
        stage,
        concluded_at: Some(at.or(record.concluded_at).unwrap_or(now)),
        checks: record.checks.saturating_add(1),
        next_check_at: None,
        ..record
    }
}

/// A new request's name: now, and later than the one before it even if our clock went back.
fn name(stored: Option<&UpdateRecord>, now: DateTime<Utc>) -> DateTime<Utc> {
    let now = now.trunc_subsecs(6);
    let after = stored.and_then(|record| record.requested_at.checked_add_signed(TimeDelta::microseconds(1)));
    after.map_or(now, |after| after.max(now))
}

fn age(record: &UpdateRecord, now: DateTime<Utc>) -> Duration {
    span(record.requested_at, now)
}

fn span(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
