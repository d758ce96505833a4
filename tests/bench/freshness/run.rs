//! One policy over one trace: a cycle every half hour, ten processes at a time, 200 requests a day.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use juscache::domain::calendar::{day_of, midnight};
use juscache::domain::snapshot::{Cover, Provider, Snapshot};
use juscache::domain::version::Version;

use super::policy::{Known, Policy, REFRESH};
use super::trace::{Dice, Process, processes};

/// How much is simulated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) processes: u64,
    pub(crate) days: u64,
    /// Vendor requests a day.
    pub(crate) calls_a_day: u32,
}

/// What came of it; delays in hours, sorted.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) policy: Policy,
    pub(crate) calls: u64,
    pub(crate) refreshes: u64,
    pub(crate) delays: Vec<f64>,
    pub(crate) unknown_at_the_end: usize,
}

impl Outcome {
    pub(crate) fn mean(&self) -> f64 {
        self.delays.iter().sum::<f64>() / count(self.delays.len())
    }

    /// The delay that this part of the movements does not exceed, in hundredths.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let place = (self.delays.len() * percent / 100).min(self.delays.len().saturating_sub(1));
        self.delays.get(place).copied().unwrap_or(f64::NAN)
    }
}

pub(crate) fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Every policy over the trace of one seed. Monday 3 November to Thursday 1 January: two months with three holidays and the beginning of
/// the recess.
pub(crate) fn all(seed: u64, scale: Scale) -> Vec<Outcome> {
    let start = NaiveDate::from_ymd_opt(2025, 11, 3).expect("a day");
    let mut dice = Dice::new(seed);
    let trace = processes(&mut dice, scale.processes, start, scale.days);
    let begin = midnight(start);
    // All were asked some time in the day before.
    let asked: Vec<_> = trace.iter().map(|_| begin - seconds(dice.fraction() * 86_400.0)).collect();
    Policy::ALL.into_iter().map(|policy| run(policy, &trace, &asked, begin, scale)).collect()
}

fn seconds(seconds: f64) -> TimeDelta {
    TimeDelta::from_std(std::time::Duration::from_secs_f64(seconds)).expect("less than a day")
}

fn run(policy: Policy, trace: &[Process], asked: &[DateTime<Utc>], begin: DateTime<Utc>, scale: Scale) -> Outcome {
    let mut known: Vec<Known> =
        trace.iter().zip(asked).map(|(process, asked)| policy.learn(&shown(process, *asked), *asked)).collect();
    let end = begin + TimeDelta::days(i64::try_from(scale.days).expect("a few days"));
    let mut outcome = Outcome { policy, calls: 0, refreshes: 0, delays: Vec::new(), unknown_at_the_end: 0 };
    let mut now = begin;
    let (mut today, mut left) = (day_of(now), scale.calls_a_day);
    while now < end {
        if day_of(now) != today {
            (today, left) = (day_of(now), scale.calls_a_day);
        }
        let batch = if left > REFRESH { policy.pick(&known, now, left) } else { Vec::new() };
        for place in batch {
            if left < REFRESH {
                break;
            }
            let snapshot = shown(&trace[place], now);
            let news: Vec<_> = fresh(&trace[place], known[place].last_sync, now).collect();
            let calls = if news.is_empty() { 1 } else { 3 };
            left -= calls;
            outcome.calls += u64::from(calls);
            outcome.refreshes += 1;
            outcome.delays.extend(news.into_iter().map(|at| hours(now - at)));
            known[place] = policy.learn(&snapshot, now);
        }
        now += TimeDelta::minutes(30);
    }
    for (process, known) in trace.iter().zip(&known) {
        let before = outcome.delays.len();
        outcome.delays.extend(fresh(process, known.last_sync, end).map(|at| hours(end - at)));
        outcome.unknown_at_the_end += outcome.delays.len() - before;
    }
    outcome.delays.sort_by(f64::total_cmp);
    outcome
}

fn hours(span: TimeDelta) -> f64 {
    span.as_seconds_f64() / 3_600.0
}

/// When what a refresh finds appeared: after one moment, up to another.
fn fresh(process: &Process, after: DateTime<Utc>, until: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    process.movements.iter().map(|(at, _)| *at).filter(move |at| *at > after && *at <= until)
}

/// What the vendor shows at a moment.
fn shown(process: &Process, now: DateTime<Utc>) -> Snapshot {
    let movements = process.movements.iter().rev().filter(|(at, _)| *at <= now).map(|(_, movement)| movement.clone());
    Snapshot {
        cnj: process.cnj,
        provider: Provider::Escavador,
        version: Version::new(Some(now), now),
        cover: Cover {
            tribunal: "TJSP".to_owned(),
            grau: None,
            sealed: false,
            declared_total: None,
            last_movement: None,
            raw: String::new(),
        },
        movements: movements.collect(),
    }
}
