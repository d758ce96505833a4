//! The ledger's files on a real disk: processes that are killed, that share a folder, that find the disk full.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and these start processes to be killed"
)]

mod disk;
mod killed;
mod samples;
mod shared;
