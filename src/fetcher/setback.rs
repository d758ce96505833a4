//! One failed attempt at a vendor, as its client sees it.

use std::time::Duration;

use super::account::Refusal;
use super::messages::Failure;

/// One failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setback {
    /// What it is to those who asked.
    pub(super) failure: Failure,
    /// When the vendor, or our own account, would have us come back.
    pub(super) retry_after: Option<Duration>,
    /// Whether the same request may be sent again.
    pub(super) repeat: Repeat,
}

/// Whether a request may be repeated. What is repeated only reads; what speaks against a repetition is money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// The answer did not come to be, so nothing was charged: up to the most attempts.
    Freely,
    /// The vendor may have charged for an answer that did not reach us whole: once more, no oftener.
    Once,
    /// The same request would get the same answer.
    Never,
}

impl Setback {
    pub(super) const fn of(failure: Failure, repeat: Repeat) -> Self {
        Self { failure, retry_after: None, repeat }
    }

    /// One that would come again.
    pub(super) const fn lasting(failure: Failure) -> Self {
        Self::of(failure, Repeat::Never)
    }

    /// One that may pass in a moment, and cost nothing.
    pub(super) const fn passing(failure: Failure) -> Self {
        Self::of(failure, Repeat::Freely)
    }
}

impl From<Refusal> for Setback {
    fn from(refusal: Refusal) -> Self {
        Self { retry_after: refusal.retry_after, ..Self::lasting(refusal.failure) }
    }
}
