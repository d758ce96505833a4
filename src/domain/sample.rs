//! Invented processes for the tests of this room.

use chrono::{DateTime, NaiveDate, TimeZone, Utc};

use super::cnj::Cnj;
use super::movement::{Movement, MovementId, Source, Unidentified, identify};
use super::snapshot::{Cover, Provider, Snapshot};
use super::version::Version;

pub(crate) fn instant(second: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_700_000_000 + second, 0).unwrap()
}

/// A process of `count` movements, one a day, fetched at `fetched` seconds.
pub(crate) fn process(count: u32, fetched: i64) -> Snapshot {
    let start = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
    let movements = (0..count).map(|index| Unidentified {
        vendor_id: Some(1000 + i64::from(index)),
        movement: Movement {
            id: MovementId::from_text(String::new()),
            date: start.checked_add_days(chrono::Days::new(index.into())),
            kind: Some("ANDAMENTO".into()),
            text: format!("Juntada de petição intercorrente nº {index}. Complemento com acentuação e \"aspas\""),
            publication: None,
            category: None,
            classification: None,
            source: Source { id: Some(3), tribunal: Some("TJSP".into()), ..Source::default() },
        },
    });
    Snapshot {
        cnj: Cnj::parse("0000001-39.2024.8.26.0100").unwrap(),
        provider: Provider::Escavador,
        version: Version::new(Some(instant(0)), instant(fetched)),
        cover: Cover {
            tribunal: "TJSP".into(),
            grau: Some("Primeiro Grau".into()),
            sealed: false,
            declared_total: Some(count.into()),
            last_movement: None,
            raw: "{\"titulo_polo_ativo\":\"PARTE AUTORA\"}".into(),
        },
        movements: identify(movements.collect()),
    }
}
