//! What was spent: one entry for each request to a vendor, named on disk before it is sent, and stored in PostgreSQL (`api_calls`)
//! when it has ended and the database is there.
//!
//! - `call`: one request. `avoided`: what was not bought. `stocktaking`: the vendor's balance beside our sums.
//! - `report`: what an operator asks; `words`: the same as a sentence.
//! - `book`: the ledger of this process. It puts together `memory` (what is open, what is unstored), `writer` (the way of lines to
//!   the file), and `folder` (who owns which file).
//!
//! Each process has a file of its own, which only grows: `sent` before a request goes out, `ended` when it has ended, `stored` when
//! PostgreSQL has it. Several processes may share the folder. A process holds a lock as long as it lives; the file of one that
//! ended, however it ended, is taken over by the next one that looks, and what was open in it counts as interrupted and is presumed
//! to have cost what was expected. So each request that was sent is in exactly one file, once.
//!
//! Lines are written, not synced: SIGKILL takes nothing away, a power cut may take the last seconds.

pub mod avoided;
mod book;
pub mod call;
mod file;
mod folder;
mod memory;
mod record;
pub mod report;
#[cfg(test)]
mod sample;
pub mod stocktaking;
pub mod words;
mod writer;

pub use book::{Condition, DEFAULT_CAPACITY, Ledger, LedgerError, folder_in};
pub use memory::Batch;
