//! The program as a user runs it.

mod commands;
mod demo;
