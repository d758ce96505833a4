//! A whole invented process, a pure function of (seed, number, shape).

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::court::{Branch, Court};
use super::dice::Dice;
use super::number::Number;
use super::phrases;

/// What a test wants a process to look like; `None` leaves it to the seed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessShape {
    /// How many movements, 0 included; capped at 100 000.
    pub movements: Option<usize>,
    /// Under secrecy of justice (`segredo_justica: true` in every fonte).
    pub sealed: Option<bool>,
    /// Which optional keys a movement carries.
    pub style: Option<MovementStyle>,
    /// UPPERCASE WITHOUT ACCENTS, or as the court typed it.
    pub uppercase: Option<bool>,
    /// Whether there is a second fonte, the appeal (needs at least two movements).
    pub second_degree: Option<bool>,
}

/// The two ways the vendor writes a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MovementStyle {
    /// As on the documented page: id, data, tipo, conteudo, fonte.
    Bare,
    /// As in callbacks: also tipo_publicacao, classificacao_predita, texto_categoria and fonte.processo_fonte_id.
    Full,
}

/// One movement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Movement {
    pub(super) id: i64,
    pub(super) date: NaiveDate,
    pub(super) text: String,
    pub(super) degree: u8,
    pub(super) publication: bool,
}

/// One process as the vendor's base would hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) number: Number,
    pub(super) court: Court,
    pub(super) body: String,
    pub(super) started: NaiveDate,
    pub(super) sealed: bool,
    pub(super) style: MovementStyle,
    pub(super) uppercase: bool,
    pub(super) archived: bool,
    pub(super) claim_reais: u32,
    pub(super) process_fonte_base: u64,
    /// Newest first: day descending, id descending within a day.
    pub(super) movements: Vec<Movement>,
}

const MOST_MOVEMENTS: usize = 100_000;

impl Process {
    /// The process of `number`; `None` where the number names no court.
    pub(super) fn invent(seed: u64, number: &Number, shape: &ProcessShape) -> Option<Self> {
        let court = Court::of(number)?;
        let mut dice = Dice::new(seed, number.digits());
        let count = usual_count(&mut dice);
        let (sealed, empty) = (number.sequential().starts_with("9998"), number.sequential().starts_with("9997"));
        let count = shape.movements.unwrap_or(if empty { 0 } else { count }).min(MOST_MOVEMENTS);
        let thrown_appeal = dice.chance(45);
        let appeal = shape.second_degree.unwrap_or(thrown_appeal) && !court.superior;
        let started = start(number.year(), &mut dice);
        let uppercase = dice.chance(45);
        let full = dice.chance(60);
        let body = phrases::judging_body(court.branch, number.unit(), court.state.1);
        let (plan, archived) = plan(court.branch, appeal, count, shape.second_degree == Some(true), &mut dice);
        let dates = dates(started, plan.len(), &mut dice);
        let uppercase = shape.uppercase.unwrap_or(uppercase);
        let mut movements: Vec<Movement> = Vec::with_capacity(plan.len());
        for (step, date) in plan.into_iter().zip(dates) {
            if let Some(last) = movements.last().filter(|_| step.repeats) {
                movements.push(last.clone());
                continue;
            }
            let text = phrases::write(step.phrase, date, &body, &mut dice);
            let text = if uppercase { phrases::shout(&text) } else { text };
            movements.push(Movement { id: 0, date, publication: is_publication(&text), text, degree: step.degree });
        }
        number_movements(&mut movements, &mut dice);
        newest_first(&mut movements);
        Some(Self {
            number: number.clone(),
            court,
            body,
            started,
            sealed: shape.sealed.unwrap_or(sealed),
            style: shape.style.unwrap_or(if full { MovementStyle::Full } else { MovementStyle::Bare }),
            uppercase,
            archived,
            claim_reais: dice.between(1_000, 300_000),
            process_fonte_base: dice.bits() % 900_000_000 + 100_000_000,
            movements,
        })
    }
}

/// Whether a text is of the kind that a gazette prints.
pub(super) fn is_publication(text: &str) -> bool {
    let start: String = text.chars().take(15).collect();
    let start = start.to_uppercase();
    start.starts_with("PUBLICADO") || start.starts_with("DISPONIBILIZADO")
}

