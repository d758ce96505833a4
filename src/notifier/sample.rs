//! Events for the room's own tests.

use chrono::{DateTime, NaiveDate};

use crate::domain::cnj::Cnj;
use crate::domain::event::{Event, EventKind};
use crate::domain::movement::{Movement, MovementId, Source};
use crate::domain::snapshot::Provider;

/// A process; two of them in all.
pub(super) fn cnj(n: u64) -> Cnj {
    let numbers = crate::sandbox::demo_numbers(2, 7);
    Cnj::parse(&numbers[usize::from(n % 2 == 1)]).unwrap()
}

/// A new movement.
pub(super) fn event(id: u64, cnj: Cnj) -> Event {
    Event {
        id,
        cnj,
        kind: EventKind::New,
        movement: Movement {
            id: MovementId::vendor(i64::try_from(id).unwrap()),
            date: NaiveDate::from_ymd_opt(2026, 3, 14),
            kind: None,
            text: format!("Movimentação {id}"),
            publication: None,
            category: None,
            classification: None,
            source: Source::default(),
        },
        provider: Provider::Escavador,
        sealed: false,
        first_seen_at: DateTime::from_timestamp(1_767_268_800, 0).unwrap(),
        recorded_at: DateTime::from_timestamp(1_767_268_801, 123_000_000).unwrap(),
    }
}
