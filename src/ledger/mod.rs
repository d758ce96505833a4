//! What was spent: one entry for each request to a vendor, named on disk before it is sent, and stored in PostgreSQL (`api_calls`)
//! when it has ended and the database is there.
//!
//! - `call`: one request. `report`: what an operator asks; `words`: the same as a sentence. `avoided`: what was not bought.

pub mod avoided;
pub mod call;
pub mod report;
pub mod words;
