//! What the fetcher is asked about the vendor's log of callbacks (`GET callbacks`): what was sent to us while we were away.

use actix::Message;
use chrono::{DateTime, Utc};

use super::messages::FetchError;
use crate::resilience::deadline::Deadline;

/// Reads one page of the callbacks since a moment. Free. Pages are the vendor's: twenty items, the first is 1.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<CallbackPage, FetchError>")]
pub struct ReadCallbacks {
    /// Those that the vendor wrote down at this moment or later, by its own clock, to the second.
    pub since: DateTime<Utc>,
    /// Which page.
    pub page: u32,
    /// When the answer stops being of use.
    pub deadline: Deadline,
}

/// One page of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackPage {
    /// Its callbacks, in the vendor's order. What cannot be read is left out.
    pub items: Vec<LoggedCallback>,
    /// Whether there is a next page.
    pub more: bool,
}

/// One callback as the log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCallback {
    /// The vendor's id of the entry.
    pub id: i64,
    /// How often it was sent; 0 if the vendor does not say.
    pub attempts: u32,
    /// How the sending stands.
    pub status: CallbackStatus,
    /// What was sent (`resultado`): JSON.
    pub payload: Vec<u8>,
}

/// How the sending of a callback stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallbackStatus {
    /// `Em tentativa`, or a word we do not know.
    Trying,
    /// `Sucesso`: somebody answered with 2xx.
    Delivered,
    /// `Erro`: given up.
    Failed,
}
