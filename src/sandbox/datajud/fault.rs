//! The ways in which the simulated DataJud misbehaves, or only writes differently.

use serde_json::{Map, Value, json};

use super::super::fault::Fault;
use super::super::reply::Reply;

/// What can be switched on for searches. The first are failures, the rest are forms that real courts send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchFault {
    /// 504 with the gateway's HTML page.
    Gateway504,
    /// 404 `index_not_found_exception`, whatever the index.
    NoIndex,
    /// 403 `security_exception`.
    Forbidden,
    /// 200 without hits, because a part of the index failed.
    ShardsFailed,
    /// 200 without hits, because the search ran out of time.
    TimedOut,
    /// 200 with the first hit only, because a part of the index failed.
    HalfTheShards,
    /// The first hit's movements are no list.
    NoMovementList,
    /// `total` is a lower bound of ten thousand.
    LowerBound,
    /// `assuntos` is a list of lists.
    NestedSubjects,
    /// Dates of fourteen digits, as texts and as numbers in turns.
    DigitDates,
    /// Dates in milliseconds since 1970.
    EpochDates,
    /// Dates with nine digits of a fraction.
    LongFractions,
    /// Only what is always there: no class, body, system, complements' codes.
    Sparse,
    /// Movements in `movimentoNacional`, with the court's own body beside it.
    NationalMovements,
    /// Names with question marks for accents.
    DamagedNames,
    /// `nivelSigilo` above zero.
    Sealed,
    /// Hits of other numbers before and behind.
    Strangers,
    /// Every hit twice, its movements the other way round.
    Repeated,
}

impl SearchFault {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Gateway504,
        Self::NoIndex,
        Self::Forbidden,
        Self::ShardsFailed,
        Self::TimedOut,
        Self::HalfTheShards,
        Self::NoMovementList,
        Self::LowerBound,
        Self::NestedSubjects,
        Self::DigitDates,
        Self::EpochDates,
        Self::LongFractions,
        Self::Sparse,
        Self::NationalMovements,
        Self::DamagedNames,
        Self::Sealed,
        Self::Strangers,
        Self::Repeated,
    ];

    /// The name it goes by in calls and over HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway504 => "search-gateway-504",
            Self::NoIndex => "search-no-index",
            Self::Forbidden => "search-forbidden",
            Self::ShardsFailed => "search-shards-failed",
            Self::TimedOut => "search-timed-out",
            Self::HalfTheShards => "search-half-the-shards",
            Self::NoMovementList => "search-no-movement-list",
            Self::LowerBound => "search-lower-bound",
            Self::NestedSubjects => "search-nested-subjects",
            Self::DigitDates => "search-digit-dates",
            Self::EpochDates => "search-epoch-dates",
            Self::LongFractions => "search-long-fractions",
            Self::Sparse => "search-sparse",
            Self::NationalMovements => "search-national-movements",
            Self::DamagedNames => "search-damaged-names",
            Self::Sealed => "search-sealed",
            Self::Strangers => "search-strangers",
            Self::Repeated => "search-repeated",
        }
    }

    /// The fault of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == name)
    }

    /// Spoils the body of a right answer.
    pub(in super::super) fn spoil(self, body: &mut Value) {
        match self {
            Self::Gateway504 | Self::NoIndex | Self::Forbidden => {}
            Self::ShardsFailed => {
                empty(body);
                set(body, "/_shards/failed", json!(3));
            }
            Self::TimedOut => {
                empty(body);
                set(body, "/timed_out", json!(true));
            }
            Self::HalfTheShards => {
                with_hits(body, |hits| hits.truncate(1));
                set(body, "/_shards/failed", json!(10));
            }
            Self::LowerBound => set(body, "/hits/total", json!({"value": 10_000, "relation": "gte"})),
            Self::Strangers => strangers(body),
            Self::Repeated => repeated(body),
            Self::NoMovementList => set(body, "/hits/hits/0/_source/movimentos", json!("indisponível")),
            Self::Sealed => each_source(body, |source| {
                source.insert("nivelSigilo".to_owned(), json!(1));
            }),
            Self::NestedSubjects => each_source(body, |source| {
                if let Some(Value::Array(subjects)) = source.get_mut("assuntos") {
                    *subjects = subjects.drain(..).map(|subject| json!([subject])).collect();
                }
            }),
            Self::Sparse => each_source(body, |source| {
                for key in ["classe", "orgaoJulgador", "sistema", "formato", "assuntos", "dataAjuizamento", "id"] {
                    source.remove(key);
                }
            }),
            Self::NationalMovements => each_movement(body, |movement, _| {
                let national = json!({"codigo": movement.remove("codigo"), "nome": movement.remove("nome")});
                movement.insert("movimentoNacional".to_owned(), national);
                movement.insert("orgaoJulgador".to_owned(), json!({"codigoOrgao": "9", "nomeOrgao": "VARA"}));
            }),
            Self::DamagedNames => each_movement(body, |movement, _| {
                if let Some(Value::String(name)) = movement.get_mut("nome") {
                    *name = name.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect();
                }
            }),
            Self::DigitDates => {
                each_date(
                    body,
                    |digits, at| {
                        if at % 2 == 0 { json!(digits) } else { json!(digits.parse::<i64>().unwrap_or(0)) }
                    },
                )
            }
            Self::EpochDates => each_date(body, |digits, _| {
                let at = chrono::NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S");
                json!(at.map_or(0, |at| at.and_utc().timestamp_millis()))
            }),
            Self::LongFractions => each_date(body, |digits, _| {
                let at = chrono::NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").unwrap_or_default();
                json!(at.format("%Y-%m-%dT%H:%M:%S.123456789Z").to_string())
            }),
        }
    }
}

