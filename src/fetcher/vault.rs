//! The budget's vault in PostgreSQL.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::budget::{Vault, VaultAway};
use crate::ambient::SharedClock;
use crate::ledger::call::{Draw, Id};
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::ledger::messages::{Caps, Release, Reserve, Reserved};
use crate::resilience::deadline::Deadline;
use crate::supervision::ActorRef;

/// How long a request waits for its money; a little more than the tier's own timeout.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Caps kept by all nodes together.
#[derive(Clone)]
pub struct PostgresVault {
    /// Who keeps them.
    pub postgres: ActorRef<PostgresTier>,
    /// This process.
    pub node: Id,
    /// What must not be exceeded.
    pub caps: Caps,
    /// Time.
    pub clock: SharedClock,
}

impl std::fmt::Debug for PostgresVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresVault").field("caps", &self.caps).finish_non_exhaustive()
    }
}

impl PostgresVault {
    fn patience(&self) -> Deadline {
        Deadline::after(self.clock.monotonic(), PATIENCE)
    }
}

impl Vault for PostgresVault {
    fn reserve(&self, wanted: Vec<Draw>) -> BoxFuture<'_, Result<Reserved, VaultAway>> {
        let reserve = Reserve { node: self.node, wanted, caps: self.caps };
        async move {
            match self.postgres.ask(reserve, self.patience()).await {
                Ok(Ok(reserved)) => Ok(reserved),
                Ok(Err(_)) | Err(_) => Err(VaultAway),
            }
        }
        .boxed()
    }

    fn release(&self, ids: Vec<Id>) -> BoxFuture<'_, Result<(), VaultAway>> {
        async move {
            match self.postgres.ask(Release { reservations: ids }, self.patience()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(VaultAway),
            }
        }
        .boxed()
    }
}
