//! Keeps copies fresh within a day's limit.

pub mod choice;
pub mod reads;
pub mod worth;
