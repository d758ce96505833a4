//! What the tier is asked about update requests, and what it answers.

use std::time::Duration;

use actix::Message;

use crate::domain::cnj::Cnj;
use crate::domain::update::UpdateRecord;
use crate::postgres_tier::messages::PostgresError;

/// Stores a record where [`UpdateRecord::may_replace`] allows it: only forward.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Saved, PostgresError>")]
pub struct SaveUpdate {
    /// The record. Its own `next_check_at` is not stored.
    pub record: Box<UpdateRecord>,
    /// How long from now, by the database's clock, it is due again; none exactly when it is over.
    pub check_in: Option<Duration>,
}

/// Reads the record of one process: one round trip.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<UpdateRecord>, PostgresError>")]
pub struct ReadUpdate {
    /// The process.
    pub cnj: Cnj,
}

/// Takes the records that are due, by the database's clock. Whoever takes one has it alone until the lease ends: then it is due again,
/// for any node.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<UpdateRecord>, PostgresError>")]
pub struct ClaimDue {
    /// At most so many.
    pub most: usize,
    /// For how long.
    pub lease: Duration,
}

/// What became of a save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// It is in the database.
    Saved,
    /// The database holds this instead, and keeps it.
    Newer(Box<UpdateRecord>),
}
