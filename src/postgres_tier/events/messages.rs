//! What the tier is asked about news, and what it answers.

use std::time::Duration;

use actix::Message;

use crate::domain::cnj::Cnj;
use crate::domain::event::Event;
use crate::postgres_tier::messages::PostgresError;

/// Reads the events after a number, in their order: one round trip.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Event>, PostgresError>")]
pub struct ReadEvents {
    /// Only later ones.
    pub after: u64,
    /// Only those of this process.
    pub cnj: Option<Cnj>,
    /// At most so many.
    pub most: usize,
}

/// Asks for the number of the newest event; zero if there never was one.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<u64, PostgresError>")]
pub struct ReadNewestEvent;

/// Forgets old events, the oldest first, and says how many went. Ask again while it answers `most`. Processes and movements stay.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<usize, PostgresError>")]
pub struct PruneEvents {
    /// Those younger than this stay, by the database's clock.
    pub keep: Duration,
    /// At most so many at once, so that nothing is locked for long.
    pub most: usize,
}
