//! juscache.

pub mod ambient;
