//! The durable tier on real servers: what is stored, who may see it, and what happens while the server is broken.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and these time real servers, talk to them directly and start a process to be killed"
)]

mod absence;
mod budget;
mod cleaning;
#[cfg(feature = "embedded")]
mod embedded;
mod journal;
mod ledger;
mod movements;
mod novelty;
mod outage;
mod rights;
mod rounds;
pub(crate) mod samples;
mod schema;
mod store;
mod tls;
mod updates;
mod warm;
