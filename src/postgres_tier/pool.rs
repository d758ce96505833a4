//! The connections: every wait for one is bounded, and none of them handed out again once it has misbehaved.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as QueryError};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::{BuildError, Object, Pool as Deadpool};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolableConnection, RecyclingMethod,
};
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::connect::Connector;
use super::messages::PostgresError;
use crate::ambient::SharedClock;
use crate::resilience::Deadline;

/// Why the database did not do it, as finely as the breaker must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// All connections were busy for the whole time. That says nothing about the server.
    Busy,
    /// The server did not answer in time.
    TimedOut,
    /// No connection, or it broke.
    Disconnected,
    /// The server answered: no.
    Refused,
}

impl Failure {
    /// Whether it speaks against the server being there.
    pub(super) fn is_outage(self) -> bool {
        matches!(self, Self::TimedOut | Self::Disconnected)
    }
}

impl From<Failure> for PostgresError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy | Failure::TimedOut => Self::TimedOut,
            Failure::Disconnected => Self::Disconnected,
            Failure::Refused => Self::Refused,
        }
    }
}

/// The pool of one actor. Its connections live on that actor's arbiter.
pub(super) struct Pool {
    connections: Deadpool<AsyncPgConnection>,
    /// One for each connection. Waited for apart, because waiting for one's turn says nothing about the server, while waiting for
    /// a connection does.
    turns: Semaphore,
    clock: SharedClock,
}

impl Pool {
    /// A pool that opens connections when they are needed, `size` at the most.
    pub(super) fn new(connector: Connector, size: usize, clock: SharedClock) -> Result<Self, BuildError> {
        let mut config = ManagerConfig::default();
        // `Verified` would ask the server once more at every checkout; a dead connection is noticed at its first query instead.
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_url| {
            let connector = connector.clone();
            async move { Ok(connector.connect().await?) }.boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config("", config);
        let size = size.max(1);
        let connections = Deadpool::builder(manager).max_size(size).build()?;
        Ok(Self { connections, turns: Semaphore::new(size), clock })
    }

    /// Does `work` on a connection, within a time that includes waiting for one. `work` must bear being done twice: if the
    /// connection turns out to be dead, it is done once more on another one.
    pub(super) async fn run<T>(
        &self,
        within: Duration,
        work: impl AsyncFn(&mut AsyncPgConnection) -> Result<T, QueryError>,
    ) -> Result<T, Failure> {
        let deadline = Deadline::after(self.clock.monotonic(), within);
        match self.attempt(deadline, &work).await {
            Err(Failure::Disconnected) => self.attempt(deadline, &work).await,
            done => done,
        }
    }

    /// Closes the connections that nobody uses: whatever broke one of them probably broke them all.
    pub(super) fn forget_idle(&self) {
        self.connections.retain(|_, _| false);
    }

    async fn attempt<T>(
        &self,
        deadline: Deadline,
        work: impl AsyncFn(&mut AsyncPgConnection) -> Result<T, QueryError>,
    ) -> Result<T, Failure> {
        let left = || deadline.remaining(self.clock.monotonic());
        let Ok(Ok(_turn)) = timeout(left(), self.turns.acquire()).await else {
            return Err(Failure::Busy);
        };
        let mut connection = self.checkout(left()).await?;
        match timeout(left(), work(&mut connection)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                let failure = judge(&error, connection.is_broken());
                if failure == Failure::Disconnected {
                    discard(connection);
                    self.forget_idle();
                }
                Err(failure)
            }
            // The answer to what was asked may come any time later, in front of the next one's.
            Err(_elapsed) => {
                discard(connection);
                Err(Failure::TimedOut)
            }
        }
    }

    async fn checkout(&self, within: Duration) -> Result<Object<AsyncPgConnection>, Failure> {
        match timeout(within, self.connections.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(refused)) => {
                tracing::warn!(error = %refused, "no connection to postgresql");
                Err(Failure::Disconnected)
            }
            Err(_elapsed) => Err(Failure::TimedOut),
        }
    }
}

/// Closes a connection instead of giving it back.
fn discard(connection: Object<AsyncPgConnection>) {
    drop(Object::take(connection));
}

fn judge(error: &QueryError, is_broken: bool) -> Failure {
    match error {
        QueryError::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, _)
        | QueryError::BrokenTransactionManager => Failure::Disconnected,
        _ if is_broken => Failure::Disconnected,
        QueryError::DatabaseError(_, refusal) if says_goodbye(refusal.message()) => Failure::Disconnected,
        refused => {
            // Only the message: the details quote the row, and a row may be under secrecy of justice.
            tracing::error!(error = %refused, "postgresql refused a statement");
            Failure::Refused
        }
    }
}

/// A server that goes down says so in an ordinary error, and diesel does not pass its code on. A server that speaks another
/// language is understood a moment later, when the connection is closed.
fn says_goodbye(message: &str) -> bool {
    message.starts_with("terminating connection") || message.starts_with("the database system is")
}
