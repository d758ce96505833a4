//! Which PostgreSQL the service uses, and how it is made ready.

use std::time::Duration;

use secrecy::SecretString;
use tokio::time::timeout;

use super::StartError;
use crate::config::Settings;
use crate::config::postgres::PostgresSettings;
use crate::postgres_tier::embedded::Embedded;
use crate::postgres_tier::migrations::{self, MigrationError};
use crate::supervision::spawn::detach_named;

/// How long a start waits for the migrations before it goes on without them.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the migrations are tried again when the server was away at the start.
const RETRY_EVERY: Duration = Duration::from_secs(2);

/// A server, or the database inside this process.
pub(super) struct Database {
    settings: PostgresSettings,
    embedded: Option<Embedded>,
    is_migrated: bool,
}

impl Database {
    /// Opens the database and applies pending migrations. With a server that is away, the migrations follow when it is back,
    /// and until then what is bought goes to the journal.
    pub(super) async fn open(settings: &Settings) -> Result<Self, StartError> {
        let mut database = match &settings.database_url {
            Some(url) => Self::server(url.clone()),
            None => Self::embedded(settings).await?,
        };
        let url = database.settings.url.clone();
        match timeout(PATIENCE, migrations::apply(&url)).await {
            Ok(Ok(applied)) => {
                report(&applied);
                database.is_migrated = true;
            }
            Ok(Err(MigrationError::Failed(error))) => {
                return Err(StartError::Database(format!("the database cannot be migrated: {error}")));
            }
            Ok(Err(MigrationError::Connect(error))) => {
                tracing::warn!(%error, "postgresql is away; its migrations wait for it");
                detach_named("late migrations", migrate_later(url));
            }
            Err(_) => {
                tracing::warn!("postgresql does not answer; its migrations wait for it");
                detach_named("late migrations", migrate_later(url));
            }
        }
        Ok(database)
    }

    fn server(url: SecretString) -> Self {
        Self { settings: PostgresSettings::new(url), embedded: None, is_migrated: false }
    }

    async fn embedded(settings: &Settings) -> Result<Self, StartError> {
        let embedded = Embedded::start(&settings.data_dir.join("postgres"))
            .await
            .map_err(|error| StartError::Database(format!("embedded database: {error}")))?;
        // One backend, so one connection.
        let settings = PostgresSettings { pool_size: 1, ..PostgresSettings::new(embedded.url()) };
        Ok(Self { settings, embedded: Some(embedded), is_migrated: false })
    }

    /// Whether it answered at the start and has the schema.
    pub(super) fn is_migrated(&self) -> bool {
        self.is_migrated
    }

    /// How to reach it.
    pub(super) fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    /// Closes the embedded database, after everyone who used it.
    pub(super) async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

async fn migrate_later(url: SecretString) {
    loop {
        tokio::time::sleep(RETRY_EVERY).await;
        match migrations::apply(&url).await {
            Ok(applied) => return report(&applied),
            Err(MigrationError::Connect(_)) => {}
            Err(error) => {
                tracing::error!(%error, "the database cannot be migrated; what is bought stays in the journal");
                return;
            }
        }
    }
}

fn report(applied: &[String]) {
    for migration in applied {
        tracing::info!(migration, "migration applied");
    }
}
