//! Messages to work.

use super::messages::{
    ClaimCallbacks, ClaimedCallback, IsWatched, KeepCallback, Kept, PruneCallbacks, ReadCallbackReport, SettleCallback,
};
use super::reading_messages::{BeginReading, HurryReading, NoteReading, Reading};
use super::{queries, reading};
use crate::domain::callback::CallbackReport;

answer!(KeepCallback => Kept, store_timeout, queries::keep);
answer!(ClaimCallbacks => Vec<ClaimedCallback>, store_timeout, |connection, given|
    queries::claim(connection, given.most, given.lease));
answer!(SettleCallback => bool, store_timeout, queries::settle);
answer!(PruneCallbacks => usize, store_timeout, queries::prune);
answer!(ReadCallbackReport => CallbackReport, store_timeout, |connection, given|
    queries::report(connection, given.state, given.most));
answer!(IsWatched => bool, read_timeout, |connection, given| queries::is_watched(connection, given.cnj));
answer!(BeginReading => Option<Reading>, store_timeout, reading::begin);
answer!(NoteReading => bool, store_timeout, reading::note);
answer!(HurryReading => (), store_timeout, |connection, given| reading::hurry(connection, given.within));
