//! A movement (movimentação) of a process and its stable identity.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::classify::{Verdict, classify};
use super::fold::fold;

/// What names a movement for ever: the vendor's id, or a hash of its content where the vendor gives none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MovementId(String);

impl MovementId {
    /// What ids of DataJud's movements begin with; a hash follows. Written into stored copies: it stays as it is.
    pub const DATAJUD_PREFIX: &str = "dj";

    /// The vendor's id, which needs 64 bits (ids beyond 2^32 are documented).
    #[must_use]
    pub fn vendor(id: i64) -> Self {
        Self(id.to_string())
    }

    /// An id already in its written form, as stored or as a reader sent it back.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The written form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of ours for a movement of DataJud's, which gives none.
    #[must_use]
    pub fn is_datajuds(&self) -> bool {
        self.0.starts_with(Self::DATAJUD_PREFIX)
    }

    fn number(&self) -> Option<i64> {
        self.0.parse().ok()
    }
}

impl fmt::Display for MovementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The vendor's own class of a movement (`classificacao_predita`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classification {
    /// Short name, e.g. "Antecipação de tutela".
    pub nome: String,
    /// One explanatory sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descricao: Option<String>,
    /// Path in the vendor's tree, "A > B > C".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hierarquia: Option<String>,
}

/// Where a movement was published (the vendor's `fonte`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The vendor's `fonte_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The court's sigla, e.g. "TJSP".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tribunal: Option<String>,
    /// The source's full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// "TRIBUNAL" or "DIARIO_OFICIAL".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The degree as people read it, e.g. "Primeiro Grau".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grau: Option<String>,
    /// The section of an official gazette.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caderno: Option<String>,
}

/// One movement, as complete as the vendor gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// Stable identity.
    pub id: MovementId,
    /// The court's day; the vendor gives no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    /// The vendor's `tipo`: "ANDAMENTO" or "PUBLICACAO".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The whole text (`conteudo`).
    pub text: String,
    /// `tipo_publicacao`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication: Option<String>,
    /// `texto_categoria`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The vendor's class, when it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,
    /// Where it was published.
    #[serde(default)]
    pub source: Source,
}

impl Movement {
    /// What the classifier makes of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let class = self.classification.as_ref();
        classify(
            &self.text,
            class.and_then(|class| class.hierarquia.as_deref()),
            class.map(|class| class.nome.as_str()),
            self.source.grau.as_deref(),
        )
    }
}

/// A movement whose identity is not settled yet: its place among equals is known only when the whole process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unidentified {
    /// The vendor's id, if it gave one.
    pub vendor_id: Option<i64>,
    /// Everything else; its `id` is replaced.
    pub movement: Movement,
}

/// Gives every movement its identity, drops what the vendor repeated across pages, and sorts newest first.
///
/// A movement without the vendor's id is named by a hash of (source, date, type, folded text, ordinal among equals), so two
/// equal texts on one day stay two movements.
#[must_use]
pub fn identify(found: Vec<Unidentified>) -> Vec<Movement> {
    let mut seen = std::collections::HashSet::with_capacity(found.len());
    let mut equals: HashMap<[u8; 32], u32> = HashMap::new();
    let mut movements = Vec::with_capacity(found.len());
    for Unidentified { vendor_id, mut movement } in found {
        movement.id = match vendor_id {
            Some(id) => MovementId::vendor(id),
            None => {
                let content = content_hash(&movement);
                let ordinal = equals.entry(content).or_default();
                let id = hashed_id(&content, *ordinal);
                *ordinal += 1;
                id
            }
        };
        if seen.insert(movement.id.clone()) {
            movements.push(movement);
        }
    }
    movements.sort_by(newest_first);
    movements
}

/// The order of a timeline: later days first, undated last; within a day the vendor's order, which is by id, descending.
#[must_use]
pub fn newest_first(a: &Movement, b: &Movement) -> Ordering {
    position(a.date, &a.id).cmp(&position(b.date, &b.id))
}

/// A movement's place in a timeline read newest first; hashed ids share one place and keep the order they came in.
#[must_use]
pub fn position(date: Option<NaiveDate>, id: &MovementId) -> impl Ord {
    (Reverse(date), Reverse(id.number()))
}

/// What a movement says: a hash of (source id or else tribunal, date, type, folded text). Ids are made of it: it stays as it is.
pub(super) fn content_hash(movement: &Movement) -> [u8; 32] {
    let mut hash = Sha256::new();
    let source = movement.source.id.map(|id| id.to_string()).or_else(|| movement.source.tribunal.clone());
    let date = movement.date.map(|date| date.to_string());
    for part in [source.as_deref(), date.as_deref(), movement.kind.as_deref(), Some(&fold(&movement.text))] {
        hash.update(part.unwrap_or_default().as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}

fn hashed_id(content: &[u8; 32], ordinal: u32) -> MovementId {
    let mut hash = Sha256::new();
    hash.update(content);
    hash.update(ordinal.to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    MovementId(format!("h{hex}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn movement(vendor_id: Option<i64>, day: u32, text: &str) -> Unidentified {
        Unidentified {
            vendor_id,
            movement: Movement {
                id: MovementId::from_text(String::new()),
                date: NaiveDate::from_ymd_opt(2018, 5, day),
                kind: Some("ANDAMENTO".into()),
                text: text.into(),
                publication: None,
                category: None,
                classification: None,
                source: Source { id: Some(3), ..Source::default() },
            },
        }
    }

    /// The vendor's documentation has such a pair (853879 and 853877 on 2018-07-25); the earlier implementation kept one.
    #[test]
    fn two_equal_texts_on_one_day_stay_two_movements() {
        let found = identify(vec![movement(None, 4, "CERTIDÃO EXPEDIDA"), movement(None, 4, "CERTIDAO EXPEDIDA")]);
        assert_eq!(found.len(), 2);
        assert_ne!(found[0].id, found[1].id);
        assert_eq!(
            found,
            identify(vec![movement(None, 4, "CERTIDÃO EXPEDIDA"), movement(None, 4, "CERTIDAO EXPEDIDA")])
        );
    }

    #[test]
    fn what_a_later_page_repeats_is_kept_once() {
        let found = identify(vec![movement(Some(7), 4, "a"), movement(Some(7), 4, "a"), movement(Some(8), 4, "b")]);
        assert_eq!(found.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["8", "7"]);
    }

    #[test]
    fn days_order_before_ids_and_undated_come_last() {
        let mut undated = movement(Some(99), 1, "x");
        undated.movement.date = None;
        let found = identify(vec![undated, movement(Some(853_879), 3, "old"), movement(Some(12), 9, "new")]);
        assert_eq!(found.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["12", "853879", "99"]);
    }
}
