//! The durable tier, in PostgreSQL.

pub mod actor;
pub mod bell;
pub mod callbacks;
pub mod connect;
#[cfg_attr(not(feature = "embedded"), path = "embedded_absent.rs")]
pub mod embedded;
pub mod events;
mod handlers;
pub mod ledger;
pub mod messages;
pub mod migrations;
mod models;
mod pool;
mod queries;
mod schema;
pub mod status;
mod store;
mod tier;
pub mod updates;
pub mod warm;
pub mod watch;
pub mod webhooks;

pub use actor::PostgresTier;
pub use status::PostgresStatus;
