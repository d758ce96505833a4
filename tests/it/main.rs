//! The integration tests: one binary, one folder for each capability, one test for each behaviour.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says at which line"
)]

mod binary;
mod books;
mod callbacks;
mod chain;
mod faults;
mod freshness;
mod http;
mod ledger;
mod limits;
mod news;
mod outcomes;
mod pace;
mod postgres;
mod supervision;
mod support;
mod updates;
mod warm;
mod watch;
