//! Whether our party won, as far as the texts and our side allow to say so. A wrong "vitória" costs more than a missing one: whatever
//! is unclear is `andamento`.

use serde::{Serialize, Serializer};

use super::classify::lexicon::Term::{self, *};
use super::classify::{MovementType, READ, classify, lexicon};
use super::degree::Degree;
use super::fold::fold_prefix;

/// How the case stands for our party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Undecided, decided in part, settled, or not known.
    Andamento,
    /// Our party prevails by the latest result.
    Vitoria,
    /// The other party does.
    Derrota,
}

impl Outcome {
    /// The word in answers and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Andamento => "andamento",
            Self::Vitoria => "vitoria",
            Self::Derrota => "derrota",
        }
    }

    /// The outcome of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Andamento, Self::Vitoria, Self::Derrota].into_iter().find(|outcome| outcome.as_str() == word)
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The side of the case on which a party stands (`polo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who asks: `ATIVO`.
    Ativo,
    /// Who is asked: `PASSIVO`.
    Passivo,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Ativo => Self::Passivo,
            Self::Passivo => Self::Ativo,
        }
    }
}

/// The outcome for `side`, from the texts of a case's movements and the instance of each, **newest first**.
///
/// The latest result counts. A claim that is dismissed counts against who claimed; an appeal that is turned down leaves the result it
/// attacked standing, and where that is not known counts against the appellant, if the text names one or the case began in the
/// appeal instance. An appeal that succeeds helps a named appellant only. Without a side, and for results in part, settlements,
/// annulments and dismissals without a judgment of the claim: [`Outcome::Andamento`].
#[must_use]
pub fn outcome<'a>(texts: impl Iterator<Item = (&'a str, Option<&'a str>)>, side: Option<Side>) -> Outcome {
    let Some(side) = side else { return Outcome::Andamento };
    match prevailing(texts) {
        Some(winner) if winner == side => Outcome::Vitoria,
        Some(_) => Outcome::Derrota,
        None => Outcome::Andamento,
    }
}

/// What one movement says about the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// Nothing.
    Silent,
    /// Something that takes an earlier result's certainty away and gives none.
    Unclear,
    /// An appeal was judged, with a result the text does not tell.
    JudgedOnAppeal,
    /// The claim was judged; this side prevails.
    Claim(Side),
    /// An appeal (or an interim one: `interim`) was turned down.
    AppealDenied { appellant: Option<Side>, interim: bool },
    /// An appeal succeeded.
    AppealGranted { appellant: Option<Side> },
}

fn prevailing<'a>(texts: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Option<Side> {
    let mut denied: Option<(Option<Side>, bool)> = None;
    let mut untold = false;
    let mut only_appeal = true;
    for (text, grau) in texts {
        let degree = Degree::parse(grau);
        only_appeal &= degree == Some(Degree::Appeal);
        match (finding(text, grau, degree), denied) {
            (Finding::Silent, _) => {}
            (Finding::JudgedOnAppeal, None) => untold = true,
            // The judgment whose result was told by a newer movement.
            (Finding::JudgedOnAppeal, Some(_)) => {}
            (Finding::AppealDenied { appellant, interim }, None) => denied = Some((appellant, interim)),
            // Each further appeal turned down leaves standing what it attacked.
            (Finding::AppealDenied { .. }, Some(_)) => {}
            (Finding::AppealGranted { appellant }, None) => return appellant,
            (Finding::AppealGranted { appellant: Some(winner) }, Some((attacker, _))) => {
                return (attacker != Some(winner)).then_some(winner);
            }
            (Finding::Claim(_), None) if untold => return None,
            (Finding::Claim(winner), None) => return Some(winner),
            (Finding::Claim(winner), Some((attacker, _))) => return (attacker != Some(winner)).then_some(winner),
            (Finding::Unclear | Finding::AppealGranted { appellant: None }, _) => return None,
        }
    }
    let (appellant, interim) = denied?;
    match appellant {
        _ if interim => None,
        Some(appellant) => Some(appellant.other()),
        // Whoever brings a case to the instance it began in is its polo ativo.
        None => only_appeal.then_some(Side::Passivo),
    }
}

fn finding(text: &str, grau: Option<&str>, degree: Option<Degree>) -> Finding {
    let terms = lexicon::terms(&fold_prefix(text, READ));
    let has = |wanted: &[Term]| terms.iter().any(|term| wanted.contains(term));
    let telling = [
        Procedente,
        Improcedente,
        Provimento,
        Provido,
        Desprovido,
        Conhecido,
        Extinto,
        Mantido,
        Acordo,
        Seguranca,
        Acordao,
        Julgado,
        Infringentes,
    ];
    let unread = text.chars().nth(READ).is_some() && has(&[Sentenca, Acordao, Vistos]);
    if !has(&telling) && !unread {
        return Finding::Silent;
    }
    // Requests and files quote the words of results.
    if !matches!(classify(text, None, None, grau).kind, MovementType::Decisao | MovementType::Citacao) {
        return Finding::Silent;
    }
    if preceded(&terms, &[Wished], &[Julgado, Procedente, Improcedente, Provido, Dado, Negado]) {
        return Finding::Silent;
    }
    if has(&[Embargos]) && has(&[Declaracao]) {
        return if has(&[Infringentes]) { Finding::Unclear } else { Finding::Silent };
    }
    let result = told(&terms, has);
    if result == Finding::Silent
        && has(&[Acordao, Julgado])
        && (degree == Some(Degree::Appeal) || has(&[Acordao, Virtual]))
    {
        return Finding::JudgedOnAppeal;
    }
    // The operative part of a long judgment stands at its end, which is not read.
    if result == Finding::Silent && unread { Finding::Unclear } else { result }
}

fn told(terms: &[Term], has: impl Fn(&[Term]) -> bool) -> Finding {
    if has(&[Extinto]) && has(&[Execucao, Cumprimento]) {
        return Finding::Silent;
    }
    let mixed = has(&[Procedente]) && has(&[Improcedente]);
    let side_claim = has(&[Incidente, Embargos]) && has(&[Procedente, Improcedente]);
    if has(&[Parcial, Extinto, Mantido]) || (has(&[Homologado]) && has(&[Acordo])) || mixed || side_claim {
        return Finding::Unclear;
    }
    if has(&[Provimento, Provido, Desprovido]) || (has(&[Conhecido]) && has(&[Recurso, Apelacao, Agravo])) {
        return on_appeal(terms, has);
    }
    let negated = preceded(terms, &[Nao], &[Procedente]);
    if has(&[Improcedente]) || negated {
        return Finding::Claim(Side::Passivo);
    }
    if has(&[Procedente]) {
        return Finding::Claim(Side::Ativo);
    }
    match (has(&[Seguranca]), has(&[Concedido]), has(&[Negado])) {
        (true, true, false) => Finding::Claim(Side::Ativo),
        (true, false, true) => Finding::Claim(Side::Passivo),
        _ => Finding::Silent,
    }
}

fn on_appeal(terms: &[Term], has: impl Fn(&[Term]) -> bool) -> Finding {
    let appellant = match (has(&[Ativo]), has(&[Passivo])) {
        (true, false) => Some(Side::Ativo),
        (false, true) => Some(Side::Passivo),
        _ => None,
    };
    let denied = has(&[Negado]) || has(&[Desprovido]) || preceded(terms, &[Nao], &[Provido, Provimento, Conhecido]);
    let granted = has(&[Dado]) || (has(&[Provimento, Provido]) && !denied);
    match (denied, granted) {
        // "Não conhecido o recurso do autor; provido o do réu".
        (true, true) => Finding::Unclear,
        (true, false) => Finding::AppealDenied { appellant, interim: has(&[Agravo]) },
        (false, true) if has(&[Agravo]) => Finding::Unclear,
        (false, true) => Finding::AppealGranted { appellant },
        (false, false) => Finding::Silent,
    }
}

fn preceded(terms: &[Term], by: &[Term], wanted: &[Term]) -> bool {
    terms.iter().zip(terms.iter().skip(1)).any(|(before, term)| by.contains(before) && wanted.contains(term))
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
