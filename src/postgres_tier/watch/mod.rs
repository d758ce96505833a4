//! The watched processes (`watched_processes`) and the monitors that are to go (`unwanted_monitors`), which the nodes share.

mod handlers;
pub mod messages;
mod queries;
