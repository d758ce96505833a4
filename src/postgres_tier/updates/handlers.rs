//! Messages to work.

use super::messages::{ClaimDue, ReadUpdate, SaveUpdate, Saved};
use super::queries;
use crate::domain::update::UpdateRecord;

answer!(SaveUpdate => Saved, store_timeout, |connection, save| queries::save(connection, &save.record, save.check_in));
answer!(ReadUpdate => Option<UpdateRecord>, read_timeout, |connection, read| queries::read(connection, read.cnj));
answer!(ClaimDue => Vec<UpdateRecord>, store_timeout, |connection, claim|
    queries::claim(connection, claim.most, claim.lease));
