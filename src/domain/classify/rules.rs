//! The ordered rules over a text's terms. The first that fits decides, and the order of [`RULES`] is the meaning: an act in front beats
//! what it is about, an announcement beats what it announces, a lasting state (final, archived) beats a decision word inside its name,
//! clerks' papers beat the petitions they mention.
//!
//! Summons come before juntada on purpose: terms to answer run from the day the served writ is joined to the file, so whoever filters
//! by CITACAO wants "Juntada de mandado de citação".

use super::super::degree::Degree;
use super::super::phase::Phase;
use super::lexicon::Term::{self, *};
use super::{MovementType, Verdict, Weight};

/// The title of a movement, in terms. What comes later in a publication quotes other acts.
const TITLE: usize = 14;

pub(super) struct Title<'a> {
    terms: &'a [Term],
    appeal: bool,
}

impl<'a> Title<'a> {
    pub(super) fn of(terms: &'a [Term], degree: Option<Degree>) -> Self {
        Self { terms: terms.get(..TITLE).unwrap_or(terms), appeal: degree == Some(Degree::Appeal) }
    }

    fn position(&self, wanted: &[Term]) -> Option<usize> {
        self.terms.iter().position(|term| wanted.contains(term))
    }

    pub(super) fn has(&self, wanted: &[Term]) -> bool {
        self.position(wanted).is_some()
    }

    fn leads(&self, wanted: &[Term]) -> bool {
        self.position(wanted) == Some(0)
    }

    /// True when `wanted` is there and not only expected ("após o trânsito em julgado", "aguardando arquivamento").
    fn happened(&self, wanted: &[Term]) -> bool {
        self.position(wanted).is_some_and(|at| !self.terms.iter().take(at).any(|term| matches!(term, Ainda | Nao)))
    }
}

pub(super) fn by_text(terms: &[Term], degree: Option<Degree>) -> Verdict {
    let title = Title::of(terms, degree);
    RULES
        .iter()
        .find_map(|rule| rule(&title))
        .or_else(|| body(terms.get(TITLE..).unwrap_or_default()))
        .unwrap_or(Verdict::new(MovementType::Outros, "default", 0.3))
}

