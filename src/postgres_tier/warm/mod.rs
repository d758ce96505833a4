//! The lists of processes to load (`warm_lists`, `warm_items`), which the nodes share.

mod handlers;
pub mod messages;
mod models;
mod queries;
