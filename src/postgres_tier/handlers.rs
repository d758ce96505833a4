//! Messages to work, each in a task of its own, so that a slow store delays no read.

use std::rc::Rc;

use actix::{Handler, ResponseFuture};

use super::actor::PostgresTier;
use super::messages::{PostgresError, Read, Store, StoreAbsence, Stored, StoredProcess};

impl Handler<Read> for PostgresTier {
    type Result = ResponseFuture<Result<Option<StoredProcess>, PostgresError>>;

    fn handle(&mut self, read: Read, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move { tier.read(read.cnj).await })
    }
}

impl Handler<Store> for PostgresTier {
    type Result = ResponseFuture<Result<Stored, PostgresError>>;

    fn handle(&mut self, store: Store, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move { tier.store(store).await })
    }
}

impl Handler<StoreAbsence> for PostgresTier {
    type Result = ResponseFuture<Result<(), PostgresError>>;

    fn handle(&mut self, absence: StoreAbsence, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move { tier.store_absence(absence).await })
    }
}
