//! What a movement is: one of seven types, and, beside it, what it tells about the phase of the case.

use serde::{Serialize, Serializer};

use super::degree::Degree;
use super::fold::{fold, fold_prefix};
use super::phase::Phase;

pub(in crate::domain) mod lexicon;
mod rules;
mod vendor;

#[cfg(test)]
mod tests;

/// How much of a text is read, in characters. A movement says what it is in its title, which comes first; the rest of a long
/// publication quotes other acts and would mislead, besides costing time (texts of 1 MiB exist).
pub(in crate::domain) const READ: usize = 2_000;

/// The seven types of movement that users filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MovementType {
    /// A party files something.
    Peticao,
    /// A judge or a panel decides something.
    Decisao,
    /// Something is added to the file.
    Juntada,
    /// Somebody is summoned or told.
    Citacao,
    /// A hearing or a session.
    Audiencia,
    /// The file goes to the judge.
    Conclusao,
    /// Everything else: mostly the clerks' own acts.
    Outros,
}

impl MovementType {
    /// Every type.
    pub const ALL: [Self; 7] =
        [Self::Peticao, Self::Decisao, Self::Juntada, Self::Citacao, Self::Audiencia, Self::Conclusao, Self::Outros];

    /// The name in answers, in queries and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Peticao => "PETICAO",
            Self::Decisao => "DECISAO",
            Self::Juntada => "JUNTADA",
            Self::Citacao => "CITACAO",
            Self::Audiencia => "AUDIENCIA",
            Self::Conclusao => "CONCLUSAO",
            Self::Outros => "OUTROS",
        }
    }

    /// An emoji that stands for the type.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Peticao => "📄",
            Self::Decisao => "⚖️",
            Self::Juntada => "📎",
            Self::Citacao => "📨",
            Self::Audiencia => "🏛️",
            Self::Conclusao => "📋",
            Self::Outros => "📌",
        }
    }

    /// The type's colour, `#RRGGBB`.
    #[must_use]
    pub const fn color(self) -> &'static str {
        match self {
            Self::Peticao => "#3B82F6",
            Self::Decisao => "#8B5CF6",
            Self::Juntada => "#10B981",
            Self::Citacao => "#F59E0B",
            Self::Audiencia => "#EF4444",
            Self::Conclusao => "#6B7280",
            Self::Outros => "#9CA3AF",
        }
    }

    /// The name for end users, in Portuguese.
    #[must_use]
    pub const fn label_pt(self) -> &'static str {
        match self {
            Self::Peticao => "Petição",
            Self::Decisao => "Decisão",
            Self::Juntada => "Juntada",
            Self::Citacao => "Citação",
            Self::Audiencia => "Audiência",
            Self::Conclusao => "Conclusão",
            Self::Outros => "Outros",
        }
    }

    /// Reads a type as a person writes it: `decisao`, `DECISÃO`, `Decisão`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Far longer than any name, far shorter than what a query string may hold.
        let folded = (text.len() <= 64).then(|| fold(text))?;
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(&folded))
    }
}

impl Serialize for MovementType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How a movement bears on the phase of its case; see [`super::phase::phases`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Not at all, even when it hints at a phase.
    None,
    /// A step of procedure: it sets the phase while the case is open, but does not bring back a case that is decided for good.
    Step,
    /// An act that sets the phase by itself.
    Ruling,
    /// Ends the case in an appeal instance: final for the whole case only when the lower one has judged or never had it. Without a
    /// hint it stands for the file's leaving that instance.
    Instance,
    /// Brings an archived case back to the phase it had.
    Reopening,
}

/// What a movement is, by which rule, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The type.
    pub kind: MovementType,
    /// The phase the movement speaks of, if any.
    pub hint: Option<Phase>,
    /// How the hint counts.
    pub weight: Weight,
    /// The rule that decided: a stable slug.
    pub rule: &'static str,
    /// 0 to 1: 0.95 the vendor's own class, 0.9 the leading word, 0.8 a word of the title, less for the rest of the text, 0.3 for
    /// OUTROS because nothing fitted. An order of trust, not a measured probability.
    pub confidence: f32,
}

impl Verdict {
    const fn new(kind: MovementType, rule: &'static str, confidence: f32) -> Self {
        Self { kind, hint: None, weight: Weight::None, rule, confidence }
    }

    const fn toward(mut self, phase: Phase, weight: Weight) -> Self {
        self.hint = Some(phase);
        self.weight = weight;
        self
    }

    /// True when the movement can set the phase of its case.
    #[must_use]
    pub fn is_decisive(&self) -> bool {
        self.weight != Weight::None
    }
}

/// Classifies a movement by its text and by what the vendor predicted (`classificacao_predita`: its `hierarquia`, such as
/// "Movimentações do Magistrado > Decisão > Concessão > Antecipação de tutela", and its `nome`), heard in the instance `grau`.
///
/// The vendor's class comes first and gives the type; the text still gives the hint where the class has none. Never fails; the work
/// is bounded whatever the length of the text.
#[must_use]
pub fn classify(text: &str, vendor_hierarchy: Option<&str>, vendor_class: Option<&str>, grau: Option<&str>) -> Verdict {
    let degree = Degree::parse(grau);
    let written = rules::by_text(&lexicon::terms(&fold_prefix(text, READ)), degree);
    let Some(predicted) = vendor::by_class(vendor_hierarchy, vendor_class, degree) else {
        return written;
    };
    if predicted.is_decisive() || !written.is_decisive() {
        return predicted;
    }
    Verdict { hint: written.hint, weight: written.weight, ..predicted }
}
