//! PostgreSQL as those ask it who look after the money: nobody waits, so it may take its time, and an answer that does not come is none.

use std::time::Duration;

use actix::Message;

use crate::ambient::SharedClock;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;
use crate::resilience::deadline::Deadline;
use crate::supervision::ActorRef;

/// How long PostgreSQL may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// See the module.
#[derive(Clone)]
pub struct Desk {
    /// Where rows go.
    pub postgres: ActorRef<PostgresTier>,
    /// Time.
    pub clock: SharedClock,
}

impl Desk {
    /// Whether PostgreSQL did as it was told.
    pub(super) async fn told<M>(&self, message: M) -> bool
    where
        M: Message<Result = Result<(), PostgresError>> + Send + 'static,
        PostgresTier: actix::Handler<M>,
    {
        self.answer(message).await.is_some()
    }

    /// What PostgreSQL answers, if it does.
    pub(super) async fn answer<M, T>(&self, message: M) -> Option<T>
    where
        M: Message<Result = Result<T, PostgresError>> + Send + 'static,
        T: Send + 'static,
        PostgresTier: actix::Handler<M>,
    {
        self.postgres.ask(message, self.within(PATIENCE)).await.ok()?.ok()
    }

    /// So long from now.
    pub(super) fn within(&self, patience: Duration) -> Deadline {
        Deadline::after(self.clock.monotonic(), patience)
    }
}
