//! Which provider is asked, and whose answer stands. Pure.
//!
//! Escavador knows more and costs; DataJud is free, late, and poorer. So a copy of DataJud's never takes the place of one of Escavador's,
//! and that DataJud does not know a process says little, unless there is nobody else to say it.

use super::messages::Failure;
use crate::config::datajud::DatajudUse;
use crate::domain::snapshot::Provider;

/// What is known before anybody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// What DataJud is for.
    pub usage: DatajudUse,
    /// Escavador is configured, rightly or wrongly: its failure is what readers are told.
    pub escavador: bool,
    /// DataJud can be asked.
    pub datajud: bool,
    /// Who supplied the copy in hand, if there is one.
    pub held: Option<Provider>,
    /// The reader wants what is best, whatever it costs.
    pub insist: bool,
}

/// How one provider ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With the process, or with the word that the copy in hand is current.
    Answered,
    /// It does not know the process.
    Unknown,
    /// Without an answer.
    Failed(Failure),
}

/// Who was asked so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// Escavador's end.
    pub escavador: Option<Ended>,
    /// DataJud's end.
    pub datajud: Option<Ended>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask the paid one.
    AskEscavador,
    /// Ask the free one.
    AskDatajud,
    /// What Escavador said stands, failure or not; that nobody is configured, if it was not asked.
    KeepEscavador,
    /// What DataJud said stands.
    KeepDatajud,
    /// DataJud's newer movements go to the copy in hand; if it has none, as for [`Step::KeepEscavador`].
    Complement,
}

/// The next step, until one ends it.
#[must_use]
pub fn next(situation: Situation, asked: Asked) -> Step {
    let Situation { usage, escavador, datajud, held, insist } = situation;
    let may_complement = usage == DatajudUse::Complement && held == Some(Provider::Escavador);
    let may_answer = usage != DatajudUse::Off && held != Some(Provider::Escavador);
    let datajud_helps = datajud && (may_answer || may_complement);
    let keep_datajud = if may_complement { Step::Complement } else { Step::KeepDatajud };
    match (asked.escavador, asked.datajud) {
        (None, None) => {
            // Who insists has Escavador's answer in mind, and may spend.
            let free_first = usage == DatajudUse::First && !insist;
            match (escavador, datajud_helps) {
                (true, helps) if !(helps && free_first) => Step::AskEscavador,
                (_, true) => Step::AskDatajud,
                (_, false) => Step::KeepEscavador,
            }
        }
        (None, Some(Ended::Answered)) => keep_datajud,
        (None, Some(Ended::Unknown | Ended::Failed(_))) if escavador => Step::AskEscavador,
        // Nobody else is there to say so; but what was bought once is not taken back on DataJud's word.
        (None, Some(Ended::Unknown | Ended::Failed(_))) if may_answer => Step::KeepDatajud,
        (None, Some(Ended::Unknown | Ended::Failed(_))) => Step::KeepEscavador,
        (Some(Ended::Failed(failure)), None) if datajud_helps && is_passed_on(failure) => Step::AskDatajud,
        (Some(Ended::Failed(_)), Some(Ended::Answered)) => keep_datajud,
        (Some(_), _) => Step::KeepEscavador,
    }
}

