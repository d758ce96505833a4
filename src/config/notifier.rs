//! `JUSCACHE_WEBHOOK_PRIVATE`, and the bounds of telling others what is new.

use std::time::Duration;

use super::reader::Reader;

/// How news goes out.
#[derive(Debug, Clone)]
pub struct NotifierSettings {
    /// Webhooks may go to loopback and private addresses.
    pub webhook_private: bool,
    /// Streams that are open at once on this node: each is a socket and a few kilobytes, and all of them wake up for every event.
    pub most_streams: usize,
    /// Silence on a stream until a comment says that it is alive: below the 30 s after which the strictest usual proxies close.
    pub heartbeat: Duration,
    /// How often events of other nodes are looked for while somebody listens: they are heard within a second.
    pub look_every: Duration,
    /// The same while nobody listens.
    pub look_idle: Duration,
    /// Bytes of the newest events that are kept in memory for all streams.
    pub ring_bytes: usize,
    /// How many of them.
    pub ring_events: usize,
    /// How often due deliveries are looked for, beside when something happens.
    pub deliver_every: Duration,
    /// Deliveries on their way at once on this node.
    pub most_deliveries: usize,
    /// Of them to one subscriber, so that a slow one does not take every place.
    pub most_each: usize,
    /// What one attempt may take.
    pub attempt_within: Duration,
    /// How long a delivery belongs to the node that took it: longer than an attempt and writing down its end.
    pub lease: Duration,
    /// What PostgreSQL may take; a little more than its tier's own timeouts.
    pub patience: Duration,
    /// Subscribers there may be: each stored event is matched with all of them.
    pub most_subscribers: usize,
    /// How long events, and deliveries that are over, are kept.
    pub keep: Duration,
    /// How often what is older is removed.
    pub prune_every: Duration,
}

impl Default for NotifierSettings {
    fn default() -> Self {
        Self {
            webhook_private: false,
            most_streams: 1_000,
            heartbeat: Duration::from_secs(15),
            look_every: Duration::from_millis(300),
            look_idle: Duration::from_secs(30),
            ring_bytes: 8 << 20,
            ring_events: 1_024,
            deliver_every: Duration::from_secs(1),
            most_deliveries: 32,
            most_each: 4,
            attempt_within: Duration::from_secs(10),
            lease: Duration::from_secs(40),
            patience: Duration::from_secs(6),
            most_subscribers: 1_000,
            keep: Duration::from_secs(30 * 24 * 60 * 60),
            prune_every: Duration::from_secs(60 * 60),
        }
    }
}

impl NotifierSettings {
    /// Reads the variables.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self { webhook_private: reader.flag("JUSCACHE_WEBHOOK_PRIVATE", false), ..Self::default() }
    }
}
