//! What the tests stand on: real servers that belong to the test alone, a network that breaks on command, bounded waits.
//!
//! Every server runs on a free port in a folder of its own, is started by this process and ended by it, and is ended by a
//! watchdog when this process is killed before it could. No running service is ever touched.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test's foundation says what broke by panicking, and needs the real clock, real threads and the environment"
)]

pub(crate) mod fault_proxy;
pub(crate) mod guard;
pub(crate) mod house;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod redis;
pub(crate) mod wait;
