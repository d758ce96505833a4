//! Messages to work, each in a task of its own.

use std::rc::Rc;

use actix::{Handler, ResponseFuture};

use super::messages::{
    ClaimCallbacks, ClaimedCallback, IsWatched, KeepCallback, Kept, NoteMonitor, PruneCallbacks, ReadCallbackReport,
    SettleCallback,
};
use super::reading_messages::{BeginReading, HurryReading, NoteReading, Reading};
use super::{queries, reading};
use crate::domain::callback::CallbackReport;
use crate::postgres_tier::PostgresTier;
use crate::postgres_tier::messages::PostgresError;

/// One handler: a message, what it answers, and the statement that does it, which must bear being done twice.
macro_rules! handle {
    ($message:ty => $answer:ty, $timeout:ident, |$connection:ident, $given:ident| $work:expr) => {
        impl Handler<$message> for PostgresTier {
            type Result = ResponseFuture<Result<$answer, PostgresError>>;

            fn handle(&mut self, $given: $message, _: &mut Self::Context) -> Self::Result {
                let tier = Rc::clone(&self.tier);
                Box::pin(async move {
                    let within = tier.settings().$timeout;
                    tier.operate(within, async |$connection| $work.await).await
                })
            }
        }
    };
}

handle!(KeepCallback => Kept, store_timeout, |connection, given| queries::keep(connection, &given));
handle!(ClaimCallbacks => Vec<ClaimedCallback>, store_timeout, |connection, given| queries::claim(connection, given.most, given.lease));
handle!(SettleCallback => bool, store_timeout, |connection, given| queries::settle(connection, &given));
handle!(PruneCallbacks => usize, store_timeout, |connection, given| queries::prune(connection, &given));
handle!(ReadCallbackReport => CallbackReport, store_timeout, |connection, given| queries::report(connection, given.state, given.most));
handle!(IsWatched => bool, read_timeout, |connection, given| queries::is_watched(connection, given.cnj));
handle!(NoteMonitor => bool, store_timeout, |connection, given| queries::note_monitor(connection, &given));
handle!(BeginReading => Option<Reading>, store_timeout, |connection, given| reading::begin(connection, &given));
handle!(NoteReading => bool, store_timeout, |connection, given| reading::note(connection, &given));
handle!(HurryReading => (), store_timeout, |connection, given| reading::hurry(connection, given.within));
