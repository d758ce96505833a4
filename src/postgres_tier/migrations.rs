//! The schema's migrations, carried in the binary.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::SecretString;
use thiserror::Error;

use super::connect::{ConnectError, Connector};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Longer than a pool's connection may take: a freshly started server replays its log first.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// Held by whoever migrates; any number will do as long as it stays the same for ever. The letters of "JUSCACHE".
const LOCK: i64 = 0x4A55_5343_4143_4845;

/// A synchronous face on the connection, which is what diesel's migrations want.
type Blocking = AsyncConnectionWrapper<AsyncPgConnection>;

/// Why the schema is not as it should be.
#[derive(Debug, Error)]
pub enum MigrationError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A migration, or looking for them, failed; what it had begun is undone.
    #[error("the migration failed: {0}")]
    Failed(String),
}

/// The names of the migrations that this binary has and the database has not, oldest first. Changes nothing.
///
/// # Errors
/// Any [`MigrationError`].
pub async fn pending(url: &SecretString) -> Result<Vec<String>, MigrationError> {
    on_a_connection(url, |connection| {
        if !has_history(connection)? {
            return Ok(names(&MigrationSource::<Pg>::migrations(&MIGRATIONS)?));
        }
        Ok(names(&connection.pending_migrations(MIGRATIONS)?))
    })
    .await
}

/// Applies what is pending, each migration in a transaction of its own, and says what was applied. Of several nodes that start
/// together one does it while the others wait.
///
/// # Errors
/// Any [`MigrationError`]; the migrations before the failed one stay applied.
pub async fn apply(url: &SecretString) -> Result<Vec<String>, MigrationError> {
    on_a_connection(url, |connection| {
        connection
            .batch_execute(&format!("SET lock_timeout = '60s'; SELECT pg_advisory_lock({LOCK}); RESET lock_timeout"))?;
        let applied = names(&connection.pending_migrations(MIGRATIONS)?);
        connection.run_pending_migrations(MIGRATIONS)?;
        connection.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
        Ok(applied)
    })
    .await
}

/// Undoes the latest migration and says which, or nothing when there is none: for the tests, which prove every way back.
///
/// # Errors
/// Any [`MigrationError`].
pub async fn revert_last(url: &SecretString) -> Result<Option<String>, MigrationError> {
    on_a_connection(url, |connection| {
        let Some(last) = connection.applied_migrations()?.into_iter().max() else {
            return Ok(None);
        };
        let all = MigrationSource::<Pg>::migrations(&MIGRATIONS)?;
        let (last, _): (Vec<_>, Vec<_>) = all.into_iter().partition(|migration| migration.name().version() == last);
        connection.revert_last_migration(MIGRATIONS)?;
        Ok(names(&last).pop())
    })
    .await
}

type Anything = Box<dyn std::error::Error + Send + Sync>;

/// The connection's own task stays on the arbiter; only the waiting for it moves to a thread where waiting is allowed, because
/// the wrapper blocks. (`AsyncMigrationHarness` would block here, which panics under actix: diesel_async issue 266.)
async fn on_a_connection<T: Send + 'static>(
    url: &SecretString,
    work: impl FnOnce(&mut Blocking) -> Result<T, Anything> + Send + 'static,
) -> Result<T, MigrationError> {
    let connection = Connector::new(url.clone(), CONNECT_WITHIN, Duration::ZERO).connect().await?;
    let done = tokio::task::spawn_blocking(move || work(&mut Blocking::from(connection))).await;
    done.map_err(|panic| MigrationError::Failed(panic.to_string()))?
        .map_err(|error| MigrationError::Failed(error.to_string()))
}

/// diesel would create its table when asked; to look must not change anything.
fn has_history(connection: &mut Blocking) -> QueryResult<bool> {
    diesel::select(diesel::dsl::sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL"))
        .get_result(connection)
}

fn names(migrations: &[Box<dyn Migration<Pg>>]) -> Vec<String> {
    let mut names: Vec<String> = migrations.iter().map(|migration| migration.name().to_string()).collect();
    names.sort_unstable();
    names
}
