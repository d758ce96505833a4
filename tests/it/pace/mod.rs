//! The request limit of one vendor's account, shared by several nodes on one Redis, whatever happens to it.

mod fixture;
mod script;
mod sharing;
mod storms;