/// The answer to a search under a fault that does not look at it.
pub(in super::super) fn early_reply(fault: &Fault) -> Option<Reply> {
    match fault {
        Fault::Search(SearchFault::Gateway504) => Some(Reply::html(504, "504 Gateway Time-out")),
        Fault::Search(SearchFault::NoIndex) => Some(no_index("…")),
        Fault::Search(SearchFault::Forbidden) => {
            Some(error(403, "security_exception", "action is unauthorized for this API key"))
        }
        Fault::Unauthorized => Some(refused_key()),
        Fault::RateLimited { retry_after, html: false } => {
            let mut reply = too_many();
            reply.headers.extend(retry_after.clone().map(|value| ("Retry-After", value)));
            Some(reply)
        }
        other => other.early_reply(),
    }
}

/// Elasticsearch's error body.
pub(super) fn error(status: u16, kind: &str, reason: &str) -> Reply {
    let cause = json!({"type": kind, "reason": reason});
    Reply::error(status, json!({"error": {"root_cause": [cause], "type": kind, "reason": reason}, "status": status}))
}

/// 401, as measured.
pub(super) fn refused_key() -> Reply {
    let mut reply = error(401, "security_exception", "missing authentication credentials for REST request");
    reply.headers.push(("WWW-Authenticate", "ApiKey".to_owned()));
    reply
}

/// 429, which comes quickly.
pub(super) fn too_many() -> Reply {
    error(429, "es_rejected_execution_exception", "rejected execution of coordinating operation")
}

/// 404 for an index that is not there.
pub(super) fn no_index(index: &str) -> Reply {
    error(404, "index_not_found_exception", &format!("no such index [api_publica_{index}]"))
}

/// A right answer always has them; of another there is nothing to spoil.
fn with_hits(body: &mut Value, change: impl FnOnce(&mut Vec<Value>)) {
    if let Some(Value::Array(hits)) = body.pointer_mut("/hits/hits") {
        change(hits);
    }
}

fn set(body: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = body.pointer_mut(pointer) {
        *place = value;
    }
}

fn empty(body: &mut Value) {
    with_hits(body, Vec::clear);
    set(body, "/hits/total", json!({"value": 0, "relation": "eq"}));
}

fn source_of(hit: &mut Value) -> Option<&mut Map<String, Value>> {
    hit.get_mut("_source").and_then(Value::as_object_mut)
}

fn each_source(body: &mut Value, change: impl Fn(&mut Map<String, Value>)) {
    with_hits(body, |hits| hits.iter_mut().filter_map(source_of).for_each(change));
}

