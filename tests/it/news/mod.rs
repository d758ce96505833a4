//! The news out, over real servers: streams and webhooks.

mod fixture;
mod receiver;
mod streams;
mod webhooks;
