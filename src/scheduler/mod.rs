//! Keeps copies fresh within a day's limit.

pub mod chain;
pub mod choice;
pub mod refresher;
pub mod worth;
