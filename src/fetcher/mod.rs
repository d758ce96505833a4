//! The vendors: the only room that speaks to them, and the only one that can spend.
//!
//! ```text
//! Fetch ─► actor ─► Providers ─► Escavador | Datajud ─► Client ─► Asking ─► Session ─► Account ─► the vendor
//!                   choice, complement    walk, pages, convert    retry     standing, budget, pace, ledger
//!                   (pure)                (pure but for the walk) (pure)    (decide whether it is sent at all)
//! ```
//!
//! * [`messages`], [`update_messages`], [`monitor_messages`] and [`callback_messages`] are what the room is asked and what it answers; [`provider`] is what a vendor must be able to
//!   do; [`choice`] says who is asked, and whose answer stands.
//! * What every client needs is written once: `asking` (permission, end, repetition), `retry` (when again), `transport` (HTTP with
//!   bounds), `body` and `lenient` (JSON of doubtful types), `tally`. What a status means is each vendor's own: `escavador/outcome.rs`,
//!   `datajud/outcome.rs`.
//! * [`account`] lets a request through or not and learns from its end: [`standing`], [`budget`] over a `vault`, [`pace`], [`prices`].
//!   It outlives the actor. [`wasted`] keeps what was bought in vain from being bought for every reader.
//! * [`bookkeeping`] is what is done beside fetching; [`stock`] and [`calm`] lay the vendor's balance beside the ledger; [`desk`] is their
//!   way to PostgreSQL.
//! * Nothing of a walk that did not reach its end is ever given out as a process.

pub mod account;
pub mod actor;
mod asking;
mod body;
pub mod bookkeeping;
pub mod budget;
pub mod callback_messages;
pub mod calm;
pub mod choice;
mod complement;
pub mod datajud;
pub mod desk;
pub mod escavador;
#[cfg(test)]
mod fixture;
mod handlers;
mod lenient;
pub mod messages;
pub mod monitor_messages;
pub mod pace;
pub mod prices;
pub mod provider;
pub mod providers;
mod retry;
mod setback;
pub mod standing;
pub mod stock;
mod tally;
pub(crate) mod tls;
pub mod transport;
pub mod update_messages;
pub mod vault;
pub mod wasted;

pub use actor::Fetcher;
pub(crate) use tls::install_cryptography;
