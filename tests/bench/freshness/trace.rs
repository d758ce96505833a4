//! Invented processes and what happens in them: phases, lulls and lively weeks, hearings, weekends, holidays, the recess, the archive.
//!
//! The rates and the calendar here are the trace's own and differ from those the service presumes: it is to learn them.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc, Weekday};
use juscache::domain::calendar::midnight;
use juscache::domain::cnj::Cnj;
use juscache::domain::movement::{Movement, MovementId, Source};

/// Chance, the same for a seed on every machine (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// From `low` to below `high`.
    fn whole(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// Between two rates, each order of magnitude as likely.
    fn rate(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.fraction())
    }
}

/// A process, and when the vendor shows each of its movements, oldest first.
pub(crate) struct Process {
    pub(crate) cnj: Cnj,
    pub(crate) movements: Vec<(DateTime<Utc>, Movement)>,
}

const FIRST_STEPS: [&str; 3] = ["DISTRIBUIDO POR SORTEIO", "CITACAO EXPEDIDA", "JUNTADA DE CONTESTACAO"];
const PLAIN: [&str; 6] = [
    "CERTIDAO DE CARTORIO EXPEDIDA",
    "CERTIDAO DE PUBLICACAO EXPEDIDA",
    "REMETIDO AO DJE",
    "JUNTADA DE PETICAO INTERCORRENTE",
    "PROFERIDO DESPACHO",
    "SUSPENSAO DO PRAZO",
];

/// What a working day of a process is like.
struct Course {
    /// Days with movements for each working day, over the long run of its kind.
    base: f64,
    lively: bool,
    /// What the last days' events add: an answer brings a note, the note an order, the order a publication.
    echo: f64,
    hearing: Option<NaiveDate>,
    after_hearing: u32,
    ends: Option<NaiveDate>,
    archived: bool,
}

/// So many processes, watched from `start` for `days` days, each with a past of its own.
pub(crate) fn processes(dice: &mut Dice, count: u64, start: NaiveDate, days: u64) -> Vec<Process> {
    (0..count).map(|number| process(dice, number, start, days)).collect()
}

fn process(dice: &mut Dice, number: u64, start: NaiveDate, days: u64) -> Process {
    // Most are quiet, a few are busy.
    let base = match dice.fraction() {
        kind if kind < 0.62 => dice.rate(0.004, 0.03),
        kind if kind < 0.90 => dice.rate(0.03, 0.12),
        _ => dice.rate(0.12, 0.5),
    };
    let filed = start - Days::new(dice.whole(20, 1_500));
    let until = start + Days::new(days);
    let court = ["8260100", "5150042", "4036100"][usize::from(dice.chance(0.3)) + usize::from(dice.chance(0.1))];
    let year = u64::try_from(filed.year()).expect("a year of our time");
    let mut process = Process { cnj: cnj(number, year, court), movements: Vec::new() };
    let mut course =
        Course { base, lively: true, echo: 0.0, hearing: None, after_hearing: 0, ends: None, archived: false };
    let mut day = filed;
    let mut steps = FIRST_STEPS.into_iter();
    while day < until {
        let weight = weight_of(day);
        let young = day < filed + Days::new(60);
        let texts = course.day(dice, day, weight, young);
        for text in texts {
            let plain = PLAIN[usize::try_from(dice.whole(0, 6)).expect("one of six")];
            let text = if text.is_empty() { steps.next().unwrap_or(plain) } else { text };
            process.add(dice, day, text);
        }
        day = day + Days::new(1);
    }
    process.movements.sort_by_key(|(at, _)| *at);
    process
}

impl Course {
    /// What happens on a day; an empty text is nothing in particular.
    fn day(&mut self, dice: &mut Dice, day: NaiveDate, weight: f64, young: bool) -> Vec<&'static str> {
        if self.archived {
            return if dice.chance(0.0004 * weight) { vec!["CERTIDAO DE CARTORIO EXPEDIDA"] } else { Vec::new() };
        }
        let mut texts = Vec::new();
        // Courts sit on working days only.
        if weight >= 1.0 {
            let turns = if self.lively { 1.0 / 15.0 } else { 1.0 / 35.0 };
            self.lively ^= dice.chance(turns);
            if self.hearing.is_some_and(|set| set <= day) {
                self.hearing = None;
                self.after_hearing = 5;
                texts.push("AUDIENCIA DE INSTRUCAO REALIZADA");
            } else if self.hearing.is_none() && self.base > 0.02 && dice.chance(self.base / 20.0) {
                self.hearing = Some(day + Days::new(dice.whole(25, 60)));
                texts.push("AUDIENCIA DESIGNADA");
            }
            match self.ends {
                Some(ends) if ends <= day => {
                    self.archived = true;
                    return vec!["ARQUIVADO DEFINITIVAMENTE"];
                }
                None if dice.chance(1.0 / 1_200.0) => {
                    self.ends = Some(day + Days::new(dice.whole(3, 30)));
                    texts.push("TRANSITO EM JULGADO AS PARTES");
                }
                _ => {}
            }
        }
        let mood = if self.lively { 1.8 } else { 0.3 };
        let mood = if young { 2.0 * mood } else { mood };
        let hearing = if self.after_hearing > 0 { 0.5 } else { 0.0 };
        if dice.chance(((self.base * mood + self.echo + hearing) * weight).min(0.95)) {
            texts.extend(std::iter::repeat_n("", usize::try_from(dice.whole(1, 4)).expect("a few")));
        }
        if weight >= 1.0 {
            self.after_hearing = self.after_hearing.saturating_sub(1);
            self.echo = if texts.is_empty() { self.echo * 0.6 } else { (self.echo * 0.6 + 0.15).min(0.4) };
        }
        texts
    }
}

impl Process {
    fn add(&mut self, dice: &mut Dice, day: NaiveDate, text: &str) {
        // Between eight in the morning and eight in the evening.
        let minute = i64::try_from(dice.whole(8 * 60, 20 * 60)).expect("small");
        let id = i64::try_from(self.movements.len()).expect("small");
        let movement = Movement {
            id: MovementId::vendor(id),
            date: Some(day),
            kind: None,
            text: text.to_owned(),
            publication: None,
            category: None,
            classification: None,
            source: Source::default(),
        };
        self.movements.push((midnight(day) + TimeDelta::minutes(minute), movement));
    }
}

/// How much of a working day's events a day sees.
fn weight_of(day: NaiveDate) -> f64 {
    let holidays = [(11, 15), (11, 20), (12, 8), (4, 21), (5, 1), (9, 7), (10, 12), (11, 2)];
    let recess = (day.month(), day.day()) >= (12, 20) || (day.month(), day.day()) <= (1, 20);
    match day.weekday() {
        Weekday::Sat | Weekday::Sun => 0.05,
        _ if recess => 0.15,
        _ if holidays.contains(&(day.month(), day.day())) => 0.05,
        _ => 1.0,
    }
}

fn cnj(number: u64, year: u64, court: &str) -> Cnj {
    let without_check: u128 = format!("{number:07}{year}{court}").parse().expect("digits");
    let check = 98 - without_check * 100 % 97;
    Cnj::parse(&format!("{number:07}{check:02}{year}{court}")).expect("a right number")
}