const RULES: [fn(&Title<'_>) -> Option<Verdict>; 11] = [
    leading_decision,
    conclusion,
    summons,
    leading_joinder,
    hearing,
    leading_petition,
    closing,
    decision_word,
    execution,
    clerk,
    petition_word,
];

const RESULTS: [Term; 13] = [
    Julgado,
    Provido,
    Desprovido,
    Provimento,
    Acolhido,
    Deferido,
    Procedente,
    Improcedente,
    Homologado,
    Extinto,
    Negado,
    Concedido,
    Mantido,
];

fn leading_decision(title: &Title<'_>) -> Option<Verdict> {
    let nouns = title.leads(&[Decisao, Sentenca, Acordao, Despacho, Proferido, Vistos, Determinado]);
    let granted =
        title.leads(&[Dado, Nao]) && title.has(&[Provimento, Provido, Conhecido, Acolhido, Procedente, Concedido]);
    let converted = title.leads(&[Convertido]) && title.has(&[Diligencia]);
    (nouns || granted || converted || title.leads(&RESULTS)).then(|| {
        let verdict = Verdict::new(MovementType::Decisao, "leading-decision", 0.9);
        if converted { verdict.toward(Phase::Instrutoria, Weight::Ruling) } else { ruled(title, verdict) }
    })
}

/// Adds what a decision says about the phase: a sentence and an appeal's judgment do, an order or an interim decision does not.
pub(super) fn ruled(title: &Title<'_>, verdict: Verdict) -> Verdict {
    let interim = title.position(&[Decisao, Despacho]);
    let on_appeal = title.has(&[Acordao, Provimento, Provido, Desprovido])
        || (title.has(&[Segunda]) && title.has(&[Instancia]))
        || (title.has(&[Julgado]) && title.has(&[Virtual]))
        || (title.has(&[Recurso, Apelacao]) && title.has(&[Julgado, Negado, Conhecido]));
    let on_merits = title.has(&[Julgado, Procedente, Improcedente, Extinto])
        || title.position(&[Sentenca]).is_some_and(|at| interim.is_none_or(|interim| at < interim))
        || (title.has(&[Homologado]) && title.has(&[Acordo]))
        || (title.has(&[Seguranca]) && title.has(&[Concedido, Negado]));
    let clarified = title.has(&[Embargos]) && title.has(&[Declaracao]) && title.has(&[Acolhido]);
    // Payment ends the execution of what had been decided for good: that is no new trial.
    if title.has(&[Extinto]) && title.has(&[Execucao, Cumprimento]) {
        return verdict.toward(Phase::Final, Weight::Step);
    }
    match (on_appeal || (title.appeal && (on_merits || clarified)), on_merits, clarified) {
        (true, ..) => verdict.toward(Phase::Recursal, Weight::Ruling),
        (_, true, _) => verdict.toward(Phase::Decisoria, Weight::Ruling),
        (.., true) => verdict.toward(Phase::Decisoria, Weight::Step),
        _ => verdict,
    }
}

fn conclusion(title: &Title<'_>) -> Option<Verdict> {
    title.has(&[Conclusos]).then(|| {
        let verdict =
            Verdict::new(MovementType::Conclusao, "conclusion", if title.leads(&[Conclusos]) { 0.9 } else { 0.8 });
        if title.appeal || title.has(&[Relator]) {
            verdict.toward(Phase::Recursal, Weight::Step)
        } else if title.has(&[Sentenca, Julgamento]) {
            verdict.toward(Phase::Decisoria, Weight::Step)
        } else {
            verdict
        }
    })
}

fn summons(title: &Title<'_>) -> Option<Verdict> {
    title.has(&[Intimacao, Citacao]).then(|| {
        let leads = title.leads(&[Intimacao, Citacao]);
        let verdict = Verdict::new(MovementType::Citacao, "summons", if leads { 0.9 } else { 0.8 });
        if title.has(&[Contrarrazoes, Apelacao]) { verdict.toward(Phase::Recursal, Weight::Step) } else { verdict }
    })
}

fn leading_joinder(title: &Title<'_>) -> Option<Verdict> {
    title.leads(&[Juntada]).then(|| filed(title, Verdict::new(MovementType::Juntada, "leading-joinder", 0.9)))
}

/// Adds what a party's paper says about the phase. An agravo or embargos do not end the stage in which they are filed.
fn filed(title: &Title<'_>, verdict: Verdict) -> Verdict {
    if title.has(&[Agravo, Embargos, Emenda]) {
        verdict
    } else if title.has(&[Recurso, Apelacao, Contrarrazoes]) {
        verdict.toward(Phase::Recursal, Weight::Step)
    } else if title.has(&[Contestacao, Pericia]) {
        verdict.toward(Phase::Instrutoria, Weight::Step)
    } else {
        verdict
    }
}

fn hearing(title: &Title<'_>) -> Option<Verdict> {
    title.has(&[Audiencia, Sessao, Pauta]).then(|| {
        let leads = title.leads(&[Audiencia, Sessao]);
        let verdict = Verdict::new(MovementType::Audiencia, "hearing", if leads { 0.9 } else { 0.8 });
        if title.has(&[Cancelado]) {
            verdict
        } else if title.appeal {
            verdict.toward(Phase::Recursal, Weight::Step)
        } else if title.has(&[Audiencia]) {
            verdict.toward(Phase::Instrutoria, Weight::Step)
        } else {
            verdict
        }
    })
}

fn leading_petition(title: &Title<'_>) -> Option<Verdict> {
    let nouns = title.leads(&[Peticao, Contestacao, Apelacao, Contrarrazoes, Pedido, Interposto, Emenda]);
    let with_act = title.leads(&[Recurso, Agravo, Embargos, Incidente]) && title.has(&[Interposto]);
    ((nouns || with_act) && (!title.has(&RESULTS) || title.has(&[Wished])))
        .then(|| filed(title, Verdict::new(MovementType::Peticao, "leading-petition", 0.9)))
}

/// The states that outlast a movement: reopened, final, archived. Their type is OUTROS, what counts is the hint.
pub(super) fn closing(title: &Title<'_>) -> Option<Verdict> {
    let outros = |rule| Verdict::new(MovementType::Outros, rule, 0.9);
    let leaves = |verdict: Verdict| match title.appeal {
        true => Verdict { weight: Weight::Instance, ..verdict },
        false => verdict.toward(Phase::Arquivado, Weight::Ruling),
    };
    if title.has(&[Desarquivado]) {
        let mut verdict = outros("reopened");
        if title.happened(&[Desarquivado]) && !title.has(&[Pedido, Peticao]) {
            verdict.weight = Weight::Reopening;
        }
        return Some(verdict);
    }
    if title.has(&[Transito]) && title.has(&[EmJulgado]) {
        let weight = if title.appeal { Weight::Instance } else { Weight::Ruling };
        let verdict = outros("final-judgment");
        return Some(if title.happened(&[Transito]) { verdict.toward(Phase::Final, weight) } else { verdict });
    }
    if title.has(&[Arquivado]) {
        // A provisional archive waits for something (assets, a party): the case keeps its phase.
        let done = title.happened(&[Arquivado]) && !title.has(&[Provisorio]);
        return Some(if done { leaves(outros("archived")) } else { outros("archived") });
    }
    (title.has(&[Baixa]) && title.has(&[Definitivo]))
        .then(|| if title.happened(&[Baixa]) { leaves(outros("closed")) } else { outros("closed") })
}

fn decision_word(title: &Title<'_>) -> Option<Verdict> {
    // Not "procedente": files are "procedentes da comarca" too.
    let words = [
        Decisao,
        Sentenca,
        Acordao,
        Despacho,
        Julgado,
        Acolhido,
        Provimento,
        Provido,
        Desprovido,
        Deferido,
        Improcedente,
        Homologado,
        Extinto,
    ];
    title.has(&words).then(|| {
        // A clerk's paper about a decision is not the decision: it must not set the phase again.
        if title.leads(&[Expedicao, Certidao, Publicacao, Remessa]) {
            Verdict::new(MovementType::Decisao, "decision-announced", 0.6)
        } else {
            ruled(title, Verdict::new(MovementType::Decisao, "decision-word", 0.8))
        }
    })
}

fn execution(title: &Title<'_>) -> Option<Verdict> {
    let begun = title.has(&[Classe, Inicial]) || title.leads(&[Cumprimento]);
    (title.has(&[Cumprimento]) && begun && !title.has(&[Provisorio]))
        .then(|| Verdict::new(MovementType::Outros, "execution", 0.7).toward(Phase::Final, Weight::Step))
}

fn clerk(title: &Title<'_>) -> Option<Verdict> {
    title.has(&[Expedicao, Certidao, Publicacao, Remessa]).then(|| {
        let verdict = Verdict::new(MovementType::Outros, "clerk-act", 0.8);
        let goes_up = title.leads(&[Remessa]) && title.has(&[Recurso, Apelacao, Instancia]) && !title.appeal;
        if goes_up { verdict.toward(Phase::Recursal, Weight::Step) } else { verdict }
    })
}

fn petition_word(title: &Title<'_>) -> Option<Verdict> {
    if title.has(&[
        Peticao,
        Inicial,
        Contestacao,
        Recurso,
        Apelacao,
        Contrarrazoes,
        Pedido,
        Agravo,
        Embargos,
        Incidente,
        Interposto,
        Emenda,
    ]) {
        return Some(filed(title, Verdict::new(MovementType::Peticao, "petition-word", 0.7)));
    }
    if title.has(&[Pericia]) {
        return Some(
            Verdict::new(MovementType::Outros, "expert-evidence", 0.7).toward(Phase::Instrutoria, Weight::Step),
        );
    }
    title.has(&[Distribuicao]).then(|| {
        let verdict = Verdict::new(MovementType::Outros, "distribution", 0.8);
        if title.appeal {
            verdict.toward(Phase::Recursal, Weight::Step)
        } else {
            Verdict { hint: Some(Phase::Inicial), ..verdict }
        }
    })
}

/// A publication whose title is a heading of names and numbers. Only words of the act itself count here, and no hint is drawn.
fn body(rest: &[Term]) -> Option<Verdict> {
    let has = |wanted: &[Term]| rest.iter().any(|term| wanted.contains(term));
    if has(&[Vistos, Julgado, Deferido, Homologado, Provimento, Acordao, Sentenca, Despacho]) {
        Some(Verdict::new(MovementType::Decisao, "decision-in-body", 0.6))
    } else if has(&[Intimacao, Citacao]) {
        Some(Verdict::new(MovementType::Citacao, "summons-in-body", 0.5))
    } else {
        None
    }
}
