//! Whole requests over an invented vendor, with invented time.

mod asking;
mod following;
mod nodes;
mod world;
