//! From the courts' records to the domain's one process. Pure.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::wire::{self, Complement, Hit, Moment};
use crate::domain::cnj::Cnj;
use crate::domain::fold::fold;
use crate::domain::movement::{Movement, MovementId, Source};
use crate::domain::snapshot::{Cover, Provider, Snapshot};
use crate::domain::version::Version;

/// Every id made here begins so. The paid vendor's are numbers, hashed ones begin with another letter: no two ever meet.
pub(in crate::fetcher) const ID_PREFIX: &str = MovementId::DATAJUD_PREFIX;

/// What one index gave.
#[derive(Debug)]
pub(super) struct Received {
    /// The court whose index it is.
    pub(super) sigla: &'static str,
    /// All its hits.
    pub(super) hits: Vec<Hit>,
    /// When the first page arrived.
    pub(super) at: DateTime<Utc>,
}

/// The whole process, put together from a hit for each degree, class and judging body. `None` when no hit is of that very number: the
/// search is one of words, and its first hits are only the nearest.
pub(super) fn snapshot(cnj: Cnj, received: Received) -> Option<Snapshot> {
    let Received { sigla, hits, at } = received;
    let mut ids = HashSet::new();
    let own: Vec<Hit> = hits
        .into_iter()
        .filter(|hit| hit.process.digits() == cnj.digits())
        .filter(|hit| hit.id.as_ref().is_none_or(|id| ids.insert(id.clone())))
        .collect();
    let speaking = own.iter().reduce(|best, hit| if standing(hit) > standing(best) { hit } else { best })?;
    let movements = movements(&cnj, sigla, &own);
    Some(Snapshot {
        cnj,
        provider: Provider::Datajud,
        // When the court looked is not said; `dataHoraUltimaAtualizacao` is when it filed.
        version: Version::new(None, at),
        cover: Cover {
            tribunal: sigla.to_owned(),
            grau: speaking.process.grau.as_deref().map(degree),
            sealed: own.iter().any(|hit| hit.process.nivel_sigilo.is_some_and(|level| level > 0)),
            declared_total: None,
            last_movement: movements.iter().filter_map(|movement| movement.date).max(),
            raw: raw(&own),
        },
        movements,
    })
}

/// Which of two hits says where the process is now: the one that moved last, then the one filed last.
fn standing(hit: &Hit) -> (Option<Moment>, Option<Moment>) {
    (hit.process.movimentos.iter().filter_map(|movement| movement.at).max(), hit.updated)
}

/// Newest first; what has the same second keeps an order of its own, because the courts keep none.
fn movements(cnj: &Cnj, sigla: &str, hits: &[Hit]) -> Vec<Movement> {
    let mut seen = HashSet::new();
    let mut found: Vec<(Option<Moment>, Movement)> = Vec::new();
    for hit in hits {
        let grau = hit.process.grau.as_deref().unwrap_or_default();
        // Two equal movements of one hit are two; the same one in two hits, as when a class follows another, is one.
        let mut equals: HashMap<[u8; 32], u32> = HashMap::new();
        for movement in &hit.process.movimentos {
            let content = content_hash(cnj, grau, movement);
            let ordinal = equals.entry(content).or_default();
            let id = hashed_id(&content, *ordinal);
            *ordinal = ordinal.saturating_add(1);
            if seen.insert(id.clone()) {
                found.push((movement.at, converted(movement, id, sigla, hit.process.grau.as_deref())));
            }
        }
    }
    found.sort_by(|(at, a), (other, b)| (Reverse(at), a.id.as_str()).cmp(&(Reverse(other), b.id.as_str())));
    found.into_iter().map(|(_at, movement)| movement).collect()
}

fn converted(movement: &wire::Movement, id: MovementId, sigla: &str, grau: Option<&str>) -> Movement {
    Movement {
        id,
        date: movement.at.map(Moment::day),
        kind: Some("ANDAMENTO".to_owned()),
        text: text(movement),
        publication: None,
        category: None,
        classification: None,
        source: Source {
            id: None,
            tribunal: Some(sigla.to_owned()),
            name: None,
            kind: Some("TRIBUNAL".to_owned()),
            grau: grau.map(degree),
            caderno: None,
        },
    }
}

