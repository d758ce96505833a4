//! What follows from a refresh: for the process, for the day's count, and for the cycle. Pure.

use std::time::Duration;

use super::refresher::{Refresh, RefreshFailure, Refreshed};
use crate::config::sync::SyncSettings;
use crate::fetcher::escavador::LEAST_REQUESTS;
use crate::fetcher::messages::Failure;
use crate::postgres_tier::sync::words::{ClaimState, Ending};

/// What follows from a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How it went.
    pub outcome: ClaimState,
    /// The requests that count.
    pub calls: u32,
    /// Whether the process's failures go up by one.
    pub is_failure: bool,
    /// For how long the process is left alone.
    pub retry_in: Option<Duration>,
    /// What it says of the vendor.
    pub vendor: Vendor,
}

/// What a refresh says of the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// It answers.
    Answers,
    /// It failed in a way that may be an accident: several in a row are not.
    Strikes,
    /// There is no use in asking for the next process either.
    Out(Ending),
    /// Nothing.
    Unheard,
}

/// Judges a refresh. `reserved` requests were set aside and `drawn` of them were sent so far; `failures` are those of the process before;
/// `fraction` is the jitter, in `[0, 1)`.
#[must_use]
pub fn judge(
    refresh: &Refresh,
    (reserved, drawn): (u32, u32),
    failures: u32,
    fraction: f64,
    settings: &SyncSettings,
) -> Verdict {
    let pause = |failures| backoff(failures, fraction, settings);
    match refresh.outcome {
        Ok(brought) => {
            let outcome = match brought {
                Refreshed::Unchanged | Refreshed::Unstored | Refreshed::News { events: 0 } => ClaimState::Unchanged,
                Refreshed::News { .. } | Refreshed::FirstSight => ClaimState::Refreshed,
            };
            // What was bought is still under way to the database, and its expiry there still invites whoever looks.
            let retry_in = (brought == Refreshed::Unstored).then(|| pause(0));
            Verdict { outcome, calls: drawn, is_failure: false, retry_in, vendor: Vendor::Answers }
        }
        Err(RefreshFailure::Unknown) => Verdict {
            outcome: ClaimState::Unknown,
            calls: drawn,
            is_failure: true,
            retry_in: Some(settings.longest_backoff),
            vendor: Vendor::Answers,
        },
        // What was set aside stays counted, because the rest of it may still be sent.
        Err(RefreshFailure::NotYet) => Verdict {
            outcome: ClaimState::Failed,
            calls: reserved,
            is_failure: true,
            retry_in: Some(pause(failures)),
            vendor: Vendor::Strikes,
        },
        Err(RefreshFailure::Failed { failure, retry_after }) => {
            let used_up = failure == Failure::BudgetExhausted && reserved.saturating_sub(drawn) < LEAST_REQUESTS;
            // Too little was set aside for this one, which says nothing of the others.
            let vendor = if used_up { Vendor::Strikes } else { what_it_says(failure) };
            // The process is not to blame for what every process would have met with.
            let is_failure = !matches!(vendor, Vendor::Out(_));
            let wait = pause(if is_failure { failures } else { 0 }).max(retry_after.unwrap_or_default());
            Verdict {
                outcome: ClaimState::Failed,
                calls: drawn,
                is_failure,
                retry_in: Some(wait.min(settings.longest_backoff)),
                vendor,
            }
        }
    }
}

fn what_it_says(failure: Failure) -> Vendor {
    match failure {
        Failure::NoProvider => Vendor::Out(Ending::NoProvider),
        Failure::Unauthorized => Vendor::Out(Ending::Unauthorized),
        Failure::NoCredit => Vendor::Out(Ending::NoCredit),
        Failure::BudgetExhausted => Vendor::Out(Ending::BudgetExhausted),
        Failure::RateLimited => Vendor::Out(Ending::RateLimited),
        Failure::ServerError | Failure::Unreachable | Failure::TimedOut | Failure::Unreadable => Vendor::Strikes,
        Failure::Refused | Failure::EndlessPages => Vendor::Answers,
    }
}

/// The pause after a failure when there were so many before: doubling, and between half of the bound and the whole, so that what failed
/// together does not come back together, and never at once.
#[must_use]
pub fn backoff(failures: u32, fraction: f64, settings: &SyncSettings) -> Duration {
    let factor = 2_u32.checked_pow(failures).unwrap_or(u32::MAX);
    let bound = settings.first_backoff.saturating_mul(factor).min(settings.longest_backoff);
    bound.mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0)
}

/// Failures in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strikes(u32);

