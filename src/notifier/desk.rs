//! Where subscribers are kept by people.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use thiserror::Error;
use tokio::time::timeout;

use super::signature;
use super::target::{self, Gate, TargetError};
use crate::ambient::{SharedClock, SharedRandom};
use crate::config::notifier::NotifierSettings;
use crate::domain::cnj::Cnj;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::webhooks::messages::{
    AddSubscriber, DeadDelivery, ListSubscribers, ReadDead, RemoveSubscriber, ReplayDead, Subscriber,
};
use crate::resilience::Deadline;
use crate::supervision::ActorRef;

/// How long looking a name up may take.
const LOOKUP: Duration = Duration::from_secs(3);

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DeskError {
    /// Nothing may be sent to that address.
    #[error("{0}")]
    Target(#[from] TargetError),
    /// There are as many subscribers as there may be.
    #[error("too many subscribers")]
    Full,
    /// There is no such thing.
    #[error("no such subscriber or delivery")]
    Unknown,
    /// PostgreSQL does not answer.
    #[error("{0}")]
    Away(#[from] PostgresError),
}

/// A subscriber that was just made; the only time its secret is shown.
#[derive(Debug, Clone)]
pub struct NewSubscriber {
    /// Its id.
    pub id: String,
    /// Where to, as it was understood.
    pub url: String,
    /// What its messages are signed with.
    pub secret: SecretString,
    /// When, by the database's clock.
    pub created_at: DateTime<Utc>,
}

/// Whoever keeps the subscribers.
pub trait WebhookDesk: Send + Sync {
    /// Makes a subscriber, of one process or of all.
    fn add(&self, url: String, cnj: Option<Cnj>) -> BoxFuture<'_, Result<NewSubscriber, DeskError>>;

    /// Every subscriber.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Subscriber>, DeskError>>;

    /// Removes a subscriber and what is queued for it.
    fn remove(&self, id: String) -> BoxFuture<'_, Result<(), DeskError>>;

    /// Deliveries that were given up, the newest first: those with a smaller id than `before`, at most so many.
    fn dead(&self, before: Option<i64>, most: usize) -> BoxFuture<'_, Result<Vec<DeadDelivery>, DeskError>>;

    /// Queues a delivery that was given up again.
    fn replay(&self, id: i64) -> BoxFuture<'_, Result<(), DeskError>>;
}

/// The desk over PostgreSQL.
pub struct StoredWebhooks {
    /// Who keeps them.
    pub postgres: ActorRef<PostgresTier>,
    /// Where they may lead.
    pub gate: Gate,
    /// The bounds.
    pub settings: NotifierSettings,
    /// Time for deadlines.
    pub clock: SharedClock,
    /// Ids and secrets.
    pub random: SharedRandom,
}

impl StoredWebhooks {
    fn soon(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), self.settings.patience)
    }

    async fn make(&self, url: String, cnj: Option<Cnj>) -> Result<NewSubscriber, DeskError> {
        let url = target::parse(&url)?;
        timeout(LOOKUP, self.gate.check(&url)).await.unwrap_or(Err(TargetError::Unresolved))?;
        let id = format!("whk_{:032x}", self.random.bits());
        let secret = signature::new_secret(&*self.random);
        let most = self.settings.most_subscribers;
        let add = AddSubscriber { id: id.clone(), url: url.to_string(), cnj, secret: secret.clone(), most };
        let created_at =
            self.postgres.ask(add, self.soon()).await.map_err(PostgresError::from)??.ok_or(DeskError::Full)?;
        Ok(NewSubscriber { id, url: url.into(), secret, created_at })
    }
}

impl WebhookDesk for StoredWebhooks {
    fn add(&self, url: String, cnj: Option<Cnj>) -> BoxFuture<'_, Result<NewSubscriber, DeskError>> {
        self.make(url, cnj).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Subscriber>, DeskError>> {
        async move { Ok(self.postgres.ask_again(ListSubscribers, self.soon()).await.map_err(PostgresError::from)??) }
            .boxed()
    }

    fn remove(&self, id: String) -> BoxFuture<'_, Result<(), DeskError>> {
        async move {
            let was_there =
                self.postgres.ask(RemoveSubscriber { id }, self.soon()).await.map_err(PostgresError::from)??;
            if was_there { Ok(()) } else { Err(DeskError::Unknown) }
        }
        .boxed()
    }

    fn dead(&self, before: Option<i64>, most: usize) -> BoxFuture<'_, Result<Vec<DeadDelivery>, DeskError>> {
        let read = ReadDead { before, most };
        async move { Ok(self.postgres.ask_again(read, self.soon()).await.map_err(PostgresError::from)??) }.boxed()
    }

    fn replay(&self, id: i64) -> BoxFuture<'_, Result<(), DeskError>> {
        async move {
            let was_dead = self.postgres.ask(ReplayDead { id }, self.soon()).await.map_err(PostgresError::from)??;
            if was_dead { Ok(()) } else { Err(DeskError::Unknown) }
        }
        .boxed()
    }
}

/// The desk that everyone shares.
pub type SharedDesk = Arc<dyn WebhookDesk>;
