//! The client of the vendors: the only room that speaks to them, and the only one that can spend.
//!
//! ```text
//! Fetch ─► actor ─► Provider ─► Walk (pages, pure) ─► Client ─► Limiter ─► the vendor
//!                                   ▲                   │
//!                     convert (pure)┘        outcome, retry (pure)
//! ```
//!
//! * [`messages`] is what the room is asked and what it answers; [`provider`] is what a vendor must be able to do, so that a second
//!   one is a folder beside [`escavador`].
//! * Every decision has one place: what a status means (`escavador/outcome.rs`), whether it is asked again (`escavador/retry.rs`),
//!   when the pages end (`escavador/pages.rs`), how fast we may ask ([`limiter`]).
//! * Nothing of a walk that did not reach its end is ever given out as a process.

pub mod account;
pub mod actor;
pub mod bookkeeping;
pub mod budget;
pub mod calm;
pub mod choice;
mod complement;
pub mod datajud;
pub mod desk;
pub mod escavador;
#[cfg(test)]
mod fixture;
mod handlers;
pub mod messages;
pub mod pace;
pub mod prices;
pub mod provider;
pub mod providers;
pub mod standing;
pub mod stock;
mod tls;
pub mod transport;
pub mod update_messages;
pub mod vault;

pub use actor::Fetcher;
pub(crate) use tls::install_cryptography;
