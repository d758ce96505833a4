//! The vendor's callbacks in, on the real PostgreSQL: what is stored, what it does, and what is missed by nobody.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod door;
mod fixture;
mod list;
mod rows;
mod working;
