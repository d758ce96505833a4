//! Messages to work, each in a task of its own.

use std::rc::Rc;

use actix::{Handler, ResponseFuture};

use super::messages::{PruneEvents, ReadEvents, ReadNewestEvent};
use super::queries;
use crate::domain::event::Event;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;

impl Handler<ReadEvents> for PostgresTier {
    type Result = ResponseFuture<Result<Vec<Event>, PostgresError>>;

    fn handle(&mut self, read: ReadEvents, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().read_timeout;
            tier.operate(within, async |connection| queries::read(connection, &read).await).await
        })
    }
}

impl Handler<ReadNewestEvent> for PostgresTier {
    type Result = ResponseFuture<Result<u64, PostgresError>>;

    fn handle(&mut self, _: ReadNewestEvent, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().read_timeout;
            tier.operate(within, async |connection| queries::newest(connection).await).await
        })
    }
}

impl Handler<PruneEvents> for PostgresTier {
    type Result = ResponseFuture<Result<usize, PostgresError>>;

    fn handle(&mut self, prune: PruneEvents, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::prune(connection, prune).await).await
        })
    }
}
