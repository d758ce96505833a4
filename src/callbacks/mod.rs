//! The vendor's callbacks: what it posts to us about monitored processes and requested updates, free of charge.
//!
//! ```text
//! POST /webhooks/escavador ─► intake ─► vendor_callbacks ─► clerk ─► copies, watches, update requests
//! the vendor's list ────────────┘        (one row a content)  (any node, by lease)
//! ```
//!
//! - `canonical`, `event`, `plan`: what a callback is, says and asks of us, and what follows from how that went. Pure.
//! - `intake`: stores before anything is confirmed. The vendor delivers up to eleven times, with another `uuid` each time and in any order;
//!   one content is one row, and what a row does may be repeated.
//! - `actor`, `clerk`: work off what is stored. `list`: reads what was missed.
//! - `copies`, `neighbours`: the ways to whom it concerns.

pub mod actor;
pub mod canonical;
mod clerk;
pub mod copies;
pub mod event;
pub mod intake;
pub mod list;
pub mod neighbours;
pub mod plan;

pub use self::actor::Callbacks;
pub use self::clerk::Surroundings;
pub use self::intake::{Intake, Receipt, Via};
