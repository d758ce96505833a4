//! The way to the fallback chain.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::domain::cnj::Cnj;
use crate::fetcher::messages::Failure;
use crate::resilience::{Allowance, Deadline};

/// What a refresh brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// The copy is what the vendor has, and counts as fresh again.
    Unchanged,
    /// A newer copy with news.
    News {
        /// Events that were stored with it.
        events: u32,
    },
    /// A copy of what was not known before.
    FirstSight,
    /// A copy that PostgreSQL has not taken: it is in the journal, or a newer one is stored. What is new in it is found when it is taken.
    Unstored,
}

/// Why our copy is what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshFailure {
    /// The vendor does not know the process.
    Unknown,
    /// It failed, and it is over.
    Failed {
        /// What went wrong.
        failure: Failure,
        /// When the vendor would have us come back.
        retry_after: Option<Duration>,
    },
    /// We stopped waiting; it may still end well.
    NotYet,
}

/// How a refresh went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// What it brought, or why nothing.
    pub outcome: Result<Refreshed, RefreshFailure>,
    /// Centavos that it cost, as far as known.
    pub cost_centavos: u64,
}

/// Whoever renews our copies.
pub trait Refresher: Send + Sync {
    /// Renews our copy of a process, with at most as many requests as the allowance has, each of them drawn from it. It begins nothing
    /// once the deadline is over.
    fn refresh(&self, cnj: Cnj, allowance: Allowance, deadline: Deadline) -> BoxFuture<'_, Refresh>;
}

/// Nobody to ask: every refresh fails at once and costs nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRefresher;

impl Refresher for NoRefresher {
    fn refresh(&self, _: Cnj, _: Allowance, _: Deadline) -> BoxFuture<'_, Refresh> {
        let outcome = Err(RefreshFailure::Failed { failure: Failure::NoProvider, retry_after: None });
        std::future::ready(Refresh { outcome, cost_centavos: 0 }).boxed()
    }
}
