//! The program as a user runs it.

mod admin;
mod commands;
#[cfg(feature = "embedded")]
mod demo;
mod stopping;
