//! The vendor's own class of a movement, which follows CNJ's table of movements.

use super::super::degree::Degree;
use super::super::fold::fold_prefix;
use super::lexicon::{self, Term::*};
use super::rules::{Title, closing, ruled};
use super::{MovementType, Verdict, Weight};
use crate::domain::phase::Phase;

/// The longest real path has some 100 characters.
const LONGEST_PATH: usize = 400;

/// What the class says, from its broadest heading to its narrowest: "Juntada > Petição" is a juntada. `None` when no heading is known.
pub(super) fn by_class(hierarchy: Option<&str>, class: Option<&str>, degree: Option<Degree>) -> Option<Verdict> {
    let path = fold_prefix(hierarchy.unwrap_or_default(), LONGEST_PATH);
    let name = fold_prefix(class.unwrap_or_default(), LONGEST_PATH);
    let headings = || path.split('>').chain([name.as_str()]);
    if let Some(verdict) = headings().find_map(|heading| by_heading(heading, degree)) {
        if verdict.kind != MovementType::Decisao {
            return Some(verdict);
        }
        let whole: Vec<_> = headings().flat_map(lexicon::terms).filter(|term| *term != Other).collect();
        let verdict = ruled(&Title::of(&whole, degree), verdict);
        let judged = whole.contains(&Julgamento) && !verdict.is_decisive();
        return Some(match (judged, degree) {
            (true, Some(Degree::Appeal)) => verdict.toward(Phase::Recursal, Weight::Ruling),
            (true, _) => verdict.toward(Phase::Decisoria, Weight::Ruling),
            _ => verdict,
        });
    }
    let by_judge = headings().any(|heading| lexicon::terms(heading).contains(&Magistrado));
    by_judge.then(|| Verdict::new(MovementType::Decisao, "vendor-magistrate", 0.8))
}

fn by_heading(heading: &str, degree: Option<Degree>) -> Option<Verdict> {
    let terms = lexicon::terms(heading);
    let title = Title::of(&terms, degree);
    let kind = if title.has(&[Decisao, Despacho, Julgamento, Sentenca, Acordao, Julgado, Procedente, Improcedente]) {
        MovementType::Decisao
    } else if title.has(&[Conclusos]) {
        MovementType::Conclusao
    } else if title.has(&[Citacao, Intimacao]) {
        MovementType::Citacao
    } else if title.has(&[Juntada]) {
        MovementType::Juntada
    } else if title.has(&[Audiencia, Sessao]) {
        MovementType::Audiencia
    } else if title.has(&[Peticao, Contestacao, Apelacao, Contrarrazoes, Interposto]) {
        MovementType::Peticao
    } else {
        return closing(&title).map(|verdict| Verdict { rule: "vendor-class", confidence: 0.95, ..verdict });
    };
    Some(Verdict::new(kind, "vendor-class", 0.95))
}
