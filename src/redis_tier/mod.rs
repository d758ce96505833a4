//! The shared tier, in Redis: one envelope a process, read and written in one round trip each, and the pace that all nodes share.
//!
//! - `keys`: how things are named there.
//! - `connection`: one server or a cluster, behind one connection type.
//! - `commands`: what is sent.
//! - `slots`: the pace: a slot for one request to a vendor, in one round trip.
//! - `link`: the connections, and whether Redis is there at all.
//! - `actor`, `handlers`, `messages`: the tier as an actor.

pub mod actor;
mod commands;
mod connection;
mod handlers;
pub mod keys;
mod link;
pub mod messages;
pub mod slots;

use redis::RedisResult;

use crate::config::redis::RedisSettings;

/// Connects once and asks for a sign of life, for whoever checks a configuration.
///
/// # Errors
/// The client's own words.
pub async fn reach(settings: &RedisSettings) -> RedisResult<()> {
    let mut connection = connection::Door::new(settings)?.open(settings).await?;
    commands::ping(&mut connection).await
}
