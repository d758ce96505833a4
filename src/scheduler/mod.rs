//! Keeps copies fresh within a day's limit, by one leader however many nodes run.
//!
//! ```text
//! worker: lead or wait ─► begin or adopt a run ─► cycle: choose ─► claim ─► refresh ─► finish ─► … ─► clean up ─► end the run
//! ```
//!
//! - `choice`, `worth`: what a batch holds and why. `verdict`: what follows from a refresh. `lease`: until when a node leads. Pure.
//! - `worker`, `cycle`: carry it out. `reads` says what is read; `refresher` is the way to the fallback chain.
//! - `early`: beside the cycles, on every node: what readers wish refreshed before it expires.
//! - `book`: what all nodes share, in PostgreSQL, by its clock. `desk`: what people ask; it asks the book, so it works on every node.
//!
//! What holds, whichever node dies or freezes and whenever:
//!
//! - The epoch rises with every change of the leader, and claims, new runs and the ends of runs are refused under an older one. A result
//!   is accepted from whoever made the claim, for as long as nobody else has it, because what was paid must be written down.
//! - A claim is for one process and one expiry, and ends by itself after its lease. A refresh ends before that by the monotonic clock of
//!   whoever makes it, counted from before the claim was asked for.
//! - The requests that a refresh may need are counted for the day before it begins, in the statement that makes the claim. They are
//!   given back by whoever made it and knows that they were not sent; those of a node that died never are.
//! - What readers are about to find expired is refreshed a little early, by any node (`early`): such a claim needs no lead and belongs to
//!   no run, so no epoch ends it. The claim itself keeps every other node and the leader away, it is for an expiry that is still to come,
//!   and its requests are counted for the same day.
//! - A run that its leader left open is gone on with by the next leader, and no other is opened meanwhile. Ticks that were missed become
//!   one run. Who asks for a run opens one, or joins the one that is open.

pub mod actor;
pub mod book;
pub mod chain;
pub mod choice;
mod cycle;
pub mod desk;
mod early;
mod lease;
pub mod reads;
pub mod refresher;
pub mod reins;
pub mod verdict;
pub mod worker;
pub mod worth;

pub use self::actor::SyncScheduler;
pub use self::reins::Reins;
pub use self::worker::{Surroundings, Worker};
