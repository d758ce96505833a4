//! Supervision: what actix does by itself ([`probes`]), and what the supervisor makes of it (the other files).

mod asking;
mod fixture;
mod intensity;
mod probes;
mod replacing;
mod shutdown;
mod stuck;
