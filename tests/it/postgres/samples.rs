//! Processes to store, and a tier without a supervisor to store them in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Arbiter};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use juscache::ambient::{Clock, SharedClock, SystemClock};
use juscache::config::postgres::PostgresSettings;
use juscache::domain::cnj::Cnj;
use juscache::domain::entry::Entry;
use juscache::domain::movement::{Movement, MovementId, Source};
use juscache::domain::snapshot::{Cover, Provider, Snapshot};
use juscache::domain::version::Version;
use juscache::journal::Journal;
use juscache::postgres_tier::bell::NewsBell;
use juscache::postgres_tier::messages::{PostgresError, Read, Store, StoreAbsence, Stored, StoredProcess};
use juscache::postgres_tier::{PostgresStatus, PostgresTier, migrations};
use juscache::resilience::Deadline;
use juscache::supervision::ActorRef;
use juscache::telemetry::Metrics;
use tempfile::TempDir;

/// Long enough for whatever the tier does by itself; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn cnj() -> Cnj {
    number(0)
}

/// A valid number of TJSP; different ones for different `n`.
pub(crate) fn number(n: u32) -> Cnj {
    let numbers = juscache::sandbox::demo_numbers(usize::try_from(n).unwrap() + 1, 7);
    Cnj::parse(numbers.last().unwrap()).unwrap()
}

/// Noon of a day in 2026, to the second: every clock of the samples is one of these.
pub(crate) fn day(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_268_800, 0).unwrap() + TimeDelta::days(day)
}

pub(crate) fn movement(id: i64, text: &str) -> Movement {
    Movement {
        id: MovementId::vendor(id),
        date: NaiveDate::from_ymd_opt(2025, 3, 14),
        kind: Some("ANDAMENTO".to_owned()),
        text: text.to_owned(),
        publication: None,
        category: None,
        classification: None,
        source: Source {
            tribunal: Some("TJSP".to_owned()),
            grau: Some("Primeiro Grau".to_owned()),
            ..Source::default()
        },
    }
}

pub(crate) fn snapshot(cnj: Cnj, version: Version, movements: Vec<Movement>) -> Snapshot {
    let cover = Cover {
        tribunal: "TJSP".to_owned(),
        grau: Some("Primeiro Grau".to_owned()),
        sealed: false,
        declared_total: None,
        last_movement: None,
        raw: "{}".to_owned(),
    };
    Snapshot { cnj, provider: Provider::Escavador, version, cover, movements }
}

/// A copy of [`cnj`] that the vendor verified, and we fetched, on the given days.
pub(crate) fn copy(verified: i64, fetched: i64, movements: Vec<Movement>) -> Arc<Entry> {
    entry(cnj(), Version::new(Some(day(verified)), day(fetched)), movements)
}

pub(crate) fn entry(cnj: Cnj, version: Version, movements: Vec<Movement>) -> Arc<Entry> {
    let fresh_until = version.fetched_at + TimeDelta::hours(24);
    Arc::new(Entry::new(snapshot(cnj, version, movements), fresh_until).unwrap())
}

/// The actor on an arbiter of its own, as the supervisor would start it.
pub(crate) struct Tier {
    pub(crate) actor: ActorRef<PostgresTier>,
    pub(crate) status: PostgresStatus,
    pub(crate) journal: Journal,
    pub(crate) metrics: Metrics,
    pub(crate) bell: NewsBell,
    arbiter: Option<Arbiter>,
    _folder: TempDir,
}

impl Tier {
    /// On a database with the schema applied.
    pub(crate) async fn on(url: &str) -> Self {
        migrations::apply(&url.to_owned().into()).await.unwrap();
        Self::with(PostgresSettings::new(url.to_owned().into()))
    }

    pub(crate) fn with(settings: PostgresSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal")).unwrap();
        Self::over(settings, journal, folder)
    }

    pub(crate) fn over(settings: PostgresSettings, journal: Journal, folder: TempDir) -> Self {
        Self::launch(settings, journal, folder, Some(Arbiter::new()))
    }

    /// On the test's own arbiter: while the test blocks, the tier stands still.
    pub(crate) async fn here(url: &str) -> Self {
        migrations::apply(&url.to_owned().into()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        Self::launch(PostgresSettings::new(url.to_owned().into()), journal, folder, None)
    }

    fn launch(settings: PostgresSettings, journal: Journal, folder: TempDir, arbiter: Option<Arbiter>) -> Self {
        let (status, metrics, bell) = (PostgresStatus::default(), Metrics::new(), NewsBell::default());
        let clock: SharedClock = SystemClock::shared();
        let make = {
            let (status, metrics, journal, bell) = (status.clone(), metrics.clone(), journal.clone(), bell.clone());
            move || PostgresTier::new(settings, clock, metrics, status, journal, bell).unwrap()
        };
        let address = match &arbiter {
            Some(arbiter) => PostgresTier::start_in_arbiter(&arbiter.handle(), |_| make()),
            None => make().start(),
        };
        Self {
            actor: ActorRef::unsupervised("postgres", 256, address),
            status,
            journal,
            metrics,
            bell,
            arbiter,
            _folder: folder,
        }
    }

    /// Ends the actor and its connections: an embedded database has one backend, and the next tier needs it.
    #[cfg(feature = "embedded")]
    pub(crate) async fn end(mut self) {
        let arbiter = self.arbiter.take().expect("an arbiter of its own");
        arbiter.stop();
        tokio::task::spawn_blocking(move || arbiter.join().unwrap()).await.unwrap();
    }

    pub(crate) async fn read(&self, cnj: Cnj) -> Result<Option<StoredProcess>, PostgresError> {
        self.actor.ask(Read { cnj }, soon()).await.unwrap()
    }

    pub(crate) async fn store(&self, entry: &Arc<Entry>) -> Result<Stored, PostgresError> {
        let store = Store { entry: Arc::clone(entry), fresh_until: entry.header().fresh_until };
        self.actor.ask(store, soon()).await.unwrap()
    }

    pub(crate) async fn store_absence(&self, since: i64, until: i64) -> Result<(), PostgresError> {
        let version = Version::new(None, day(since));
        self.actor.ask(StoreAbsence { cnj: cnj(), version, until: day(until) }, soon()).await.unwrap()
    }

    /// Waits until the tier knows that its server is up, or down.
    pub(crate) async fn learns(&self, up: bool) {
        tokio::time::timeout(PATIENCE, self.status.becomes(up))
            .await
            .unwrap_or_else(|_| panic!("never learned: up = {up}"));
    }
}

impl Drop for Tier {
    fn drop(&mut self) {
        if let Some(arbiter) = &self.arbiter {
            arbiter.stop();
        }
    }
}

pub(crate) fn soon() -> Deadline {
    Deadline::after(SystemClock.monotonic(), PATIENCE)
}

pub(crate) fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, |entries| entries.flatten().filter(|entry| entry.path().is_file()).count())
}