/// The vendor's order.
pub(super) fn newest_first(movements: &mut [Movement]) {
    movements.sort_by_key(|movement| std::cmp::Reverse((movement.date, movement.id)));
}

/// One movement to be written.
struct Step {
    degree: u8,
    phrase: &'static str,
    /// The same text on the same day as the step before: a court often registers a small act twice.
    repeats: bool,
}

/// Most processes have a few dozen movements, some have three, few have four hundred.
fn usual_count(dice: &mut Dice) -> usize {
    let (low, high) = match dice.between(0, 99) {
        0..10 => (3, 12),
        10..70 => (13, 80),
        70..95 => (81, 200),
        _ => (201, 400),
    };
    usize::try_from(dice.between(low, high)).unwrap_or(50)
}

/// The steps of the case in time order, and whether it is over.
fn plan(branch: Branch, appeal: bool, count: usize, must_appeal: bool, dice: &mut Dice) -> (Vec<Step>, bool) {
    let mut acts = phrases::acts(branch, appeal);
    let whole = acts.len();
    let over = dice.chance(40);
    let percent = usize::try_from(dice.between(25, 95)).unwrap_or(50);
    let mut reached = if over { whole } else { whole * percent / 100 };
    if let Some(second) = acts.iter().position(|(degree, _)| *degree == 2).filter(|_| must_appeal) {
        reached = reached.max(second + 1);
    }
    acts.truncate(reached.min(count));
    if must_appeal && acts.len() > 1 && acts.iter().all(|(degree, _)| *degree == 1) {
        acts.pop();
        acts.push((2, "Distribuído por sorteio ao RELATOR 1"));
    }
    let archived = acts.len() == whole;
    let small = count - acts.len();
    // Nothing but the act itself ends an archived case.
    let gaps = u32::try_from(acts.len().saturating_sub(if archived { 2 } else { 1 })).unwrap_or(0);
    let mut after = vec![0_usize; acts.len()];
    for _ in 0..small {
        let gap = usize::try_from(dice.between(0, gaps)).unwrap_or(0);
        if let Some(filled) = after.get_mut(gap) {
            *filled += 1;
        }
    }
    let mut plan = Vec::with_capacity(count);
    for ((degree, phrase), small) in acts.into_iter().zip(after) {
        plan.push(Step { degree, phrase, repeats: false });
        plan.extend((0..small).map(|at| Step {
            degree,
            phrase: phrases::between(dice),
            repeats: at > 0 && dice.chance(8),
        }));
    }
    (plan, archived)
}

fn start(year: i32, dice: &mut Dice) -> NaiveDate {
    let day = dice.between(6, 330);
    NaiveDate::from_yo_opt(year.clamp(1988, 2090), day).unwrap_or_default()
}

/// Days of `count` movements, never decreasing, several on one day, on working days only.
///
/// They depend on the number alone, not on today: an answer must not shift because a demo is started again tomorrow.
fn dates(started: NaiveDate, count: usize, dice: &mut Dice) -> Vec<NaiveDate> {
    let gaps: Vec<u64> =
        (0..count).map(|at| if at == 0 || dice.chance(40) { 0 } else { u64::from(dice.between(1, 30)) }).collect();
    let total = gaps.iter().sum::<u64>().max(1);
    let lasting = u64::from(dice.between(60, 1_600)).min(total * 3);
    // A case opened before mid 2026 has no movement after it; a later number is a fresh case of two months.
    let last_day = NaiveDate::from_ymd_opt(2026, 6, 30).unwrap_or(started);
    let room = u64::try_from((last_day - started).num_days()).unwrap_or(0).max(60);
    let lasting = lasting.min(room);
    gaps.into_iter()
        .scan(0, |passed, gap| {
            *passed += gap;
            let day = started.checked_add_days(Days::new(*passed * lasting / total)).unwrap_or(started);
            let weekend = match day.weekday() {
                Weekday::Sat => 2,
                Weekday::Sun => 1,
                _ => 0,
            };
            Some(day.checked_add_days(Days::new(weekend)).unwrap_or(day))
        })
        .collect()
}

