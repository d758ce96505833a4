//! The stored news (`process_events`): written in the transaction that stores a copy, read by those who wait for them.

mod handlers;
pub mod messages;
mod queries;
