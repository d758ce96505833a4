//! The contract's degradation table, row by row: under steady requests the thing is broken, the answers are checked during the
//! outage, it is put back, and the answers are checked again.

mod actors;
mod corrupt;
mod everything;
mod postgres;
mod redis;
mod vendor;
