//! The stored webhooks (`webhook_subscribers`, `webhook_deliveries`), which the nodes share. Deliveries are queued by a trigger on
//! `process_events`, in the transaction that stores the events.

mod admin;
mod delivery;
mod handlers;
pub mod messages;
