//! A simulated DataJud over the same invented processes: `POST /api_publica_*/_search` on the sandbox's own port.
//!
//! A process is one to three hits, one for each degree and, when a sentence is enforced, one more for that class. Movements carry codes of
//! the CNJ's tables and no text; those that are sealed, or hidden by a test, are not found. What it gets wrong, or writes in
//! another of the forms that were seen, is a [`SearchFault`]; the vendor's outage and its faults for all endpoints leave it alone.

mod codes;
mod fault;
mod index;
mod records;

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

pub use self::fault::SearchFault;
pub(super) use self::fault::early_reply;
use self::records::Record;
use super::control::Control;
use super::number::Number;
use super::reply::Reply;

/// The service's own bounds: hits of a page without a word, and at the most.
const USUAL_SIZE: u64 = 10;
const LARGEST_SIZE: u64 = 10_000;

/// A search, taken apart.
struct Query {
    number: Option<Number>,
    size: usize,
    /// The place behind which the page starts.
    after: Option<i64>,
}

/// The number that a search is for, for the list of calls.
pub(super) fn asked_for(body: &[u8]) -> Option<Number> {
    wanted(&serde_json::from_slice(body).ok()?).and_then(Number::parse)
}

/// The index of `/api_publica_…/_search`.
pub(super) fn index_of_path(path: &str) -> Option<&str> {
    path.strip_prefix("/api_publica_")?.strip_suffix("/_search").filter(|index| !index.contains('/'))
}

impl Control {
    /// The right answer to a search.
    pub(super) fn search(&self, path: &str, authorization: Option<&str>, body: &[u8]) -> Reply {
        let settings = &self.settings().datajud;
        let key = authorization
            .and_then(|header| header.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("apikey"));
        let accepted = match (&settings.api_key, key.map(|(_, key)| key.trim())) {
            (Some(right), Some(key)) => right == key,
            (None, Some(key)) => !key.is_empty(),
            (_, None) => false,
        };
        if !accepted {
            return fault::refused_key();
        }
        if !self.state().search_bucket.take(self.clock().monotonic()) {
            return fault::too_many();
        }
        let index = index_of_path(path).unwrap_or_default();
        if !index::exists(index) {
            return fault::no_index(index);
        }
        let query = match read(body) {
            Ok(query) => query,
            Err((kind, reason)) => return fault::error(400, kind, reason),
        };
        let records = query.number.map(|number| self.records(index, &number)).unwrap_or_default();
        let total = records.len();
        let page = records.into_iter().filter(|record| query.after.is_none_or(|after| record.timestamp_ms > after));
        let hits: Vec<Value> = page.take(query.size).map(|record| record.hit(index)).collect();
        Reply { centavos: None, ..Reply::ok(answer(&hits, total), 0) }
    }

    /// Every hit of a number in an index, by `@timestamp`.
    fn records(&self, index: &str, number: &Number) -> Vec<Record> {
        let mut state = self.state();
        if state.unsearchable.contains(number.digits()) || index::of(number).as_deref() != Some(index) {
            return Vec::new();
        }
        let Some(process) = self.entry(&mut state, number).process.clone() else {
            return Vec::new();
        };
        drop(state);
        if process.sealed {
            Vec::new()
        } else {
            records::of(&process, index, self.settings().seed, self.visible_until())
        }
    }

    /// The last day that the courts have handed in.
    fn visible_until(&self) -> NaiveDate {
        let today = self.clock().now().date_naive();
        match self.settings().datajud.lag_days {
            0 => NaiveDate::MAX,
            days => today.checked_sub_days(Days::new(days.into())).unwrap_or(today),
        }
    }

    /// Makes DataJud know a process no more, or again; Escavador's side is not touched.
    pub fn hide_from_datajud(&self, number: &str, hidden: bool) {
        let Some(number) = Number::parse(number) else { return };
        let mut state = self.state();
        if hidden {
            state.unsearchable.insert(number.digits().to_owned());
        } else {
            state.unsearchable.remove(number.digits());
        }
    }
}

fn wanted(query: &Value) -> Option<&str> {
    let term = query.pointer("/query/match/numeroProcesso")?;
    term.as_str().or_else(|| term.get("query").and_then(Value::as_str))
}

fn read(body: &[u8]) -> Result<Query, (&'static str, &'static str)> {
    let query: Value = serde_json::from_slice(body).map_err(|_| ("parsing_exception", "not JSON"))?;
    let Some(wanted) = wanted(&query) else {
        return Err(("parsing_exception", "this sandbox knows match on numeroProcesso only"));
    };
    let size = query.get("size").map_or(Some(USUAL_SIZE), Value::as_u64).filter(|size| *size <= LARGEST_SIZE);
    let size = size.and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or(("illegal_argument_exception", "result window is too large"))?;
    let orders = query.get("sort").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if orders.iter().any(|order| order.get("@timestamp").is_none()) {
        return Err(("search_phase_execution_exception", "fielddata is disabled on text fields"));
    }
    let after = query.pointer("/search_after/0").and_then(Value::as_i64);
    if query.get("search_after").is_some() && (orders.is_empty() || after.is_none()) {
        return Err(("illegal_argument_exception", "search_after needs a sort and its values"));
    }
    Ok(Query { number: Number::parse(wanted), size, after })
}

fn answer(hits: &[Value], total: usize) -> Value {
    json!({
        "took": 39, "timed_out": false, "_shards": {"total": 20, "successful": 20, "skipped": 0, "failed": 0},
        "hits": {"total": {"value": total, "relation": "eq"}, "max_score": null, "hits": hits},
    })
}
