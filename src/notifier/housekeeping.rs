//! Counts what waits, gives up what waited too long, and removes what is old, deliveries and events: in small pieces, so that nobody waits for it. Every node
//! does; what another one is at is passed over.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::schedule;
use crate::ambient::SharedClock;
use crate::config::notifier::NotifierSettings;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::events::messages::PruneEvents;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::webhooks::messages::{BuryDeliveries, CountDeliveries, PruneDeliveries};
use crate::resilience::Deadline;
use crate::supervision::ActorRef;
use crate::telemetry::Metrics;

/// How often deliveries are counted for the metrics.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// Rows of one statement: some milliseconds.
const PIECE: usize = 500;

/// Pieces of one round: more than any hour brings, and an end.
const PIECES: usize = 2_000;

/// The pause between two pieces, in which others have their turn.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Housekeeper {
    pub(super) postgres: ActorRef<PostgresTier>,
    pub(super) settings: NotifierSettings,
    pub(super) clock: SharedClock,
    pub(super) metrics: Metrics,
}

impl Housekeeper {
    /// Counts, for ever.
    pub(super) async fn count(&self) {
        let mut ticks = interval(COUNT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let counts = self.postgres.ask(CountDeliveries, self.soon()).await.map_err(PostgresError::from);
            if let Ok(counts) = counts.and_then(|counts| counts) {
                let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
                self.metrics.webhook_pending.set(gauge(counts.pending));
                self.metrics.webhook_dead.set(gauge(counts.dead));
            }
        }
    }

    /// Tidies up, for ever.
    pub(super) async fn tidy(&self) {
        loop {
            sleep(self.settings.prune_every).await;
            match self.round().await {
                Ok((0, 0)) => {}
                Ok((buried, pruned)) => tracing::info!(buried, pruned, "old news tidied up"),
                Err(error) => tracing::debug!(error = error.as_str(), "old news is tidied up later"),
            }
        }
    }

    async fn round(&self) -> Result<(usize, usize), PostgresError> {
        let hold_after = schedule::HOLD_AFTER;
        let bury = BuryDeliveries { waited: schedule::span(), hold_after, most: PIECE };
        let buried = self.piecemeal(async || {
            self.postgres.ask(bury.clone(), self.soon()).await.map_err(PostgresError::from).and_then(|done| done)
        });
        let buried = buried.await?;
        let prune = PruneDeliveries { older_than: self.settings.keep, most: PIECE };
        let pruned = self.piecemeal(async || {
            self.postgres.ask(prune.clone(), self.soon()).await.map_err(PostgresError::from).and_then(|done| done)
        });
        let pruned = pruned.await?;
        // What was queued of them goes with them, by the foreign key.
        let forget = PruneEvents { keep: self.settings.keep, most: PIECE };
        let forgotten = self.piecemeal(async || {
            self.postgres.ask(forget, self.soon()).await.map_err(PostgresError::from).and_then(|done| done)
        });
        Ok((buried, pruned.saturating_add(forgotten.await?)))
    }

    async fn piecemeal(&self, piece: impl AsyncFn() -> Result<usize, PostgresError>) -> Result<usize, PostgresError> {
        let mut done = 0_usize;
        for _ in 0..PIECES {
            let this = piece().await?;
            done = done.saturating_add(this);
            if this < PIECE {
                break;
            }
            sleep(PAUSE).await;
        }
        Ok(done)
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), self.settings.patience)
    }
}