impl Strikes {
    /// Takes note of one refresh; says how the cycle ends if there is no use in going on.
    pub fn note(&mut self, vendor: Vendor, most: u32) -> Option<Ending> {
        match vendor {
            Vendor::Answers => self.0 = 0,
            Vendor::Unheard => {}
            Vendor::Strikes => self.0 = self.0.saturating_add(1),
            Vendor::Out(ending) => return Some(ending),
        }
        (self.0 >= most).then_some(Ending::VendorDown)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: fn() -> SyncSettings = SyncSettings::default;
    const MINUTE: Duration = Duration::from_secs(60);

    fn failed(failure: Failure, retry_after: Option<Duration>) -> Result<Refreshed, RefreshFailure> {
        Err(RefreshFailure::Failed { failure, retry_after })
    }

    #[test]
    fn what_follows_from_a_refresh() {
        let hour = 60 * MINUTE;
        let day = 24 * hour;
        for (outcome, state, calls, is_failure, retry_in, vendor) in [
            (Ok(Refreshed::Unchanged), ClaimState::Unchanged, 2, false, None, Vendor::Answers),
            (Ok(Refreshed::News { events: 3 }), ClaimState::Refreshed, 2, false, None, Vendor::Answers),
            (Ok(Refreshed::News { events: 0 }), ClaimState::Unchanged, 2, false, None, Vendor::Answers),
            (Ok(Refreshed::Unstored), ClaimState::Unchanged, 2, false, Some(5 * MINUTE), Vendor::Answers),
            (Ok(Refreshed::FirstSight), ClaimState::Refreshed, 2, false, None, Vendor::Answers),
            (Err(RefreshFailure::Unknown), ClaimState::Unknown, 2, true, Some(day), Vendor::Answers),
            (Err(RefreshFailure::NotYet), ClaimState::Failed, 5, true, Some(10 * MINUTE), Vendor::Strikes),
            (failed(Failure::ServerError, None), ClaimState::Failed, 2, true, Some(10 * MINUTE), Vendor::Strikes),
            (failed(Failure::Refused, None), ClaimState::Failed, 2, true, Some(10 * MINUTE), Vendor::Answers),
            (
                failed(Failure::RateLimited, Some(hour)),
                ClaimState::Failed,
                2,
                false,
                Some(hour),
                Vendor::Out(Ending::RateLimited),
            ),
            (
                failed(Failure::BudgetExhausted, None),
                ClaimState::Failed,
                2,
                false,
                Some(5 * MINUTE),
                Vendor::Out(Ending::BudgetExhausted),
            ),
            (
                failed(Failure::NoCredit, None),
                ClaimState::Failed,
                2,
                false,
                Some(5 * MINUTE),
                Vendor::Out(Ending::NoCredit),
            ),
        ] {
            let verdict = judge(&Refresh { outcome, cost_centavos: 1 }, (5, 2), 1, 1.0, &SETTINGS());
            assert_eq!(verdict, Verdict { outcome: state, calls, is_failure, retry_in, vendor }, "{outcome:?}");
        }
    }

    #[test]
    fn a_process_that_needs_more_than_was_set_aside_backs_off_and_ends_no_cycle() {
        for drawn in [4, 5] {
            let refresh = Refresh { outcome: failed(Failure::BudgetExhausted, None), cost_centavos: 900 };
            let verdict = judge(&refresh, (5, drawn), 1, 1.0, &SETTINGS());
            assert_eq!((verdict.is_failure, verdict.vendor), (true, Vendor::Strikes), "{drawn} of 5");
            assert_eq!((verdict.calls, verdict.retry_in), (drawn, Some(10 * MINUTE)));
        }
    }

    #[test]
    fn one_accident_ends_no_cycle_and_many_do() {
        let mut strikes = Strikes::default();
        assert_eq!(strikes.note(Vendor::Strikes, 3), None);
        assert_eq!(strikes.note(Vendor::Strikes, 3), None);
        assert_eq!(strikes.note(Vendor::Answers, 3), None);
        assert_eq!(strikes.note(Vendor::Strikes, 3), None);
        assert_eq!(strikes.note(Vendor::Unheard, 3), None);
        assert_eq!(strikes.note(Vendor::Strikes, 3), None);
        assert_eq!(strikes.note(Vendor::Strikes, 3), Some(Ending::VendorDown));
        assert_eq!(Strikes::default().note(Vendor::Out(Ending::NoCredit), 3), Some(Ending::NoCredit));
    }

    proptest! {
        #[test]
        fn a_process_that_fails_is_tried_again_within_a_day_and_never_at_once(failures: u32, fraction in 0.0..1.0) {
            let pause = backoff(failures, fraction, &SETTINGS());
            prop_assert!(pause >= SETTINGS().first_backoff / 2 && pause <= SETTINGS().longest_backoff);
        }
    }
}
