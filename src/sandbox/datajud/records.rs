//! A process as the service holds it: a record for each degree, class and judging body.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::super::court::Branch;
use super::super::dice::Dice;
use super::super::process::{Movement, Process};
use super::codes;

/// One record.
#[derive(Debug, Clone)]
pub(super) struct Record {
    id: String,
    pub(super) timestamp_ms: i64,
    source: Value,
}

impl Record {
    /// The record as a hit.
    pub(super) fn hit(self, index: &str) -> Value {
        json!({
            "_index": format!("api_publica_{index}"), "_id": self.id, "_score": null, "_source": self.source,
            "sort": [self.timestamp_ms],
        })
    }
}

/// A record before it is written.
struct Part<'a> {
    grau: &'static str,
    class: (u32, &'static str),
    /// Oldest first.
    movements: Vec<&'a Movement>,
}

/// Every record of a process, by `@timestamp`; movements after `until` are not handed in yet.
pub(super) fn of(process: &Process, index: &str, seed: u64, until: NaiveDate) -> Vec<Record> {
    let mut dice = Dice::new(seed, &format!("datajud {}", process.number.digits()));
    let parts = parts(process, until, &mut dice);
    let times = times(process);
    let distinct = parts.len() > 1;
    let mut records: Vec<Record> =
        parts.iter().map(|part| record(process, part, index, &times, distinct, &mut dice)).collect();
    records.sort_by_key(|record| record.timestamp_ms);
    records
}

fn parts<'a>(process: &'a Process, until: NaiveDate, dice: &mut Dice) -> Vec<Part<'a>> {
    // Small-claims courts are a degree of their own.
    let small = dice.chance(20) && process.court.branch != Branch::Labour;
    let split = dice.chance(60);
    let (first, second) = match (process.court.superior, small) {
        (true, _) => ("SUP", "SUP"),
        (false, true) => ("JE", "TR"),
        (false, false) => ("G1", "G2"),
    };
    let of_degree = |degree| {
        let own = process.movements.iter().rev().filter(move |movement| movement.degree == degree);
        own.filter(|movement| movement.date <= until).collect::<Vec<_>>()
    };
    let (mut lower, upper) = (of_degree(1), of_degree(2));
    let class = match process.court.branch {
        Branch::Labour => (985, "Ação Trabalhista - Rito Ordinário"),
        Branch::Civil | Branch::Federal => (7, "Procedimento Comum Cível"),
    };
    let enforced =
        lower.iter().position(|movement| codes::begins_enforcement(&movement.text)).filter(|at| split && *at > 0);
    let mut parts = Vec::new();
    if let Some(at) = enforced {
        // The record of the new class begins with the distribution, which is in both.
        let tail = lower.split_off(at);
        let movements = lower.first().copied().into_iter().chain(tail).collect();
        parts.push(Part { grau: first, class: (156, "Cumprimento de sentença"), movements });
    }
    parts.push(Part { grau: first, class, movements: lower });
    if !upper.is_empty() {
        parts.push(Part { grau: second, class: (198, "Apelação Cível"), movements: upper });
    }
    parts
}

/// When on its day each movement was: in the order of their ids, equal ones at the same second. A later movement of a day changes none
/// of the earlier ones.
fn times(process: &Process) -> HashMap<i64, NaiveTime> {
    let mut of_day: HashMap<NaiveDate, Vec<&Movement>> = HashMap::new();
    for movement in &process.movements {
        of_day.entry(movement.date).or_default().push(movement);
    }
    let mut times = HashMap::new();
    for movements in of_day.values_mut() {
        movements.sort_by_key(|movement| movement.id);
        let mut ranks: Vec<(&str, u8)> = Vec::new();
        for movement in movements {
            let key = (movement.text.as_str(), movement.degree);
            let rank = ranks.iter().position(|known| *known == key).unwrap_or_else(|| {
                ranks.push(key);
                ranks.len() - 1
            });
            let seconds = 8 * 3_600 + u32::try_from(rank).unwrap_or(0).saturating_mul(97) % (12 * 3_600);
            times.insert(movement.id, NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0).unwrap_or_default());
        }
    }
    times
}

