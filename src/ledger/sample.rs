//! Invented requests for the tests of this room.

use chrono::{TimeZone, Utc};

use super::call::{Call, CallOutcome, Cost, Draw, Endpoint, Id, Sent};
use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
use crate::domain::snapshot::Provider;

pub(super) fn id(n: u128) -> Id {
    Id::new(n)
}

/// A request of five centavos, sent at `n` seconds.
pub(super) fn sent(n: u128) -> Sent {
    Sent {
        id: id(n),
        at: Utc.timestamp_opt(1_700_000_000 + i64::try_from(n).unwrap(), 0).unwrap(),
        provider: Provider::Escavador,
        endpoint: Endpoint::Cover,
        cnj: Some(Cnj::parse("0000001-39.2024.8.26.0100").unwrap()),
        lane: Lane::Interactive,
        caller: Caller::Anonymous,
        expected_centavos: 5,
        draw: Some(Draw { reservation: id(900 + n), centavos: 5 }),
    }
}

/// The same, answered and charged.
pub(super) fn call(n: u128) -> Call {
    Call { sent: sent(n), outcome: CallOutcome::Ok, status: Some(200), cost: Cost::Charged(5), took_ms: 40 }
}
