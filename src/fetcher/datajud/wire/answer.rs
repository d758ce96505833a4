//! One page of a search.

use serde_json::{Value, json};

use super::lenient::{as_flag, as_integer, flat};
use super::process::Process;
use super::{Moment, WrongShape};

/// What of a hit's `_source` is kept as it came: everything about the process that readers or people may ask for. The movements are
/// kept by themselves.
const KEPT: [&str; 12] = [
    "numeroProcesso",
    "classe",
    "sistema",
    "formato",
    "tribunal",
    "grau",
    "nivelSigilo",
    "orgaoJulgador",
    "assuntos",
    "dataAjuizamento",
    "dataHoraUltimaAtualizacao",
    "@timestamp",
];

/// Elasticsearch's answer to a search.
#[derive(Debug)]
pub(in super::super) struct Answer {
    /// It gave up before it had asked everywhere.
    pub(in super::super) timed_out: bool,
    /// Parts of the index that did not answer.
    pub(in super::super) failed_shards: i64,
    /// How many hits there are in all; `None` when that is a lower bound (`relation: gte`), or not said.
    pub(in super::super) total: Option<u64>,
    /// This page's.
    pub(in super::super) hits: Vec<Hit>,
}

/// One hit.
#[derive(Debug)]
pub(in super::super) struct Hit {
    /// `_id`, else the document's own `id`: opaque, courts form it in two ways.
    pub(in super::super) id: Option<String>,
    /// Where the next page starts, if this is the last hit of its own.
    pub(in super::super) sort: Option<Value>,
    /// The process.
    pub(in super::super) process: Process,
    /// What was received of it but for its movements, with the subjects flat.
    pub(in super::super) kept: Value,
    /// When the court filed it last: of two hits of one process the one that speaks for it, where movements do not decide.
    pub(in super::super) updated: Option<Moment>,
}

impl Answer {
    /// Reads a page.
    ///
    /// # Errors
    /// [`WrongShape`] without a list of hits, or when one of them cannot be read.
    pub(in super::super) fn decode(value: Value) -> Result<Self, WrongShape> {
        let Value::Object(mut keys) = value else {
            return Err(WrongShape);
        };
        let timed_out = keys.get("timed_out").and_then(as_flag).unwrap_or(false);
        let failed_shards = keys.get("_shards").and_then(|shards| shards.get("failed")).and_then(as_integer);
        let Some(Value::Object(mut outer)) = keys.remove("hits") else {
            return Err(WrongShape);
        };
        let Some(Value::Array(hits)) = outer.remove("hits") else {
            return Err(WrongShape);
        };
        let hits = hits.into_iter().map(Hit::decode).collect::<Result<_, _>>()?;
        let total = outer.get("total").and_then(total);
        Ok(Self { timed_out, failed_shards: failed_shards.unwrap_or(0), total, hits })
    }

    /// Whether hits may be missing that are there: part of the index was not asked.
    pub(in super::super) fn is_partial(&self) -> bool {
        self.timed_out || self.failed_shards > 0
    }
}

/// `{"value":1,"relation":"eq"}`, or a bare number as older versions write it.
fn total(written: &Value) -> Option<u64> {
    let exact = written.get("relation").and_then(Value::as_str).is_none_or(|relation| relation == "eq");
    let count = as_integer(written.get("value").unwrap_or(written))?;
    u64::try_from(count).ok().filter(|_| exact)
}

impl Hit {
    fn decode(value: Value) -> Result<Self, WrongShape> {
        let Value::Object(mut keys) = value else {
            return Err(WrongShape);
        };
        let source = keys.remove("_source").ok_or(WrongShape)?;
        let id = [keys.get("_id"), source.get("id")].into_iter().flatten().find_map(Value::as_str).map(str::to_owned);
        let updated = source.get("dataHoraUltimaAtualizacao").and_then(Moment::read);
        let sort = keys.remove("sort").filter(|sort| sort.as_array().is_some_and(|values| !values.is_empty()));
        let kept = kept(&source);
        Ok(Self { id, sort, process: Process::decode(source)?, kept, updated })
    }
}

fn kept(source: &Value) -> Value {
    let mut kept = json!({});
    for key in KEPT {
        if let (Some(value), Some(keys)) = (source.get(key), kept.as_object_mut()) {
            let value = if key == "assuntos" { Value::Array(flat(value.clone())) } else { value.clone() };
            keys.insert(key.to_owned(), value);
        }
    }
    kept
}
