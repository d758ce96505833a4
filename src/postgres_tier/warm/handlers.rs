//! Messages to work.

use super::messages::{AcceptList, CancelList, ClaimItems, NoteItem, PruneLists, ReadList, ReadLists};
use super::queries;
use crate::domain::warm::{TakenItem, WarmDetail, WarmList};

answer!(AcceptList => Option<WarmList>, store_timeout, queries::accept);
answer!(ReadList => Option<WarmDetail>, store_timeout, queries::read);
answer!(ReadLists => Vec<WarmList>, store_timeout, |connection, read| queries::latest(connection, read.most));
answer!(CancelList => Option<WarmList>, store_timeout, |connection, cancel| queries::cancel(connection, &cancel.id));
answer!(ClaimItems => Vec<TakenItem>, store_timeout, queries::claim);
answer!(NoteItem => Option<WarmList>, store_timeout, queries::note);
answer!(PruneLists => usize, store_timeout, queries::prune);
