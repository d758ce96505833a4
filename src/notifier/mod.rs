//! The news out: whoever wants to know hears what is new, over an open stream or by webhook.
//!
//! Events are stored in the transaction that stores the copy they were found in (`process_events`), and this room only reads them: what
//! is late here is not lost. Streams may be cut off at any time and resume by number; webhooks are queued by a trigger in the same
//! transaction and sent until they are taken, at least once, in order for each subscriber and process.
//!
//! - `feed`, `ring`, `stream`, `slots`: what the streams read, in memory as far as possible; `frame`: how it is written.
//! - `courier`, `postman`: take deliveries that are due, and carry one; `schedule`: when again (pure); `signature`: Standard Webhooks (pure).
//! - `target`, `address`: where webhooks may lead; checked when a subscriber is made and at every connection.
//! - `desk`: what people do with subscribers; `housekeeping`: counting and removing.
//! - `log`: the way to the stored events.

pub mod actor;
pub mod address;
mod courier;
pub mod desk;
pub mod feed;
#[cfg(test)]
mod feed_tests;
mod frame;
mod housekeeping;
pub mod log;
mod postman;
mod ring;
#[cfg(test)]
mod sample;
pub mod schedule;
pub mod signature;
mod slots;
pub mod stream;
pub mod target;

pub use self::actor::{Notifier, NotifierParts};
pub use self::desk::{StoredWebhooks, WebhookDesk};
pub use self::feed::{Feed, TooManyStreams};
pub use self::log::{EventLog, StoredEvents};
