//! juscache.
#![recursion_limit = "256"]

pub mod ambient;
pub mod domain;
pub mod resilience;
pub mod sandbox;
pub mod supervision;
