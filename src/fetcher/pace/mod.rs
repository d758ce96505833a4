//! How fast a vendor is asked, and how many requests may be on their way at once.
//!
//! ```text
//! Limiter::admit ─► line of its lane ─► InFlight ─► Pace ─► the request
//!                    first come,         how many     standing (pure) ─► Redis, where all nodes meet
//!                    first served        (adaptive)   rate (pure)
//! ```
//!
//! * [`rate`] turns a vendor's limit into numbers; `standing` decides what this node may do on its own and what it must ask.
//! * [`slots`](crate::redis_tier::slots) has the one script by which Redis decides for all nodes.
//! * `pace` carries that out for one node; `in_flight` bounds what is on its way; `gate` is both as one thing.
//!
//! # Why the limit holds
//!
//! Let `b` be the burst, and `r` what is evenly spread in a window, `b + r` being the limit (see [`rate`]).
//!
//! * Redis answers: it grants `b + r` in any window. What it does not know counts as used up: an empty Redis starts without a burst.
//! * Redis is away for all: the shares of all nodes together are at most `r`, and begin one interval after the switch, so a window that
//!   holds the burst, something of what Redis granted and something of the shares sees at most `b + r`.
//! * Redis is away for one node: this one waits with its share until Redis has lowered the rate of the others by as much.
//! * Redis comes back: for a grace a node needs both its share and a slot of Redis, so it does not matter that others have not noticed;
//!   and each node that used its share takes the burst away once more and one slot besides, because Redis did not see those requests.
//!   Redis keeps the share of a node free that it does not hear of, also of one that it only hears of from others.
//! * A node that was just started: it takes a share that the others leave free (see `NEWCOMERS` in [`rate`]).
//!
//! `simulation` runs fleets through all of this in virtual time. The grace is caution beyond what it was seen to need.
//!
//! Not covered, because it would cost more than it is worth: more than one node started beside others while Redis is away; a node cut
//! off from Redis while the others reach it, for longer than ten minutes, from its very start, or while a node is started that it
//! never heard of; Redis' clock set forward while several nodes are busy (a node by itself keeps the limit by its own clock).

mod gate;
mod in_flight;
#[expect(clippy::module_inception, reason = "the pace is the heart of this folder")]
mod pace;
pub mod rate;
mod standing;

#[cfg(test)]
mod simulation;

pub use gate::{Admission, Held, Limiter};
pub use pace::{Pace, PaceReport, SharedSlots};
pub use rate::Rate;
pub use standing::Mode;

pub use crate::resilience::adaptive::Answered;
