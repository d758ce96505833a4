//! What the actor does: every operation under its timeout, a breaker in front, and a way back that no reader pays for.

use std::cell::RefCell;
use std::time::Duration;

use diesel::result::Error as QueryError;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::BuildError;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::bell::NewsBell;
use super::connect::Connector;
use super::messages::{Novelty, PostgresError, Store, StoreAbsence, Stored, StoredProcess};
use super::pool::{Failure, Pool};
use super::queries;
use super::status::PostgresStatus;
use super::store::{self, ProcessRows};
use crate::ambient::SharedClock;
use crate::config::postgres::PostgresSettings;
use crate::domain::cnj::Cnj;
use crate::domain::codec::Header;
use crate::domain::entry::Entry;
use crate::journal::Journal;
use crate::resilience::{Admission, Breaker, BreakerSettings, BreakerState};
use crate::telemetry::Metrics;

pub(super) const TIER: &str = "postgres";

/// How often a server that is believed to be there is asked, so that it is not a reader who finds out.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// A server that left one question unanswered is not asked again: everybody who does waits as long.
const FAILURES_TO_OPEN: u32 = 1;

pub(super) struct Tier {
    settings: PostgresSettings,
    clock: SharedClock,
    metrics: Metrics,
    status: PostgresStatus,
    journal: Journal,
    bell: NewsBell,
    pool: Pool,
    breaker: RefCell<Breaker>,
    /// Wakes the watch when an operation has failed.
    went_away: Notify,
}

impl Tier {
    pub(super) fn new(
        settings: PostgresSettings,
        clock: SharedClock,
        metrics: Metrics,
        status: PostgresStatus,
        journal: Journal,
        bell: NewsBell,
    ) -> Result<Self, BuildError> {
        let connector = Connector::new(settings.url.clone(), settings.connect_timeout, settings.store_timeout);
        let pool = Pool::new(connector, settings.pool_size, clock.clone())?;
        let breaker = BreakerSettings { threshold: FAILURES_TO_OPEN, open_for: settings.probe_every };
        Ok(Self {
            settings,
            clock,
            metrics,
            status,
            journal,
            bell,
            pool,
            breaker: RefCell::new(Breaker::new(breaker)),
            went_away: Notify::new(),
        })
    }

    pub(super) async fn read(&self, cnj: Cnj) -> Result<Option<StoredProcess>, PostgresError> {
        let number = cnj.masked();
        self.operate(self.settings.read_timeout, async |connection| queries::read(connection, &number).await).await
    }

    pub(super) async fn store(&self, wanted: Store) -> Result<Stored, PostgresError> {
        if self.is_away() {
            return Err(PostgresError::Away);
        }
        let rows = tokio::task::spawn_blocking(move || ProcessRows::of(&wanted.entry, wanted.fresh_until)).await;
        let Ok(Ok(rows)) = rows else {
            tracing::error!(?rows, "a copy cannot be taken apart for postgresql");
            return Err(PostgresError::Refused);
        };
        let stored =
            self.operate(self.settings.store_timeout, async |connection| store::store(connection, &rows).await).await?;
        if let Stored::Stored(Novelty { newest_event: Some(newest), .. }) = stored {
            self.bell.ring(newest);
        }
        Ok(stored)
    }

    pub(super) async fn store_absence(&self, absence: StoreAbsence) -> Result<(), PostgresError> {
        let StoreAbsence { cnj, version, until } = absence;
        let number = cnj.masked();
        self.operate(self.settings.store_timeout, async |connection| {
            queries::store_absence(connection, &number, version, until).await
        })
        .await
    }

    /// Asks the server when nobody else does: often while it is away, now and then while it is there. For ever.
    pub(super) async fn watch(&self) {
        self.probe().await;
        loop {
            if self.is_away() {
                sleep(self.settings.probe_every).await;
                let admission = self.breaker.borrow_mut().admit(self.clock.monotonic());
                if !matches!(admission, Admission::Refused { .. }) {
                    self.probe().await;
                }
            } else {
                tokio::select! {
                    () = sleep(CHECK_EVERY) => self.probe().await,
                    () = self.went_away.notified() => {}
                }
            }
        }
    }

    /// One question. If the answer comes, what waits in the journal is stored.
    async fn probe(&self) {
        // A new connection takes what it takes; readers are not waiting for it.
        let within = self.settings.connect_timeout.saturating_add(self.settings.read_timeout);
        let answer = self.pool.run(within, queries::ping).await;
        self.learn(answer.err());
        if answer.is_ok() && self.journal.pending() > 0 {
            self.replay().await;
        }
        self.note_pending();
    }

    async fn replay(&self) {
        tracing::info!(waiting = self.journal.pending(), "storing what the journal kept for postgresql");
        for cnj in self.journal.waiting() {
            if let Err(error) = self.replay_one(cnj).await {
                tracing::warn!(error = error.as_str(), "a journaled answer could not be stored yet");
                if error != PostgresError::Refused {
                    return;
                }
            }
            self.note_pending();
        }
    }

    /// What the disk or the codec refuses stays for a person to look at; it does not keep the others from being stored.
    async fn replay_one(&self, cnj: Cnj) -> Result<(), PostgresError> {
        let opened = match self.journal.get(cnj).await {
            Ok(None) => return Ok(()),
            Ok(Some(envelope)) => Entry::open(envelope).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let entry = match opened {
            Ok(entry) => entry,
            Err(error) => {
                tracing::error!(error, "a journaled answer cannot be read");
                return Ok(());
            }
        };
        let Header { version, fresh_until, .. } = *entry.header();
        self.store(Store { entry: entry.into(), fresh_until }).await?;
        let forgotten = self.journal.remove(cnj, version).await;
        if let Err(error) = forgotten {
            tracing::warn!(%error, "a stored answer cannot be removed from the journal; it will be offered again");
        }
        Ok(())
    }

    /// How long things may take.
    pub(super) fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    /// Does `work` on a connection within a time, or not at all while the server is known to be away. It must bear being done twice.
    pub(super) async fn operate<T>(
        &self,
        within: Duration,
        work: impl AsyncFn(&mut AsyncPgConnection) -> Result<T, QueryError>,
    ) -> Result<T, PostgresError> {
        if self.is_away() {
            return Err(PostgresError::Away);
        }
        let answer = self.pool.run(within, work).await;
        self.learn(answer.as_ref().err().copied());
        Ok(answer?)
    }

    /// Anything but closed: the trial is the watch's, never a reader's.
    fn is_away(&self) -> bool {
        self.breaker.borrow().state(self.clock.monotonic()) != BreakerState::Closed
    }

    fn learn(&self, failure: Option<Failure>) {
        let now = self.clock.monotonic();
        match failure {
            Some(Failure::Busy) => return,
            Some(outage) if outage.is_outage() => {
                self.breaker.borrow_mut().failed(now);
                self.pool.forget_idle();
                self.went_away.notify_one();
            }
            _ => self.breaker.borrow_mut().succeeded(now),
        }
        let up = !self.is_away();
        self.metrics.set_tier_up(TIER, up);
        if self.status.note(up) {
            match failure {
                Some(failure) => tracing::warn!(up, cause = ?failure, "postgresql is away"),
                None => tracing::info!(up, "postgresql answers"),
            }
        }
    }

    fn note_pending(&self) {
        self.metrics.journal_pending.set(i64::try_from(self.journal.pending()).unwrap_or(i64::MAX));
    }
}
