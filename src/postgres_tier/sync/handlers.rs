//! Messages to work, each in a task of its own.

use std::rc::Rc;

use actix::{Handler, ResponseFuture};

use super::messages::{
    AddReads, BeginRun, Claim, Claimed, Clean, EndRun, Finish, Lead, Outlook, ReadExpiring, ReadOutlook, ReadRuns,
    ReadStanding, RequestRun, Requested, Resign, Run, Standing,
};
use super::queries;
use crate::postgres_tier::actor::PostgresTier;
use crate::postgres_tier::messages::PostgresError;

/// One message, its answer, and the query that does it. Nodes wait for each other in these: longer than a read.
macro_rules! answer {
    ($message:ty => $answer:ty, $query:path) => {
        impl Handler<$message> for PostgresTier {
            type Result = ResponseFuture<Result<$answer, PostgresError>>;

            fn handle(&mut self, message: $message, _: &mut Self::Context) -> Self::Result {
                let tier = Rc::clone(&self.tier);
                Box::pin(async move {
                    let within = tier.settings().store_timeout;
                    tier.operate(within, async |connection| $query(connection, &message).await).await
                })
            }
        }
    };
}

answer!(Lead => Option<u64>, queries::lead);
answer!(Resign => (), queries::resign);
answer!(BeginRun => Option<Run>, queries::begin_run);
answer!(ReadOutlook => Outlook, queries::read_outlook);
answer!(ReadExpiring => Outlook, queries::read_expiring);
answer!(Claim => Claimed, queries::claim);
answer!(Finish => bool, queries::finish);
answer!(EndRun => Option<Run>, queries::end_run);
answer!(RequestRun => Requested, queries::request_run);
answer!(ReadStanding => Standing, queries::read_standing);
answer!(ReadRuns => Vec<Run>, queries::read_runs);
answer!(Clean => u64, queries::clean);
answer!(AddReads => (), queries::add_reads);
