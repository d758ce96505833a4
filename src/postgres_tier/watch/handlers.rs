//! Messages to work, each in a task of its own.

use std::rc::Rc;

use actix::{Handler, ResponseFuture};

use super::messages::{
    ClaimMonitors, DoubtMonitor, DropWatch, ListWatched, MonitorTask, Put, PutWatch, ReadWatch, SaveMonitor,
    SaveRemoval, WatchedProcess,
};
use super::queries;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;

impl Handler<PutWatch> for PostgresTier {
    type Result = ResponseFuture<Result<Put, PostgresError>>;

    fn handle(&mut self, ask: PutWatch, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::put(connection, &ask).await).await
        })
    }
}

impl Handler<DropWatch> for PostgresTier {
    type Result = ResponseFuture<Result<bool, PostgresError>>;

    fn handle(&mut self, ask: DropWatch, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::drop_watch(connection, ask.cnj).await).await
        })
    }
}

impl Handler<ReadWatch> for PostgresTier {
    type Result = ResponseFuture<Result<Option<WatchedProcess>, PostgresError>>;

    fn handle(&mut self, ask: ReadWatch, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().read_timeout;
            tier.operate(within, async |connection| queries::read(connection, ask.cnj).await).await
        })
    }
}

impl Handler<ListWatched> for PostgresTier {
    type Result = ResponseFuture<Result<Vec<WatchedProcess>, PostgresError>>;

    fn handle(&mut self, ask: ListWatched, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::list(connection, ask.after, ask.most).await).await
        })
    }
}

impl Handler<ClaimMonitors> for PostgresTier {
    type Result = ResponseFuture<Result<Vec<MonitorTask>, PostgresError>>;

    fn handle(&mut self, ask: ClaimMonitors, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::claim(connection, &ask).await).await
        })
    }
}

impl Handler<SaveMonitor> for PostgresTier {
    type Result = ResponseFuture<Result<(), PostgresError>>;

    fn handle(&mut self, ask: SaveMonitor, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::save(connection, &ask).await).await
        })
    }
}

impl Handler<SaveRemoval> for PostgresTier {
    type Result = ResponseFuture<Result<(), PostgresError>>;

    fn handle(&mut self, ask: SaveRemoval, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::save_removal(connection, &ask).await).await
        })
    }
}

impl Handler<DoubtMonitor> for PostgresTier {
    type Result = ResponseFuture<Result<bool, PostgresError>>;

    fn handle(&mut self, ask: DoubtMonitor, _: &mut Self::Context) -> Self::Result {
        let tier = Rc::clone(&self.tier);
        Box::pin(async move {
            let within = tier.settings().store_timeout;
            tier.operate(within, async |connection| queries::doubt(connection, &ask).await).await
        })
    }
}
