//! Callbacks: the vendor tells an account's address what happened, again and again until somebody answers with 2xx.
//!
//! An event becomes an entry of the log (`log`), the sender (`sender`) delivers what is due, and the routes (`routes`) show the log to
//! whoever was away. As measured on the real one, the `uuid` names a delivery and not an event, so every attempt has one of its own.

pub(super) mod event;
mod log;
mod routes;
pub(super) mod sender;

pub(super) use log::Callbacks;
pub use log::SeenCallback;
