//! Messages to work.

use super::messages::{PruneEvents, ReadEvents, ReadNewestEvent};
use super::queries;
use crate::domain::event::Event;

answer!(ReadEvents => Vec<Event>, read_timeout, queries::read);
answer!(ReadNewestEvent => u64, read_timeout, |connection, _read| queries::newest(connection));
answer!(PruneEvents => usize, store_timeout, |connection, prune| queries::prune(connection, prune));
