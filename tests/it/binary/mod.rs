//! The program as a user runs it.

mod commands;
#[cfg(feature = "embedded")]
mod demo;
mod stopping;