/// Ids as the vendor's import gives them: one fonte after the other, newest day first, so that older days have higher ids,
/// and rising within a day.
fn number_movements(movements: &mut [Movement], dice: &mut Dice) {
    let mut next = i64::from(dice.between(650, 2_400)) * 10_000_000 + i64::from(dice.between(0, 9_999_999));
    for degree in [2, 1] {
        let mut own: Vec<&mut Movement> = movements.iter_mut().filter(|movement| movement.degree == degree).collect();
        own.sort_by_key(|movement| std::cmp::Reverse(movement.date));
        for movement in own {
            next += i64::from(dice.between(1, 3));
            movement.id = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::super::number::demo_numbers;
    use super::*;

    fn invent(number: &str, shape: &ProcessShape) -> Process {
        Process::invent(7, &Number::parse(number).unwrap(), shape).unwrap()
    }

    #[test]
    fn demo_processes_look_like_a_court_archive() {
        let processes: Vec<Process> =
            demo_numbers(200, 7).iter().map(|number| invent(number, &ProcessShape::default())).collect();
        assert!(processes.iter().all(|process| (3..=400).contains(&process.movements.len())));
        let texts: Vec<&str> = processes.iter().flat_map(|p| &p.movements).map(|m| m.text.as_str()).collect();
        let average = texts.iter().map(|text| text.len()).sum::<usize>() / texts.len();
        assert!((55..=95).contains(&average), "average text of {average} bytes");
        assert!(texts.iter().any(|text| text.len() > 300));
        assert!(processes.iter().any(|p| p.uppercase) && processes.iter().any(|p| !p.uppercase));
        assert!(processes.iter().any(|p| p.archived) && processes.iter().any(|p| !p.archived));
        assert!(processes.iter().any(|p| p.movements.iter().any(|m| m.degree == 2)));
        let same_day = |p: &Process| {
            let mut seen = HashMap::new();
            p.movements.iter().any(|m| seen.insert((m.date, &m.text, m.degree), ()).is_some())
        };
        assert!(processes.iter().any(same_day));
    }

    #[test]
    fn older_days_have_higher_ids_within_a_fonte() {
        let process = invent("9000001-00.2019.8.26.0100", &ProcessShape { movements: Some(80), ..Default::default() });
        let (first, last) = (process.movements.last().unwrap(), process.movements.first().unwrap());
        assert!(first.date < last.date && last.id > i64::from(i32::MAX));
        let first_degree: Vec<&Movement> = process.movements.iter().filter(|m| m.degree == 1).collect();
        for pair in first_degree.windows(2) {
            assert!((pair[0].date > pair[1].date) == (pair[0].id < pair[1].id), "{pair:?}");
        }
    }

    #[test]
    fn a_shape_is_obeyed_and_special_prefixes_need_none() {
        let shape = ProcessShape { movements: Some(2), second_degree: Some(true), ..Default::default() };
        assert!(invent("9000001-00.2019.8.26.0100", &shape).movements.iter().any(|m| m.degree == 2));
        assert!(invent("9998001-00.2019.8.26.0100", &ProcessShape::default()).sealed);
        assert!(invent("9997001-00.2019.8.26.0100", &ProcessShape::default()).movements.is_empty());
    }

    proptest! {
        #[test]
        fn any_number_and_count_gives_that_many_distinct_ids(
            seed: u64, sequential in 0_u32..10_000_000, year in 1900_i32..2100, region in 1_u32..=27, count in 0_usize..300,
            appeal: Option<bool>,
        ) {
            let number = Number::parse(&format!("{sequential:07}-00.{year}.8.{region:02}.0001")).unwrap();
            let shape = ProcessShape { movements: Some(count), second_degree: appeal, ..Default::default() };
            let process = Process::invent(seed, &number, &shape).unwrap();
            prop_assert_eq!(process.movements.len(), count);
            prop_assert_eq!(process.movements.iter().map(|m| m.id).collect::<HashSet<_>>().len(), count);
            prop_assert_eq!(Process::invent(seed, &number, &shape).unwrap(), process);
        }
    }
}
