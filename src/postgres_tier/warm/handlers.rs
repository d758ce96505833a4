//! Messages to work, each in a task of its own.

use std::rc::Rc;

use actix::{Handler, ResponseFuture};

use super::messages::{AcceptList, CancelList, ClaimItems, NoteItem, PruneLists, ReadList, ReadLists};
use super::queries;
use crate::domain::warm::{TakenItem, WarmDetail, WarmList};
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;

impl Handler<AcceptList> for PostgresTier {
    type Result = ResponseFuture<Result<Option<WarmList>, PostgresError>>;

    fn handle(&mut self, accept: AcceptList, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::accept(connection, &accept).await).await
        })
    }
}

impl Handler<ReadList> for PostgresTier {
    type Result = ResponseFuture<Result<Option<WarmDetail>, PostgresError>>;

    fn handle(&mut self, read: ReadList, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::read(connection, &read).await).await
        })
    }
}

impl Handler<ReadLists> for PostgresTier {
    type Result = ResponseFuture<Result<Vec<WarmList>, PostgresError>>;

    fn handle(&mut self, read: ReadLists, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::latest(connection, read.most).await).await
        })
    }
}

impl Handler<CancelList> for PostgresTier {
    type Result = ResponseFuture<Result<Option<WarmList>, PostgresError>>;

    fn handle(&mut self, cancel: CancelList, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::cancel(connection, &cancel.id).await).await
        })
    }
}

impl Handler<ClaimItems> for PostgresTier {
    type Result = ResponseFuture<Result<Vec<TakenItem>, PostgresError>>;

    fn handle(&mut self, claim: ClaimItems, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::claim(connection, &claim).await).await
        })
    }
}

impl Handler<NoteItem> for PostgresTier {
    type Result = ResponseFuture<Result<Option<WarmList>, PostgresError>>;

    fn handle(&mut self, note: NoteItem, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::note(connection, &note).await).await
        })
    }
}

impl Handler<PruneLists> for PostgresTier {
    type Result = ResponseFuture<Result<usize, PostgresError>>;

    fn handle(&mut self, prune: PruneLists, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::prune(connection, &prune).await).await
        })
    }
}
