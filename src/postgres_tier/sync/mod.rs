//! The synchronisation as the nodes share it: the lead, the runs, the claims, the day's count, what is read.
//!
//! Whatever takes locks is one statement (the functions of `migrations/…_synchronisation`), so that a node that freezes holds none, and
//! each of them bears being asked twice, because an answer may be lost. All times are the database's clock.

mod handlers;
pub mod messages;
mod models;
mod queries;
pub mod words;