/// "Distribuição: sorteio". The courts send names of the CNJ's tables and no text.
fn text(movement: &wire::Movement) -> String {
    let name = name(movement);
    let folded = fold(&name);
    let details: Vec<&str> =
        movement.complements.iter().filter_map(detail).filter(|detail| fold(detail) != folded).collect();
    if details.is_empty() { name } else { format!("{name}: {}", details.join(", ")) }
}

fn name(movement: &wire::Movement) -> String {
    let (code, name) = (movement.code(), movement.name());
    // Names of the table are leaves of a tree; these two say nothing without their branch.
    let branch = match code {
        Some(246) => Some("Arquivamento definitivo"),
        Some(245) => Some("Arquivamento provisório"),
        _ => None,
    };
    match (branch, name, code) {
        (Some(branch), Some(name), _) if !fold(name).contains("arquiv") => branch.to_owned(),
        (_, Some(name), _) => name.to_owned(),
        (Some(branch), None, _) => branch.to_owned(),
        (None, None, Some(code)) => format!("Movimento {code} da tabela do CNJ"),
        (None, None, None) => "Movimento sem descrição".to_owned(),
    }
}

/// A complement's own words; a number of its table without them tells a reader nothing.
fn detail(complement: &Complement) -> Option<&str> {
    let words = |text: &&str| text.chars().any(char::is_alphabetic);
    complement.nome.as_deref().or(complement.valor.as_deref().filter(words))
}

/// The degree as people read it, in the words that the paid vendor uses where it has some. Others stay as they are.
fn degree(grau: &str) -> String {
    match grau.trim().to_uppercase().as_str() {
        "G1" => "Primeiro Grau",
        "G2" => "Segundo Grau",
        "JE" => "Juizado Especial",
        "TR" => "Turma Recursal",
        "TRU" => "Turma Regional de Uniformização",
        "TEU" => "Turma Estadual de Uniformização",
        "TNU" => "Turma Nacional de Uniformização",
        "SUP" => "Tribunal Superior",
        _ => return grau.trim().to_owned(),
    }
    .to_owned()
}

/// What names a movement for ever: number, degree, code, second, complements. Names stay out of it where there are codes, because they
/// arrive damaged one day and repaired the next; and the complements' order, which is not kept.
fn content_hash(cnj: &Cnj, grau: &str, movement: &wire::Movement) -> [u8; 32] {
    let mut hash = Sha256::new();
    let code = movement.code().map(|code| code.to_string());
    let what = code.unwrap_or_else(|| fold(movement.name().unwrap_or_default()));
    let at = movement.at.map(Moment::to_the_second).unwrap_or_default();
    let grau = grau.trim().to_uppercase();
    for part in [cnj.digits(), &grau, &what, &at] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut complements: Vec<String> = movement.complements.iter().map(complement_key).collect();
    complements.sort_unstable();
    for complement in complements {
        hash.update(complement.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}

fn complement_key(complement: &Complement) -> String {
    let code = complement.codigo.map(|code| code.to_string());
    let kind = code.or_else(|| complement.descricao.clone()).unwrap_or_default();
    let value = complement.valor.clone().or_else(|| complement.nome.as_deref().map(fold)).unwrap_or_default();
    format!("{kind}={value}")
}

fn hashed_id(content: &[u8; 32], ordinal: u32) -> MovementId {
    let mut hash = Sha256::new();
    hash.update(content);
    hash.update(ordinal.to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    MovementId::from_text(format!("{ID_PREFIX}{hex}"))
}

/// What was received, without the movements, which are kept by themselves.
fn raw(hits: &[Hit]) -> String {
    let hits: Vec<Value> = hits
        .iter()
        .map(|hit| {
            let mut kept = hit.kept.clone();
            if let Some(keys) = kept.as_object_mut() {
                keys.insert("id".to_owned(), json!(hit.id));
                keys.insert("quantidadeMovimentos".to_owned(), json!(hit.process.movimentos.len()));
            }
            kept
        })
        .collect();
    json!({"provider": Provider::Datajud.as_str(), "hits": hits}).to_string()
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
