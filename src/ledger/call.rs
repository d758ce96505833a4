//! One request to a vendor, as the ledger knows it: named before it is sent, closed when its answer is known.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
use crate::domain::snapshot::Provider;

/// Names one request, or one process of ours, for ever: 128 random bits, written as 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(u128);

/// The text is not 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an id of 32 hex digits")]
pub struct NoId;

impl Id {
    /// An id of these random bits.
    #[must_use]
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Id {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self).ok_or(NoId)
    }
}

impl TryFrom<String> for Id {
    type Error = NoId;

    fn try_from(text: String) -> Result<Self, NoId> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

/// What can be asked of a vendor. Each has a price of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// Escavador: the cover of a process.
    Cover,
    /// Escavador: the first page of its movements.
    Movements,
    /// Escavador: a later page; whether these are charged is not known.
    MovementsNext,
    /// Escavador: `status-atualizacao`, documented as free.
    Status,
    /// Escavador: the account's balance, documented as free.
    Balance,
    /// Escavador: `solicitar-atualizacao`, which asks the court.
    UpdateRequest,
    /// Escavador: monitors of processes; creating one was measured as free.
    Monitors,
    /// Escavador: the log of callbacks, free.
    Callbacks,
    /// DataJud: the search for one number, free.
    Search,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cover,
        Self::Movements,
        Self::MovementsNext,
        Self::Status,
        Self::Balance,
        Self::UpdateRequest,
        Self::Monitors,
        Self::Callbacks,
        Self::Search,
    ];

    /// The word for logs, metrics and the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cover => "cover",
            Self::Movements => "movements",
            Self::MovementsNext => "movements-next",
            Self::Status => "status",
            Self::Balance => "balance",
            Self::UpdateRequest => "update-request",
            Self::Monitors => "monitors",
            Self::Callbacks => "callbacks",
            Self::Search => "search",
        }
    }
}

/// How a request ended. The vendor's side of it; what it means for a reader is the fetcher's `Failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallOutcome {
    /// An answer that stands.
    Ok,
    /// 404: the vendor does not know the process.
    Unknown,
    /// 422 "já está sendo atualizado" or "já monitora": what was asked for is there already.
    Busy,
    /// 401 or 403: the key is refused.
    Unauthorized,
    /// 402, or 403 about the balance.
    NoCredit,
    /// Any other 4xx: the request will never be right.
    Refused,
    /// 429.
    RateLimited,
    /// 5xx.
    ServerError,
    /// No connection, or it broke before there was a status.
    Unreachable,
    /// No whole answer in time.
    TimedOut,
    /// Cut off, not JSON, too large, a redirect, or a shape we cannot read.
    Unreadable,
    /// Our side ended in the middle: what became of it is not known.
    Interrupted,
}

impl CallOutcome {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::Unknown,
        Self::Busy,
        Self::Unauthorized,
        Self::NoCredit,
        Self::Refused,
        Self::RateLimited,
        Self::ServerError,
        Self::Unreachable,
        Self::TimedOut,
        Self::Unreadable,
        Self::Interrupted,
    ];

    /// The word for logs, metrics and the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Busy => "busy",
            Self::Unauthorized => "unauthorized",
            Self::NoCredit => "no-credit",
            Self::Refused => "refused",
            Self::RateLimited => "rate-limited",
            Self::ServerError => "server-error",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::Unreadable => "unreadable",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Money that a request was allowed to spend before it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// The reservation in the budget it comes from: the request's own, or the process's local reserve.
    pub reservation: Id,
    /// How much of it, in centavos.
    pub centavos: u64,
}

/// A request about to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its name.
    pub id: Id,
    /// When, by our clock.
    pub at: DateTime<Utc>,
    /// Who is asked.
    pub provider: Provider,
    /// For what.
    pub endpoint: Endpoint,
    /// About which process; none for the balance.
    pub cnj: Option<Cnj>,
    /// Who waits.
    pub lane: Lane,
    /// For whom.
    pub caller: Caller,
    /// What we expect it to cost, in centavos.
    pub expected_centavos: u64,
    /// The money set aside for it; none while no cap is set, and for what is free.
    pub draw: Option<Draw>,
}

/// What the vendor said about the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// So many centavos.
    Said(u64),
    /// Nothing.
    Silent,
    /// Nothing, and it cannot have charged: the request never left us.
    NotSent,
}

/// What a request cost, and how we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "basis", content = "centavos")]
pub enum Cost {
    /// The vendor said so, or the answer is one that is never charged.
    Charged(u64),
    /// The vendor may have charged and we were not told: counted at the expected price until the balance tells.
    Presumed(u64),
}

impl Cost {
    /// Nothing, for certain.
    pub const NOTHING: Self = Self::Charged(0);

    /// The amount, in centavos.
    #[must_use]
    pub const fn centavos(self) -> u64 {
        match self {
            Self::Charged(centavos) | Self::Presumed(centavos) => centavos,
        }
    }

    /// The word for the ledger (`cost_basis`).
    #[must_use]
    pub const fn basis(self) -> &'static str {
        match self {
            Self::Charged(_) => "charged",
            Self::Presumed(_) => "presumed",
        }
    }
}

/// A request whose end is known: one row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The request.
    pub sent: Sent,
    /// How it ended.
    pub outcome: CallOutcome,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// What it cost.
    pub cost: Cost,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Call {
    /// A request whose end nobody will see: its process died, or whoever waited for it did. It may have been charged, so it is
    /// counted at the price expected of it. How long it took is not known and stays 0.
    #[must_use]
    pub const fn interrupted(sent: Sent) -> Self {
        let cost = match sent.expected_centavos {
            0 => Cost::NOTHING,
            expected => Cost::Presumed(expected),
        };
        Self { sent, outcome: CallOutcome::Interrupted, status: None, cost, took_ms: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_and_read() {
        for bits in [0, 1, u128::MAX] {
            let text = Id::new(bits).to_string();
            assert_eq!((text.len(), text.parse()), (32, Ok(Id::new(bits))));
        }
        for text in ["", "1", "+0000000000000000000000000000001", &"0".repeat(33)] {
            assert_eq!(text.parse::<Id>(), Err(NoId), "{text:?}");
        }
    }

    #[test]
    fn words_are_those_of_their_json() {
        for endpoint in Endpoint::ALL {
            assert_eq!(serde_json::to_string(&endpoint).unwrap(), format!("\"{}\"", endpoint.as_str()));
        }
        for outcome in CallOutcome::ALL {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("\"{}\"", outcome.as_str()));
        }
    }
}
