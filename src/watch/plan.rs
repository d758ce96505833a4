//! What becomes of a monitor after what the vendor said of it. Pure.

use std::time::Duration;

use crate::config::watch::WatchSettings;
use crate::domain::watch::MonitorState;
use crate::fetcher::messages::{Failure, FetchError};
use crate::fetcher::monitor_messages::{VendorMonitor, VendorMonitorState};

/// How a monitor of a watched process stands now, to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// The vendor's id.
    pub id: Option<i64>,
    /// Its state.
    pub state: MonitorState,
    /// How often it was tried in this state: above zero while it is wanted means that there may be one already.
    pub tries: u32,
    /// When it is due again; none: never by itself.
    pub again: Option<Duration>,
}

/// What the vendor said: a monitor, or that there is none (that it shows).
pub type Said = Result<Option<VendorMonitor>, FetchError>;

/// After a creation, which was the `tries`th time that this one was taken in hand.
#[must_use]
pub fn after_creation(said: &Said, tries: u32, settings: &WatchSettings) -> Next {
    match said {
        Ok(Some(monitor)) => as_told(monitor, 1, settings),
        Ok(None) => Next { id: None, state: MonitorState::Wanted, tries, again: Some(wait(tries, settings)) },
        // The request will never be right: a number that the vendor takes for none, or an account that may not.
        Err(FetchError { failure: Failure::Refused, .. }) => {
            Next { id: None, state: MonitorState::Failed, tries, again: None }
        }
        Err(error) => Next { id: None, state: MonitorState::Wanted, tries, again: Some(later(error, tries, settings)) },
    }
}

/// After reading a monitor. One that is gone is wanted again, and looked for before another is created.
///
/// # Errors
/// Nothing was learned: the stored state stays as it is, and this is how long one would wait.
pub fn after_check(said: &Said, tries: u32, settings: &WatchSettings) -> Result<Next, Duration> {
    match said {
        Ok(Some(monitor)) => Ok(as_told(monitor, tries, settings)),
        Ok(None) => Ok(Next { id: None, state: MonitorState::Wanted, tries: 1, again: Some(Duration::ZERO) }),
        Err(error) => Err(later(error, tries, settings)),
    }
}

/// When a removal that failed is tried again.
#[must_use]
pub fn after_failed_removal(error: &FetchError, tries: u32, settings: &WatchSettings) -> Duration {
    later(error, tries, settings)
}

fn as_told(monitor: &VendorMonitor, tries: u32, settings: &WatchSettings) -> Next {
    let id = Some(monitor.id);
    match monitor.state {
        VendorMonitorState::Pending => {
            Next { id, state: MonitorState::Pending, tries, again: Some(wait(tries, settings)) }
        }
        VendorMonitorState::Found => {
            Next { id, state: MonitorState::Found, tries: 0, again: Some(settings.check_every) }
        }
        VendorMonitorState::NotFound => Next { id, state: MonitorState::NotFound, tries: 0, again: None },
    }
}

fn later(error: &FetchError, tries: u32, settings: &WatchSettings) -> Duration {
    wait(tries, settings).max(error.retry_after.unwrap_or_default()).min(settings.longest_wait)
}

/// Doubles from try to try. Without jitter: each row is one node's at a time, and they became due at different moments.
fn wait(tries: u32, settings: &WatchSettings) -> Duration {
    let factor = 2_u32.checked_pow(tries.saturating_sub(1)).unwrap_or(u32::MAX);
    settings.first_wait.saturating_mul(factor).min(settings.longest_wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: VendorMonitorState) -> Said {
        Ok(Some(VendorMonitor { id: 7, cnj: None, state }))
    }

    fn error(failure: Failure, retry_after: Option<Duration>) -> Said {
        Err(FetchError { failure, retry_after, cost_centavos: 0 })
    }

    #[test]
    fn each_word_of_the_vendor_has_one_consequence() {
        let settings = WatchSettings::default();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let (wanted, day) = (MonitorState::Wanted, Some(settings.check_every));
        let far = Some(Duration::from_secs(86_400));
        for (said, tries, id, state, left, again) in [
            (told(VendorMonitorState::Pending), 3, Some(7), MonitorState::Pending, 1, seconds(15)),
            (told(VendorMonitorState::Found), 3, Some(7), MonitorState::Found, 0, day),
            (told(VendorMonitorState::NotFound), 3, Some(7), MonitorState::NotFound, 0, None),
            (Ok(None), 1, None, wanted, 1, seconds(15)),
            (Ok(None), 3, None, wanted, 3, seconds(60)),
            (error(Failure::Refused, None), 1, None, MonitorState::Failed, 1, None),
            (error(Failure::TimedOut, None), 2, None, wanted, 2, seconds(30)),
            (error(Failure::RateLimited, seconds(50)), 1, None, wanted, 1, seconds(50)),
            (error(Failure::NoProvider, far), 1, None, wanted, 1, seconds(3_600)),
            (error(Failure::NoCredit, None), 1_000, None, wanted, 1_000, seconds(3_600)),
        ] {
            let next = after_creation(&said, tries, &settings);
            assert_eq!(next, Next { id, state, tries: left, again }, "{said:?} {tries}");
        }
    }

    #[test]
    fn a_monitor_that_is_gone_is_looked_for_before_another_is_created() {
        let settings = WatchSettings::default();
        let gone = after_check(&Ok(None), 9, &settings);
        let wanted = Next { id: None, state: MonitorState::Wanted, tries: 1, again: Some(Duration::ZERO) };
        assert_eq!(gone, Ok(wanted));
        assert_eq!(after_check(&error(Failure::ServerError, None), 1, &settings), Err(Duration::from_secs(15)));
        let pending = after_check(&told(VendorMonitorState::Pending), 4, &settings).map(|next| next.again);
        assert_eq!(pending, Ok(Some(Duration::from_secs(120))));
    }
}
