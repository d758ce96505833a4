//! The synchronisation: its book, its cycles under a thousand accidents, and real nodes on one database.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test fails by panicking, and these own the time and the nodes that they break, and print their seed"
)]

mod conformance;
mod cycles;
mod early;
mod fleet;
mod model;
mod nodes;
mod processes;
mod simulation;
mod stage;
