//! The HTTP face: parses and validates, asks for a lookup, writes the answer. It names no tier and starts no actor; what it
//! needs of the rest of the house is a few traits in [`state`].

pub mod admin;
pub mod boundary;
pub mod cache_headers;
pub mod callbacks;
pub mod days;
pub mod directives;
pub mod identity;
pub mod params;
pub mod problem;
pub mod query;
pub mod routes;
pub mod server;
pub mod shortcut;
pub mod state;
mod tokens;

#[cfg(test)]
mod tests;
