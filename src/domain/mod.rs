//! What a court process is, what its movements mean, and how a copy of it is written, cut and shown. Pure: no actor, no
//! runtime, no clock, no database.
//!
//! - `cnj`, `court`: the number and its court. `movement`, `snapshot`, `version`: the process.
//! - `fold`, `degree`, `classify`, `phase`, `outcome`: what movements mean.
//! - `caller`: on whose behalf. `update`: a request to look at the court. `callback`: what the vendor posts. `warm`: a list to
//!   load.
//! - `diff`, `event`: what is news, and a piece of it.
//! - `calendar`, `rhythm`, `lifetime`: how often it moves, and how long a copy of it counts as fresh.
//! - `codec`, `entry`: a copy as tiers keep it. `view`, `render`, `served`, `coding`: an answer.

pub mod calendar;
pub mod callback;
pub mod caller;
pub mod classify;
pub mod cnj;
pub mod codec;
pub mod coding;
pub mod court;
mod court_table;
pub mod degree;
pub mod diff;
pub mod entry;
pub mod event;
pub mod fold;
pub mod lifetime;
pub mod movement;
pub mod outcome;
pub mod phase;
pub mod render;
pub mod rhythm;
#[cfg(test)]
pub(crate) mod sample;
pub mod served;
pub mod snapshot;
pub mod update;
pub mod version;
pub mod view;
pub mod warm;
pub mod watch;
