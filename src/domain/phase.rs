//! In which of six phases a case is, told by the movements that decide it.

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use super::classify::{Verdict, Weight};
use super::degree::Degree;

/// The six phases of a case, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Filed; nobody was heard yet.
    Inicial,
    /// Answers, hearings, evidence.
    Instrutoria,
    /// Before the judge for the sentence, or judged.
    Decisoria,
    /// Under appeal.
    Recursal,
    /// Decided for good, perhaps being enforced.
    Final,
    /// Put away.
    Arquivado,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 6] =
        [Self::Inicial, Self::Instrutoria, Self::Decisoria, Self::Recursal, Self::Final, Self::Arquivado];

    /// The slug in answers and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inicial => "inicial",
            Self::Instrutoria => "instrutoria",
            Self::Decisoria => "decisoria",
            Self::Recursal => "recursal",
            Self::Final => "final",
            Self::Arquivado => "arquivado",
        }
    }

    /// The phase of a slug.
    #[must_use]
    pub fn parse(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == slug)
    }

    /// The name for end users, in Portuguese.
    #[must_use]
    pub const fn label_pt(self) -> &'static str {
        match self {
            Self::Inicial => "Fase inicial",
            Self::Instrutoria => "Fase instrutória",
            Self::Decisoria => "Fase decisória",
            Self::Recursal => "Fase recursal",
            Self::Final => "Decisão definitiva",
            Self::Arquivado => "Arquivado",
        }
    }

    /// One sentence for end users, in Portuguese.
    #[must_use]
    pub const fn description_pt(self) -> &'static str {
        match self {
            Self::Inicial => "O processo foi distribuído e aguarda a citação e as primeiras manifestações das partes.",
            Self::Instrutoria => "As partes se manifestam e as provas são produzidas.",
            Self::Decisoria => "O processo está com o juiz para sentença ou já foi sentenciado.",
            Self::Recursal => "O processo está em grau de recurso.",
            Self::Final => {
                "A decisão transitou em julgado: não cabe mais recurso, e o que foi decidido pode ser cumprido."
            }
            Self::Arquivado => "O processo foi encerrado e arquivado.",
        }
    }

    /// How far a case in this phase is, in percent.
    #[must_use]
    pub const fn progress(self) -> u8 {
        match self {
            Self::Inicial => 10,
            Self::Instrutoria => 40,
            Self::Decisoria => 60,
            Self::Recursal => 80,
            Self::Final => 95,
            Self::Arquivado => 100,
        }
    }
}

impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One movement, as far as phases need it.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The day of the movement; `None` when the vendor gave none that makes sense.
    pub date: Option<NaiveDate>,
    /// What the movement is.
    pub verdict: &'a Verdict,
    /// The instance it happened in, as the vendor writes it.
    pub grau: Option<&'a str>,
}

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhaseReport {
    /// The phase the latest decisive movement put the case in.
    pub current: Phase,
    /// `current.progress()`, in percent.
    pub progress: u8,
    /// All six phases, in order.
    pub phases: Vec<PhaseLine>,
}

/// One phase of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PhaseLine {
    /// Which.
    pub phase: Phase,
    /// The case is past it. A phase of appeal that never was is not completed; the archive, being the end, is both completed and
    /// current.
    pub is_completed: bool,
    /// The case is in it; true for exactly one line.
    pub is_current: bool,
    /// The day the case went past it (was archived), when known.
    pub completed_at: Option<NaiveDate>,
}

/// Tells the phase from a case's movements, **newest first**. Without movements a case is in its initial phase.
///
/// The latest decisive movement sets the phase (see [`Weight`]). Courts give days, not hours, and vendors order a day's movements by
/// their own ids: so on the day on which a case became final or was archived nothing but a reopening brings it back.
#[must_use]
pub fn phases(steps: &[Step<'_>]) -> PhaseReport {
    let has_first = steps.iter().any(|step| Degree::parse(step.grau) == Some(Degree::First));
    let mut course = Course::new();
    for step in steps.iter().rev() {
        course.take(step, has_first);
    }
    course.report()
}

struct Course {
    current: Phase,
    since: Option<NaiveDate>,
    before_archive: Phase,
    judged: bool,
    appealed: bool,
    left: [Option<NaiveDate>; Phase::ALL.len()],
}

impl Course {
    const fn new() -> Self {
        Self {
            current: Phase::Inicial,
            since: None,
            before_archive: Phase::Inicial,
            judged: false,
            appealed: false,
            left: [None; Phase::ALL.len()],
        }
    }

    fn take(&mut self, step: &Step<'_>, has_first: bool) {
        let Verdict { hint, weight, .. } = *step.verdict;
        let closed = self.current >= Phase::Final;
        let same_day = step.date.is_some() && step.date == self.since;
        match (weight, hint) {
            (Weight::None, _) | (Weight::Step | Weight::Ruling, None) => {}
            (Weight::Reopening, _) => {
                if self.current == Phase::Arquivado {
                    self.enter(self.before_archive, step.date);
                }
            }
            (Weight::Step, Some(phase)) => {
                if !closed {
                    self.enter(phase, step.date);
                }
            }
            (Weight::Ruling, Some(phase)) => {
                self.judged |= phase == Phase::Decisoria;
                // A certificate that the judgment is final may be written after the file was put away.
                let late = phase == Phase::Final && self.current == Phase::Arquivado;
                let disordered = closed && same_day && phase < self.current;
                if !(late || disordered) {
                    self.enter(phase, step.date);
                }
            }
            (Weight::Instance, Some(phase)) => {
                if (self.judged || !has_first) && self.current != Phase::Arquivado {
                    self.enter(phase, step.date);
                }
            }
            (Weight::Instance, None) => {
                if !has_first {
                    self.enter(Phase::Arquivado, step.date);
                }
            }
        }
    }

    fn enter(&mut self, phase: Phase, date: Option<NaiveDate>) {
        self.appealed |= phase == Phase::Recursal;
        if phase == self.current {
            return;
        }
        if phase == Phase::Arquivado {
            self.before_archive = self.current;
        }
        let (lower, upper) = (self.current.min(phase), self.current.max(phase));
        for (line, left) in Phase::ALL.into_iter().zip(&mut self.left) {
            if line >= lower && line < upper {
                *left = if phase > self.current { date } else { None };
            }
        }
        self.current = phase;
        self.since = date;
    }

    fn report(self) -> PhaseReport {
        let current = self.current;
        let line = |(phase, left): (Phase, Option<NaiveDate>)| {
            let archived = phase == Phase::Arquivado && phase == current;
            let passed = phase < current && (phase != Phase::Recursal || self.appealed);
            PhaseLine {
                phase,
                is_completed: passed || archived,
                is_current: phase == current,
                completed_at: if archived { self.since } else { left.filter(|_| passed) },
            }
        };
        PhaseReport {
            current,
            progress: current.progress(),
            phases: Phase::ALL.into_iter().zip(self.left).map(line).collect(),
        }
    }
}

#[cfg(test)]
#[path = "phase_tests.rs"]
mod tests;
