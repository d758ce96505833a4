//! Cursor pages of movements and of parties: what a query may ask for and which items it gets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::process::Movement;

/// A query, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) limit: Option<String>,
    pub(super) order: Option<String>,
    pub(super) cursor: Option<String>,
    pub(super) li: Option<u64>,
}

impl Query {
    /// Reads what the vendor's pages understand and ignores the rest.
    pub(super) fn read(query: &str) -> Self {
        let mut read = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "limit" => read.limit = Some(value.to_owned()),
                "ordem" => read.order = Some(value.to_owned()),
                "cursor" => read.cursor = Some(value.trim_end_matches('=').replace("%3D", "")),
                "li" => read.li = value.parse().ok(),
                _ => {}
            }
        }
        read
    }
}

/// Why a query was refused: the field and the vendor's sentence about it.
pub(super) type Refusal = (&'static str, String);

/// Where a movement page ends, in Laravel's cursor form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    data: String,
    movimentacao_id: i64,
    #[serde(rename = "_pointsToNextItems")]
    points_to_next_items: bool,
}

impl Cursor {
    /// A cursor behind `movement`.
    pub(super) fn behind(movement: &Movement) -> Self {
        Self { data: format!("{} 00:00:00", movement.date), movimentacao_id: movement.id, points_to_next_items: true }
    }

    /// Unpadded base64url of its JSON.
    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str) -> Option<(NaiveDate, i64)> {
        let cursor: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let day = NaiveDateTime::parse_from_str(&cursor.data, "%Y-%m-%d %H:%M:%S").ok()?.date();
        Some((day, cursor.movimentacao_id))
    }
}

/// One page of movements and what the next one is asked with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'a> {
    pub(super) items: Vec<&'a Movement>,
    pub(super) limit: usize,
    pub(super) more: bool,
}

/// Cuts the page that `query` asks for out of `movements` (newest first).
pub(super) fn movements<'a>(movements: &'a [Movement], query: &Query) -> Result<Page<'a>, Refusal> {
    let limit = match &query.limit {
        None => 20,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (50..=500).contains(limit) && limit % 50 == 0)
            .ok_or_else(|| ("limit", "O campo limit deve ser um múltiplo de 50, entre 50 e 500.".to_owned()))?,
    };
    let ascending = match query.order.as_deref() {
        None => false,
        Some(text) if text.eq_ignore_ascii_case("desc") => false,
        Some(text) if text.eq_ignore_ascii_case("asc") => true,
        Some(_) => return Err(("ordem", "O campo ordem selecionado é inválido.".to_owned())),
    };
    let behind = match &query.cursor {
        None => None,
        Some(text) => Some(Cursor::decode(text).ok_or_else(|| ("cursor", "O campo cursor é inválido.".to_owned()))?),
    };
    // By value, not by position: a page stays right when movements come or go between two requests.
    let behind = |movement: &&Movement| {
        behind.is_none_or(|at| {
            let own = (movement.date, movement.id);
            if ascending { own > at } else { own < at }
        })
    };
    let mut items: Vec<&Movement> = if ascending {
        movements.iter().rev().filter(behind).take(limit + 1).collect()
    } else {
        movements.iter().filter(behind).take(limit + 1).collect()
    };
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(Page { items, limit, more })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::number::Number;
    use super::super::process::{Process, ProcessShape};
    use super::*;

    fn process(count: usize) -> Process {
        let number = Number::parse("9000001-00.2019.8.26.0100").unwrap();
        Process::invent(3, &number, &ProcessShape { movements: Some(count), ..Default::default() }).unwrap()
    }

    #[test]
    fn only_multiples_of_fifty_up_to_five_hundred_are_taken() {
        let process = process(5);
        let page =
            |limit: &str| movements(&process.movements, &Query::read(&format!("limit={limit}"))).map(|p| p.limit);
        assert_eq!(page("50"), Ok(50));
        assert_eq!(page("500"), Ok(500));
        for refused in ["0", "20", "49", "75", "550", "-50", "abc", "", "99999999999999999999"] {
            assert_eq!(page(refused).unwrap_err().0, "limit", "{refused}");
        }
        assert_eq!(movements(&process.movements, &Query::default()).unwrap().limit, 20);
        assert_eq!(movements(&process.movements, &Query::read("ordem=x")).unwrap_err().0, "ordem");
        assert_eq!(movements(&process.movements, &Query::read("cursor=abc")).unwrap_err().0, "cursor");
    }

    #[test]
    fn the_cursor_has_the_documented_form() {
        let process = process(1);
        let text = Cursor::behind(&process.movements[0]).encode();
        let json: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&text).unwrap()).unwrap();
        assert_eq!(json["_pointsToNextItems"], true);
        assert_eq!(json["movimentacao_id"], process.movements[0].id);
        assert!(json["data"].as_str().unwrap().ends_with(" 00:00:00"));
    }

    proptest! {
        #[test]
        fn both_orders_walk_every_movement_once(count in 0_usize..260, ascending: bool) {
            let process = process(count);
            let mut query = Query::read(if ascending { "limit=50&ordem=asc" } else { "limit=50&ordem=desc" });
            let mut walked = Vec::new();
            loop {
                let page = movements(&process.movements, &query).unwrap();
                walked.extend(page.items.iter().map(|movement| movement.id));
                prop_assert!(walked.len() <= count);
                match page.items.last().filter(|_| page.more) {
                    Some(last) => query.cursor = Some(Cursor::behind(last).encode()),
                    None => break,
                }
            }
            let mut expected: Vec<i64> = process.movements.iter().map(|movement| movement.id).collect();
            if ascending { expected.reverse(); }
            prop_assert_eq!(walked, expected);
        }
    }
}
