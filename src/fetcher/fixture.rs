//! An account for the tests of this room: a ledger in a folder of its own, no cap, nobody to share with.

use std::sync::Arc;

use super::account::{Account, AccountParts};
use super::budget::Budget;
use super::pace::Pace;
use crate::ambient::{SystemClock, SystemRandom};
use crate::config::fetcher::FetcherSettings;
use crate::domain::snapshot::Provider;
use crate::ledger::Ledger;
use crate::telemetry::Metrics;

/// An account and what a test looks at.
pub(crate) struct Opened {
    pub(crate) account: Arc<Account>,
    pub(crate) ledger: Ledger,
    pub(crate) metrics: Metrics,
    _folder: tempfile::TempDir,
}

pub(crate) fn account(provider: Provider, settings: &FetcherSettings) -> Opened {
    let (clock, random, metrics) = (SystemClock::shared(), SystemRandom::shared(), Metrics::new());
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), &random, 10_000).unwrap();
    let pace = Pace::new(settings.requests_per_minute, Arc::clone(&clock));
    let account = Account::new(AccountParts {
        provider,
        tier: "upstream",
        pace,
        max_in_flight: settings.max_in_flight,
        budget: Arc::new(Budget::unlimited(Arc::clone(&clock), Arc::clone(&random))),
        ledger: ledger.clone(),
        prices: settings.prices,
        standing: settings.standing,
        clock,
        random,
        metrics: metrics.clone(),
    });
    Opened { account: Arc::new(account), ledger, metrics, _folder: folder }
}
