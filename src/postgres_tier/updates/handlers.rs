//! Messages to work, each in a task of its own.

use std::rc::Rc;

use actix::{Handler, ResponseFuture};

use super::messages::{ClaimDue, ReadUpdate, SaveUpdate, Saved};
use super::queries;
use crate::domain::update::UpdateRecord;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;

impl Handler<SaveUpdate> for PostgresTier {
    type Result = ResponseFuture<Result<Saved, PostgresError>>;

    fn handle(&mut self, save: SaveUpdate, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let SaveUpdate { record, check_in } = save;
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::save(connection, &record, check_in).await).await
        })
    }
}

impl Handler<ReadUpdate> for PostgresTier {
    type Result = ResponseFuture<Result<Option<UpdateRecord>, PostgresError>>;

    fn handle(&mut self, read: ReadUpdate, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().read_timeout;
            tier.operate(within, async |connection| queries::read(connection, read.cnj).await).await
        })
    }
}

impl Handler<ClaimDue> for PostgresTier {
    type Result = ResponseFuture<Result<Vec<UpdateRecord>, PostgresError>>;

    fn handle(&mut self, claim: ClaimDue, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let ClaimDue { most, lease } = claim;
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::claim(connection, most, lease).await).await
        })
    }
}
