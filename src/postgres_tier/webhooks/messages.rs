//! What the tier is asked about webhooks, and what it answers.

use std::time::Duration;

use actix::Message;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::domain::cnj::Cnj;
use crate::postgres_tier::messages::PostgresError;

/// Stores a new subscriber, unless there are as many as there may be. Gives when, or nothing.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<DateTime<Utc>>, PostgresError>")]
pub struct AddSubscriber {
    /// `whk_` and 32 hexadecimal digits.
    pub id: String,
    /// Where to.
    pub url: String,
    /// The only process it wants to hear of; none: all.
    pub cnj: Option<Cnj>,
    /// What its messages are signed with.
    pub secret: SecretString,
    /// How many there may be.
    pub most: usize,
}

/// Reads every subscriber, the oldest first.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Subscriber>, PostgresError>")]
pub struct ListSubscribers;

/// A subscriber as its rows say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id.
    pub id: String,
    /// Where to.
    pub url: String,
    /// The only process it wants to hear of, masked; none: all.
    pub cnj: Option<String>,
    /// `active` or `paused`.
    pub state: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Attempts that failed in a row.
    pub failures: u32,
    /// Nothing is sent until then.
    pub held_until: Option<DateTime<Utc>>,
    /// When it last took a message.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When an attempt last failed.
    pub last_failure_at: Option<DateTime<Utc>>,
    /// How.
    pub last_error: Option<String>,
    /// Deliveries that are to be made.
    pub pending: u64,
    /// Deliveries that were given up.
    pub dead: u64,
}

/// Removes a subscriber with everything that was queued for it. False if there is none.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, PostgresError>")]
pub struct RemoveSubscriber {
    /// Its id.
    pub id: String,
}

/// Reads deliveries that were given up, the newest first.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<DeadDelivery>, PostgresError>")]
pub struct ReadDead {
    /// Only those with a smaller id.
    pub before: Option<i64>,
    /// At most so many.
    pub most: usize,
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadDelivery {
    /// Its id.
    pub id: i64,
    /// To whom.
    pub subscriber: String,
    /// Where to.
    pub url: String,
    /// What.
    pub event_id: u64,
    /// Of which process, masked.
    pub cnj: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The last answer's status.
    pub last_status: Option<u16>,
    /// How the last attempt failed.
    pub last_error: Option<String>,
    /// When the event was stored.
    pub created_at: DateTime<Utc>,
}

/// Queues a dead delivery again, with all its attempts, and makes its subscriber active. False if there is none.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, PostgresError>")]
pub struct ReplayDead {
    /// Its id.
    pub id: i64,
}

/// Takes deliveries that are due, by the database's clock: for each subscriber and process only the earliest. Whoever takes one has it
/// alone until the lease ends: then it is due again, for any node.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Claimed>, PostgresError>")]
pub struct ClaimDeliveries {
    /// At most so many.
    pub most: usize,
    /// At most so many of one subscriber on their way at once, over all nodes.
    pub each: usize,
    /// From so many failures in a row on a subscriber gets one at a time.
    pub hold_after: u32,
    /// For how long.
    pub lease: Duration,
}

/// A delivery that this node has to make.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its id.
    pub id: i64,
    /// To whom.
    pub subscriber: String,
    /// What.
    pub event_id: u64,
    /// Of which process.
    pub cnj: Cnj,
    /// Where to.
    pub url: String,
    /// What to sign with.
    pub secret: SecretString,
    /// The number of this attempt, counted from one.
    pub attempt: u32,
    /// The subscriber's failures in a row before it.
    pub failures: u32,
}

/// Writes down how an attempt ended. A success counts whenever it is told; a failure only while nobody else has tried since.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct SettleDelivery {
    /// Which delivery.
    pub id: i64,
    /// Which attempt.
    pub attempt: u32,
    /// How it ended.
    pub ending: Ending,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The subscriber took it.
    Delivered {
        /// 2xx.
        status: u16,
    },
    /// It did not.
    Failed {
        /// Its answer, if there was one.
        status: Option<u16>,
        /// Why: a word.
        error: &'static str,
        /// When the delivery is tried again; none: it is dead.
        retry_in: Option<Duration>,
        /// For how long the subscriber is left alone.
        hold_for: Option<Duration>,
    },
    /// There is nothing to tell any more: the delivery is dead, and its subscriber has nothing to do with it.
    Withdrawn,
    /// It wants nothing any more: it is paused, and all that was queued for it is dead.
    Gone {
        /// 410.
        status: u16,
    },
}

/// Gives up what has waited for so long behind a subscriber that does not answer. Says how many.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<usize, PostgresError>")]
pub struct BuryDeliveries {
    /// For how long.
    pub waited: Duration,
    /// From so many failures in a row on a subscriber does not answer.
    pub hold_after: u32,
    /// At most so many.
    pub most: usize,
}

/// Removes deliveries that are over and older than this. Says how many.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<usize, PostgresError>")]
pub struct PruneDeliveries {
    /// Since their event was stored.
    pub older_than: Duration,
    /// At most so many.
    pub most: usize,
}

/// Counts deliveries.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<DeliveryCounts, PostgresError>")]
pub struct CountDeliveries;

/// How many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// To be made.
    pub pending: u64,
    /// Given up.
    pub dead: u64,
}
