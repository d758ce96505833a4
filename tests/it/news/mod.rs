//! The news out, over real servers: streams and webhooks.

mod end_to_end;
mod fixture;
mod killed;
mod patient;
mod receiver;
mod streams;
mod webhooks;
