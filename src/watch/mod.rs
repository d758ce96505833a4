//! Watching: processes that are kept whatever the retention, and, where that is configured, followed by a monitor of the vendor's.
//!
//! - `plan`: what a monitor's state becomes after what the vendor said, as a pure function.
//! - `actor`, `messages`: the watcher. It works on the monitors that are due, which any node may take, and buys once what is newly watched.
//! - `vendor`: the way to the vendor's monitors.
//! - `report`: whether a monitor would be cheaper than asking again and again, as a pure function.

pub mod actor;
pub mod messages;
pub mod plan;
pub mod report;
pub mod vendor;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

pub use self::actor::Watcher;
use self::messages::Learn;
use self::report::{Prices, Verdict};
use crate::ambient::SharedClock;
use crate::config::watch::WatchSettings;
use crate::domain::cnj::Cnj;
use crate::domain::watch::{Frequency, MonitorState};
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::watch::messages::{
    DoubtMonitor, DropWatch, ListWatched, Note, PutWatch, ReadWatch, WatchedProcess,
};
use crate::resilience::Deadline;
use crate::supervision::ActorRef;

/// How long telling the watcher of a newly watched process may take: it only takes note.
const TELLING: Duration = Duration::from_millis(500);

/// What is watched cannot be read or written now: the database is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("what is watched cannot be read now")]
pub struct WatchAway;

/// A watched process, with what its monitor would cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The process.
    pub process: WatchedProcess,
    /// The comparison.
    pub verdict: Verdict,
}

/// Prices as they are known now.
pub type CurrentPrices = Arc<dyn Fn() -> Prices + Send + Sync>;

/// Everything about watching behind one face.
#[derive(Clone)]
pub struct Watches {
    postgres: ActorRef<PostgresTier>,
    watcher: ActorRef<Watcher>,
    settings: WatchSettings,
    prices: CurrentPrices,
    clock: SharedClock,
}

impl Watches {
    /// Over the stored rows and the actor.
    #[must_use]
    pub fn new(
        postgres: ActorRef<PostgresTier>,
        watcher: ActorRef<Watcher>,
        settings: WatchSettings,
        prices: CurrentPrices,
        clock: SharedClock,
    ) -> Self {
        Self { postgres, watcher, settings, prices, clock }
    }

    /// Watches a process. What is not stored yet is bought once, behind the caller. True: it was not watched before.
    ///
    /// # Errors
    /// [`WatchAway`].
    pub async fn put(&self, cnj: Cnj, note: Note) -> Result<(Line, bool), WatchAway> {
        let put = PutWatch { cnj, note, wish: self.settings.monitors };
        let put = self.postgres.ask_again(put, self.soon()).await.map_err(|_| WatchAway)?.map_err(away)?;
        if put.process.copy.is_none() {
            let until = Deadline::after(self.clock.monotonic(), TELLING);
            if let Err(error) = self.watcher.ask_again(Learn { cnj }, until).await {
                tracing::debug!(%cnj, %error, "a newly watched process is not bought now");
            }
        }
        Ok((self.line(put.process), put.created))
    }

    /// One watched process, if it is.
    ///
    /// # Errors
    /// [`WatchAway`].
    pub async fn read(&self, cnj: Cnj) -> Result<Option<Line>, WatchAway> {
        let read = self.postgres.ask_again(ReadWatch { cnj }, self.soon()).await.map_err(|_| WatchAway)?;
        Ok(read.map_err(away)?.map(|process| self.line(process)))
    }

    /// Ends the watching of a process; its monitor is removed behind the caller. False: it was not watched.
    ///
    /// # Errors
    /// [`WatchAway`].
    pub async fn remove(&self, cnj: Cnj) -> Result<bool, WatchAway> {
        let gone = self.postgres.ask_again(DropWatch { cnj }, self.soon()).await.map_err(|_| WatchAway)?;
        gone.map_err(away)
    }

    /// Watched processes by their numbers, those behind `after`.
    ///
    /// # Errors
    /// [`WatchAway`].
    pub async fn list(&self, after: Option<Cnj>, most: u32) -> Result<Vec<Line>, WatchAway> {
        let list = self.postgres.ask_again(ListWatched { after, most }, self.soon()).await.map_err(|_| WatchAway)?;
        Ok(list.map_err(away)?.into_iter().map(|process| self.line(process)).collect())
    }

    /// The vendor's callbacks say how a monitor stands (`processo_encontrado`, `processo_nao_encontrado`). Their word is not taken: where
    /// it differs from what is stored, the vendor is asked now instead of later. True if so.
    ///
    /// # Errors
    /// [`WatchAway`]; the watcher finds out by itself later.
    pub async fn monitor_says(&self, cnj: Cnj, state: MonitorState) -> Result<bool, WatchAway> {
        let doubt = self.postgres.ask_again(DoubtMonitor { cnj, state }, self.soon()).await.map_err(|_| WatchAway)?;
        doubt.map_err(away)
    }

    fn line(&self, process: WatchedProcess) -> Line {
        let frequency = process.watch.monitor.map(|monitor| monitor.frequency).or(self.settings.monitors);
        let facts = report::facts(&process, frequency.unwrap_or(Frequency::Daily));
        Line { verdict: report::judge(&facts, (self.prices)()), process }
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), self.settings.book_patience)
    }
}

fn away(error: PostgresError) -> WatchAway {
    tracing::debug!(error = error.as_str(), "what is watched cannot be read");
    WatchAway
}