/// Whether another provider may answer in the place of one that failed like this. A request that was refused will never be right,
/// and is Escavador's word on the process.
const fn is_passed_on(failure: Failure) -> bool {
    match failure {
        Failure::Refused => false,
        Failure::NoProvider
        | Failure::Unauthorized
        | Failure::NoCredit
        | Failure::BudgetExhausted
        | Failure::RateLimited
        | Failure::ServerError
        | Failure::Unreachable
        | Failure::TimedOut
        | Failure::Unreadable
        | Failure::EndlessPages => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const FAILURES: [Failure; 11] = [
        Failure::NoProvider,
        Failure::Unauthorized,
        Failure::NoCredit,
        Failure::BudgetExhausted,
        Failure::Refused,
        Failure::RateLimited,
        Failure::ServerError,
        Failure::Unreachable,
        Failure::TimedOut,
        Failure::Unreadable,
        Failure::EndlessPages,
    ];

    fn ends() -> Vec<Ended> {
        let failed = FAILURES.map(Ended::Failed);
        [Ended::Answered, Ended::Unknown].into_iter().chain(failed).collect()
    }

    fn situations() -> Vec<Situation> {
        let mut all = Vec::new();
        for usage in DatajudUse::ALL {
            for held in [None, Some(Provider::Escavador), Some(Provider::Datajud)] {
                for bits in 0..8_u8 {
                    let (escavador, datajud, insist) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
                    all.push(Situation { usage, escavador, datajud, held, insist });
                }
            }
        }
        all
    }

    /// Plays a situation out: who was asked in which order, and what stood in the end.
    fn play(situation: Situation, escavador: Ended, datajud: Ended) -> (Vec<Provider>, Step) {
        let (mut asked, mut order) = (Asked::default(), Vec::new());
        for _ in 0..3 {
            match next(situation, asked) {
                Step::AskEscavador => {
                    assert!(asked.escavador.replace(escavador).is_none(), "asked twice");
                    order.push(Provider::Escavador);
                }
                Step::AskDatajud => {
                    assert!(asked.datajud.replace(datajud).is_none(), "asked twice");
                    order.push(Provider::Datajud);
                }
                end => return (order, end),
            }
        }
        panic!("it does not end: {situation:?} {escavador:?} {datajud:?}");
    }

    #[test]
    fn every_combination_ends_within_the_rules() {
        let mut played = 0;
        for situation in situations() {
            for escavador in ends() {
                for datajud in ends() {
                    let (order, end) = play(situation, escavador, datajud);
                    let case = format!("{situation:?} {escavador:?} {datajud:?} -> {order:?} {end:?}");
                    let asked: HashSet<_> = order.iter().copied().collect();
                    let (paid, free) = (asked.contains(&Provider::Escavador), asked.contains(&Provider::Datajud));
                    assert!(!paid || situation.escavador, "{case}");
                    assert!(!free || (situation.datajud && situation.usage != DatajudUse::Off), "{case}");
                    if situation.held == Some(Provider::Escavador) {
                        assert_ne!(end, Step::KeepDatajud, "a paid copy is never replaced: {case}");
                    }
                    if end == Step::KeepDatajud && datajud != Ended::Answered {
                        assert!(!situation.escavador, "its ignorance counts only alone: {case}");
                    }
                    if end == Step::Complement {
                        assert_eq!((situation.usage, datajud), (DatajudUse::Complement, Ended::Answered), "{case}");
                        assert_eq!(situation.held, Some(Provider::Escavador), "{case}");
                    }
                    let final_word =
                        matches!(escavador, Ended::Answered | Ended::Unknown | Ended::Failed(Failure::Refused));
                    if paid && final_word && order.first() == Some(&Provider::Escavador) {
                        assert_eq!((order.len(), end), (1, Step::KeepEscavador), "{case}");
                    }
                    if situation.escavador && !paid {
                        let free_first = situation.usage == DatajudUse::First && !situation.insist;
                        assert!(free_first && datajud == Ended::Answered, "not asked without a reason: {case}");
                    }
                    played += 1;
                }
            }
        }
        assert_eq!(played, 4 * 3 * 8 * 13 * 13);
    }

    #[test]
    fn the_usual_cases() {
        use DatajudUse::{Complement, Fallback, First, Off};
        use Ended::{Answered, Failed, Unknown};
        use Provider::{Datajud, Escavador};
        let down = Failed(Failure::TimedOut);
        let none: Option<Provider> = None;
        type Row = (DatajudUse, (bool, bool), Option<Provider>, bool, Ended, Ended, &'static [Provider], Step);
        let table: Vec<Row> = vec![
            (Fallback, (true, true), none, false, Answered, Answered, &[Escavador], Step::KeepEscavador),
            (Fallback, (true, true), none, false, Unknown, Answered, &[Escavador], Step::KeepEscavador),
            (Fallback, (true, true), none, false, down, Answered, &[Escavador, Datajud], Step::KeepDatajud),
            (Fallback, (true, true), Some(Datajud), true, down, Answered, &[Escavador, Datajud], Step::KeepDatajud),
            (Fallback, (true, true), Some(Escavador), false, down, Answered, &[Escavador], Step::KeepEscavador),
            (Fallback, (true, true), none, false, down, Unknown, &[Escavador, Datajud], Step::KeepEscavador),
            (Fallback, (true, true), none, false, down, down, &[Escavador, Datajud], Step::KeepEscavador),
            (Fallback, (true, false), none, false, down, Answered, &[Escavador], Step::KeepEscavador),
            (Fallback, (false, true), none, false, down, Answered, &[Datajud], Step::KeepDatajud),
            (Fallback, (false, true), none, false, down, Unknown, &[Datajud], Step::KeepDatajud),
            (Fallback, (false, true), none, false, down, down, &[Datajud], Step::KeepDatajud),
            (Fallback, (false, true), Some(Escavador), false, down, Answered, &[], Step::KeepEscavador),
            (Fallback, (false, false), none, false, down, Answered, &[], Step::KeepEscavador),
            (Complement, (true, true), Some(Escavador), false, down, Answered, &[Escavador, Datajud], Step::Complement),
            (Complement, (true, true), Some(Escavador), false, Answered, Answered, &[Escavador], Step::KeepEscavador),
            (
                Complement,
                (true, true),
                Some(Escavador),
                false,
                down,
                Unknown,
                &[Escavador, Datajud],
                Step::KeepEscavador,
            ),
            (Complement, (true, true), none, false, down, Answered, &[Escavador, Datajud], Step::KeepDatajud),
            (Complement, (false, true), Some(Escavador), false, down, Answered, &[Datajud], Step::Complement),
            (Complement, (false, true), Some(Escavador), false, down, Unknown, &[Datajud], Step::KeepEscavador),
            (First, (true, true), none, false, Answered, Answered, &[Datajud], Step::KeepDatajud),
            (First, (true, true), none, false, Answered, Unknown, &[Datajud, Escavador], Step::KeepEscavador),
            (First, (true, true), none, false, Answered, down, &[Datajud, Escavador], Step::KeepEscavador),
            (First, (true, true), none, false, down, Unknown, &[Datajud, Escavador], Step::KeepEscavador),
            (First, (true, true), none, true, Answered, Answered, &[Escavador], Step::KeepEscavador),
            (First, (true, true), none, true, down, Answered, &[Escavador, Datajud], Step::KeepDatajud),
            (First, (true, true), Some(Escavador), false, Answered, Answered, &[Escavador], Step::KeepEscavador),
            (First, (false, true), none, true, down, Unknown, &[Datajud], Step::KeepDatajud),
            (Off, (true, true), none, false, down, Answered, &[Escavador], Step::KeepEscavador),
            (Off, (false, true), none, false, down, Answered, &[], Step::KeepEscavador),
        ];
        for (usage, (escavador, datajud), held, insist, paid, free, order, end) in table {
            let situation = Situation { usage, escavador, datajud, held, insist };
            let played = play(situation, paid, free);
            assert_eq!((played.0.as_slice(), played.1), (order, end), "{situation:?} {paid:?} {free:?}");
        }
    }

    #[test]
    fn a_refusal_is_the_only_failure_that_is_final() {
        let situation =
            Situation { usage: DatajudUse::Fallback, escavador: true, datajud: true, held: None, insist: false };
        for failure in FAILURES {
            let asked = Asked { escavador: Some(Ended::Failed(failure)), datajud: None };
            let expected = if failure == Failure::Refused { Step::KeepEscavador } else { Step::AskDatajud };
            assert_eq!(next(situation, asked), expected, "{failure}");
        }
    }
}