fn record(
    process: &Process,
    part: &Part<'_>,
    index: &str,
    times: &HashMap<i64, NaiveTime>,
    distinct: bool,
    dice: &mut Dice,
) -> Record {
    let (tribunal, digits) = (index.to_uppercase(), process.number.digits());
    let body = dice.between(1_000, 99_999);
    let id = if distinct {
        format!("{tribunal}_{}_{}_{body}_{digits}", part.class.0, part.grau)
    } else {
        format!("{tribunal}_{}_{digits}", part.grau)
    };
    let last = part.movements.last().map_or(process.started, |movement| movement.date);
    let updated = at(last, NaiveTime::default()) + TimeDelta::seconds(i64::from(dice.between(70_000, 86_000)));
    // A day to a week later, to the nanosecond.
    let filed = updated + TimeDelta::nanoseconds(i64::from(dice.between(86_400, 604_800)) * 1_000_000_123);
    let movements: Vec<Value> = part
        .movements
        .iter()
        .map(|movement| {
            let mut written = codes::of(&movement.text);
            if let Some(keys) = written.as_object_mut() {
                let time = times.get(&movement.id).copied().unwrap_or_default();
                keys.insert("dataHora".to_owned(), json!(stamp(at(movement.date, time))));
            }
            written
        })
        .collect();
    let mut judging_body = json!({"codigo": body, "nome": process.body});
    if let Some(keys) = judging_body.as_object_mut().filter(|_| dice.chance(50)) {
        keys.insert("codigoMunicipioIBGE".to_owned(), json!(dice.between(1_000, 5_000)));
    }
    let source = json!({
        "id": id, "numeroProcesso": digits, "classe": {"codigo": part.class.0, "nome": part.class.1},
        "sistema": {"codigo": -1, "nome": "Inválido"}, "formato": {"codigo": 1, "nome": "Eletrônico"},
        "tribunal": tribunal, "grau": part.grau, "nivelSigilo": 0, "orgaoJulgador": judging_body,
        "assuntos": [{"codigo": 10_433, "nome": "Indenização por Dano Moral"}, {"codigo": 14_950, "nome": "Pagamento"}],
        "dataAjuizamento": stamp(at(process.started, NaiveTime::default())),
        "dataHoraUltimaAtualizacao": stamp(updated), "@timestamp": filed.format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string(),
        "movimentos": movements,
    });
    Record { id, timestamp_ms: filed.timestamp_millis(), source }
}

fn at(day: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    day.and_time(time).and_utc()
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::super::number::Number;
    use super::super::super::number::demo_numbers;
    use super::super::super::process::ProcessShape;
    use super::super::index;
    use super::*;

    fn records(number: &str, until: NaiveDate) -> (Process, Vec<Record>) {
        let number = Number::parse(number).unwrap();
        let process = Process::invent(7, &number, &ProcessShape::default()).unwrap();
        let records = of(&process, &index::of(&number).unwrap(), 7, until);
        (process, records)
    }

    fn count(record: &Record) -> usize {
        record.source["movimentos"].as_array().unwrap().len()
    }

    #[test]
    fn a_process_is_one_to_three_records_that_hold_every_movement() {
        let mut sizes = HashSet::new();
        for number in demo_numbers(60, 7) {
            let (process, records) = records(&number, NaiveDate::MAX);
            sizes.insert(records.len());
            let ids: HashSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
            assert_eq!(ids.len(), records.len());
            let held: usize = records.iter().map(count).sum();
            let enforced = records.iter().any(|record| record.source["classe"]["codigo"] == 156);
            assert_eq!(held, process.movements.len() + usize::from(enforced), "{number}");
        }
        assert_eq!(sizes, HashSet::from([1, 2, 3]));
    }

    #[test]
    fn what_is_not_handed_in_yet_is_not_there() {
        let number = &demo_numbers(1, 7)[0];
        let (process, _) = records(number, NaiveDate::MAX);
        let middle = process.movements[process.movements.len() / 2].date;
        let (_, early) = records(number, middle);
        let until = process.movements.iter().filter(|movement| movement.date <= middle).count();
        let enforced = early.iter().any(|record| record.source["classe"]["codigo"] == 156);
        assert_eq!(early.iter().map(count).sum::<usize>(), until + usize::from(enforced));
    }
}
