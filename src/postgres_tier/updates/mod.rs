//! The stored requests to look at the court (`process_updates`), which the nodes share.

mod handlers;
pub mod messages;
mod queries;
