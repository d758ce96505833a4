//! Takes callbacks in: read, stored, and only then confirmed. Whatever comes, from the vendor's own deliveries or from its list, comes
//! through here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::Notify;

use super::event::{self, Malformed};
use super::plan;
use crate::ambient::SharedClock;
use crate::domain::callback::{CallbackReport, CallbackState, EventName};
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::callbacks::messages::{KeepCallback, ReadCallbackReport};
use crate::postgres_tier::messages::PostgresError;
use crate::resilience::Deadline;
use crate::supervision::ActorRef;
use crate::telemetry::Metrics;

/// Bytes of a malformed callback that are kept: enough to see what it is.
const MOST_KEPT_OF_MALFORMED: usize = 64 * 1024;

/// How a callback reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The vendor delivered it.
    Delivery,
    /// It was read from the vendor's list.
    List,
}

/// What became of a callback that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It is new and waits to be worked off.
    Accepted,
    /// Its content was here before.
    Repeated,
    /// It means nothing here.
    Ignored,
    /// It cannot be read; it is kept for inspection.
    Malformed(Malformed),
}

impl Receipt {
    /// The word for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeated => "repeated",
            Self::Ignored => "ignored",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// Stores callbacks. Clones share everything; HTTP has one, the reading of the list another.
#[derive(Clone)]
pub struct Intake {
    postgres: ActorRef<PostgresTier>,
    clock: SharedClock,
    metrics: Metrics,
    patience: Duration,
    bells: Bells,
}

/// What the intake tells those who work, without waiting for them.
#[derive(Debug, Clone, Default)]
pub(super) struct Bells {
    /// Something waits to be worked off.
    pub(super) work: Arc<Notify>,
    /// Something could not be stored: the vendor's list has it.
    pub(super) missed: Arc<Notify>,
}

impl Intake {
    /// Over the durable tier, which is waited for so long.
    #[must_use]
    pub fn new(postgres: ActorRef<PostgresTier>, clock: SharedClock, metrics: Metrics, patience: Duration) -> Self {
        Self { postgres, clock, metrics, patience, bells: Bells::default() }
    }

    /// Stores a callback as it came.
    ///
    /// # Errors
    /// When it is not certainly stored; whoever sent it keeps it, and it may come again.
    pub async fn take(&self, body: Bytes, via: Via) -> Result<Receipt, PostgresError> {
        let arrived = event::read(&body);
        let name = arrived.name().map_or("none", EventName::as_str);
        let (state, outcome) = plan::opening(&arrived.news);
        let kept = match state {
            // A copy: a slice would keep the whole body in memory for nothing.
            CallbackState::Malformed => Bytes::copy_from_slice(body.get(..MOST_KEPT_OF_MALFORMED).unwrap_or(&body)),
            _ => body.clone(),
        };
        let keep = KeepCallback {
            content_hash: arrived.content_hash,
            body: kept,
            body_bytes: body.len(),
            event: arrived.event,
            cnj: arrived.number,
            state,
            outcome,
        };
        let deadline = Deadline::after(self.clock.monotonic(), self.patience);
        // May be carried out twice: then one delivery counts as two.
        let stored = self.postgres.ask_again(keep, deadline).map(|answer| answer?).await;
        let kept = stored.inspect_err(|error| {
            self.metrics.count_callback(name, "not-stored");
            self.bells.missed.notify_one();
            tracing::debug!(error = error.as_str(), "a callback cannot be stored; it will come again");
        })?;
        let receipt = match (arrived.news, state) {
            (Err(malformed), _) => Receipt::Malformed(malformed),
            (Ok(_), _) if !kept.is_new => Receipt::Repeated,
            (Ok(_), CallbackState::Ignored) => Receipt::Ignored,
            (Ok(_), _) => Receipt::Accepted,
        };
        if via == Via::List && kept.is_new {
            tracing::info!(
                event = name,
                outcome = receipt.as_str(),
                "a callback that was missed is read from the vendor's list"
            );
        }
        let outcome = match via {
            Via::Delivery => receipt.as_str(),
            Via::List if kept.is_new => "missed",
            Via::List => "listed",
        };
        self.metrics.count_callback(name, outcome);
        // Also for a repetition: it may be one that was malformed until an upgrade.
        self.bells.work.notify_one();
        Ok(receipt)
    }

    /// The latest callbacks, for operators.
    ///
    /// # Errors
    /// When PostgreSQL does not answer.
    pub async fn report(&self, state: Option<CallbackState>, most: usize) -> Result<CallbackReport, PostgresError> {
        let deadline = Deadline::after(self.clock.monotonic(), self.patience);
        self.postgres.ask_again(ReadCallbackReport { state, most }, deadline).await?
    }

    pub(super) fn bells(&self) -> &Bells {
        &self.bells
    }
}
