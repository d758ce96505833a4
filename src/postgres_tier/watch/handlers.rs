//! Messages to work.

use super::messages::{
    ClaimMonitors, DoubtMonitor, DropWatch, ListWatched, MonitorTask, Put, PutWatch, ReadWatch, SaveMonitor,
    SaveRemoval, WatchedProcess,
};
use super::queries;

answer!(PutWatch => Put, store_timeout, queries::put);
answer!(DropWatch => bool, store_timeout, |connection, ask| queries::drop_watch(connection, ask.cnj));
answer!(ReadWatch => Option<WatchedProcess>, read_timeout, |connection, ask| queries::read(connection, ask.cnj));
answer!(ListWatched => Vec<WatchedProcess>, store_timeout, |connection, ask|
    queries::list(connection, ask.after, ask.most));
answer!(ClaimMonitors => Vec<MonitorTask>, store_timeout, queries::claim);
answer!(SaveMonitor => (), store_timeout, queries::save);
answer!(SaveRemoval => (), store_timeout, queries::save_removal);
answer!(DoubtMonitor => bool, store_timeout, queries::doubt);
