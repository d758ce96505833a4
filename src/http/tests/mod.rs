//! The pages behind their middleware, over invented lookups. What needs a real socket is in `wire`.

pub(super) mod fixture;

mod admin;
mod answers;
mod avoided;
mod callbacks;
mod encoding;
mod events;
mod refusals;
mod shortcut;
mod updates;
mod warm;
mod webhooks;
mod wire;
