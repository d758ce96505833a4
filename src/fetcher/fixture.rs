//! An account for the tests of this room: a ledger in a folder of its own, nobody to share with.

use std::sync::Arc;

use super::account::{Account, AccountParts};
use super::budget::Budget;
use super::budget::tests::Fake;
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
    pub(crate) budget: Arc<Budget>,
    _folder: tempfile::TempDir,
}

pub(crate) fn account(provider: Provider, settings: &FetcherSettings) -> Opened {
    open(provider, settings, Budget::unlimited(SystemClock::shared(), SystemRandom::shared()))
}

/// An account under a cap.
pub(crate) fn capped(settings: &FetcherSettings, vault: Fake, cap: u64) -> Opened {
    let budget = Budget::capped(Box::new(vault), cap, SystemClock::shared(), SystemRandom::shared());
    open(Provider::Escavador, settings, budget)
}

fn open(provider: Provider, settings: &FetcherSettings, budget: Budget) -> Opened {
    let (clock, random, metrics) = (SystemClock::shared(), SystemRandom::shared(), Metrics::new());
    let (folder, budget) = (tempfile::tempdir().unwrap(), Arc::new(budget));
    let ledger = Ledger::open(folder.path(), &random, 10_000).unwrap();
    let pace = Pace::new(settings.requests_per_minute, Arc::clone(&clock));
    let account = Account::new(AccountParts {
        provider,
        tier: "upstream",
        pace,
        max_in_flight: settings.max_in_flight,
        budget: Arc::clone(&budget),
        ledger: ledger.clone(),
        prices: settings.prices,
        standing: settings.standing,
        clock,
        random,
        metrics: metrics.clone(),
    });
    Opened { account: Arc::new(account), ledger, metrics, budget, _folder: folder }
}