fn each_movement(body: &mut Value, change: impl Fn(&mut Map<String, Value>, usize)) {
    each_source(body, |source| {
        let movements = source.get_mut("movimentos").and_then(Value::as_array_mut).into_iter().flatten();
        movements.filter_map(Value::as_object_mut).enumerate().for_each(|(at, movement)| change(movement, at));
    });
}

/// Rewrites the courts' dates, handed over as fourteen digits.
fn each_date(body: &mut Value, write: impl Fn(&str, usize) -> Value) {
    let rewrite = |keys: &mut Map<String, Value>, key: &str, at: usize| {
        if let Some(Value::String(written)) = keys.get(key) {
            let digits: String = written.chars().filter(char::is_ascii_digit).take(14).collect();
            keys.insert(key.to_owned(), write(&digits, at));
        }
    };
    each_source(body, |source| rewrite(source, "dataAjuizamento", 0));
    each_movement(body, |movement, at| rewrite(movement, "dataHora", at));
}

fn strangers(body: &mut Value) {
    let stranger = |hit: &Value, last: char| {
        let mut hit = hit.clone();
        set(&mut hit, "/_id", json!(format!("STRANGER_{last}")));
        if let Some(Value::String(number)) = hit.pointer_mut("/_source/numeroProcesso") {
            number.pop();
            number.push(last);
        }
        hit
    };
    with_hits(body, |own| {
        let around = own.first().map(|hit| (stranger(hit, '1'), stranger(hit, '2')));
        if let Some((before, behind)) = around {
            own.insert(0, before);
            own.push(behind);
        }
    });
    count(body);
}

fn repeated(body: &mut Value) {
    with_hits(body, |own| {
        let mut again = own.clone();
        for hit in &mut again {
            if let Some(Value::Array(movements)) = hit.pointer_mut("/_source/movimentos") {
                movements.reverse();
            }
            if let Some(Value::String(id)) = hit.get_mut("_id") {
                id.push_str("_AGAIN");
            }
        }
        own.append(&mut again);
    });
    count(body);
}

/// Makes the total what is there.
fn count(body: &mut Value) {
    let there = body.pointer("/hits/hits").and_then(Value::as_array).map_or(0, Vec::len);
    set(body, "/hits/total/value", json!(there));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Value {
        let movement = json!({"codigo": 26, "nome": "Distribuição", "dataHora": "2024-07-29T12:07:10.000Z"});
        let source = json!({"numeroProcesso": "00000013920248260100", "nivelSigilo": 0, "classe": {"codigo": 7},
            "assuntos": [{"codigo": 1}], "movimentos": [movement, movement], "dataAjuizamento": "2024-07-29T00:00:00.000Z"});
        json!({"timed_out": false, "_shards": {"failed": 0},
            "hits": {"total": {"value": 1, "relation": "eq"}, "hits": [{"_id": "a", "_source": source}]}})
    }

    fn spoiled(fault: SearchFault) -> Value {
        let mut body = whole();
        fault.spoil(&mut body);
        body
    }

    #[test]
    fn each_fault_goes_by_its_name_and_does_what_it_says() {
        for fault in SearchFault::ALL {
            assert_eq!(SearchFault::named(fault.as_str()), Some(fault));
            let replies = early_reply(&Fault::Search(fault)).is_some();
            assert_eq!(spoiled(fault) == whole(), replies, "{fault:?} answers at once or spoils");
        }
        let date =
            |fault, at: usize| spoiled(fault)["hits"]["hits"][0]["_source"]["movimentos"][at]["dataHora"].clone();
        assert_eq!(date(SearchFault::DigitDates, 0), "20240729120710");
        assert_eq!(date(SearchFault::DigitDates, 1), 20_240_729_120_710_i64);
        assert_eq!(date(SearchFault::EpochDates, 0), 1_722_254_830_000_i64);
        assert_eq!(spoiled(SearchFault::Strangers)["hits"]["hits"].as_array().unwrap().len(), 3);
        assert_eq!(spoiled(SearchFault::Repeated)["hits"]["total"]["value"], 2);
    }
}
