//! The connections, and whether Redis is there at all.
//!
//! The breaker is this: the first failure takes the connections away, so whoever asks next is refused at once; a task of the
//! tier's own, never a reader, tries to connect until it succeeds. A dead Redis costs one timeout and then nothing.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use redis::RedisResult;
use tokio::time::timeout;

use super::commands::ping;
use super::connection::{Connection, Door};
use super::messages::RedisError;
use crate::config::redis::RedisSettings;
use crate::telemetry::Metrics;

const TIER: &str = "redis";

/// The way to Redis. One arbiter only.
pub(super) struct Link {
    settings: RedisSettings,
    metrics: Metrics,
    door: Door,
    open: RefCell<Vec<Connection>>,
    turn: Cell<usize>,
    /// Counts the times that connections were made; a failure of older ones says nothing of the present ones.
    era: Cell<u64>,
    /// The era in which a refused command was last told.
    refused_in: Cell<u64>,
    /// Whether it was told that Redis is away.
    told: Cell<bool>,
}

/// Whether an error means that this connection, or the server behind it, is of no use for now.
fn speaks_of_the_server(error: &redis::RedisError) -> bool {
    // A demoted or starting server answers everything with these; a new connection may lead to the right one.
    let useless = ["READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "CLUSTERDOWN"];
    error.is_timeout()
        || error.is_io_error()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || error.code().is_some_and(|code| useless.contains(&code))
}

impl Link {
    pub(super) fn new(settings: RedisSettings, metrics: Metrics, door: Door) -> Self {
        metrics.set_tier_up(TIER, false);
        Self {
            settings,
            metrics,
            door,
            open: RefCell::default(),
            turn: Cell::new(0),
            era: Cell::new(0),
            refused_in: Cell::new(0),
            told: Cell::new(false),
        }
    }

    /// Bytes of the largest value worth keeping there.
    pub(super) fn max_value(&self) -> usize {
        self.settings.max_value
    }

    /// Does one operation on the next connection, within the operation timeout.
    pub(super) async fn run<T, F>(&self, operation: impl FnOnce(Connection) -> F) -> Result<T, RedisError>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let connection = self.next().ok_or(RedisError::Away)?;
        let era = self.era.get();
        match timeout(self.settings.timeout, operation(connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let timed_out = error.is_timeout();
                if speaks_of_the_server(&error) {
                    self.lose(era, &error.to_string());
                } else if self.refused_in.replace(era) != era {
                    // Once for each connection: a full or read-only Redis refuses every command.
                    tracing::warn!(%error, "redis refuses commands");
                }
                Err(if timed_out { RedisError::TimedOut } else { RedisError::Failed })
            }
            Err(_) => {
                self.lose(era, "no answer in time");
                Err(RedisError::TimedOut)
            }
        }
    }

    fn next(&self) -> Option<Connection> {
        let open = self.open.borrow();
        let turn = self.turn.get().wrapping_add(1);
        self.turn.set(turn);
        open.get(turn.checked_rem(open.len())?).cloned()
    }

    fn lose(&self, era: u64, cause: &str) {
        if self.era.get() == era && !self.open.borrow().is_empty() {
            self.open.borrow_mut().clear();
            self.metrics.set_tier_up(TIER, false);
            self.tell(cause);
        }
    }

    /// One line for each outage.
    fn tell(&self, cause: &str) {
        if !self.told.replace(true) {
            tracing::warn!(cause, "redis is away; lookups go on without it");
        }
    }

    /// Keeps the link up for as long as the tier lives: reconnects when it is down, and notices while it is idle that Redis
    /// has gone.
    pub(super) async fn tend(self: Rc<Self>) {
        let mut pause = tokio::time::interval(self.settings.probe_every);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            if Rc::strong_count(&self) == 1 {
                return;
            }
            if self.open.borrow().is_empty() {
                self.connect().await;
            } else {
                let _pong = self.run(|mut connection| async move { ping(&mut connection).await }).await;
            }
        }
    }

    async fn connect(&self) {
        let mut fresh = Vec::with_capacity(self.settings.connections);
        for _ in 0..self.settings.connections.max(1) {
            match self.connection().await {
                Ok(connection) => fresh.push(connection),
                Err(error) => {
                    self.tell(&error);
                    return;
                }
            }
        }
        *self.open.borrow_mut() = fresh;
        self.era.set(self.era.get().wrapping_add(1));
        self.told.set(false);
        self.metrics.set_tier_up(TIER, true);
        tracing::info!("redis answers");
    }

    async fn connection(&self) -> Result<Connection, String> {
        let connect = async {
            let mut connection = self.door.open(&self.settings).await?;
            ping(&mut connection).await?;
            Ok(connection)
        };
        let patience = self.settings.connect_timeout + self.settings.timeout;
        timeout(patience, connect)
            .await
            .map_err(|_| "no connection in time".to_owned())?
            .map_err(|error: redis::RedisError| error.category().to_owned())
    }
}
