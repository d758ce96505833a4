//! The whole of a process at one moment: what every tier holds and every answer is cut from.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::cnj::Cnj;
use super::movement::Movement;
use super::version::Version;

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The paid Escavador API.
    Escavador,
    /// The free public API of the CNJ.
    Datajud,
}

impl Provider {
    /// The word used in answers, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Escavador => "escavador",
            Self::Datajud => "datajud",
        }
    }

    /// The provider that a stored word names.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Escavador, Self::Datajud].into_iter().find(|provider| provider.as_str() == word)
    }
}

/// What the cover (capa) says about the process itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    /// The court's sigla, from the source that moved last; the number's own court when the vendor names none.
    pub tribunal: String,
    /// The degree of that source, e.g. "Primeiro Grau".
    #[serde(default)]
    pub grau: Option<String>,
    /// Under secrecy of justice in at least one source.
    #[serde(default)]
    pub sealed: bool,
    /// The vendor's `quantidade_movimentacoes`.
    #[serde(default)]
    pub declared_total: Option<u64>,
    /// The vendor's `data_ultima_movimentacao`.
    #[serde(default)]
    pub last_movement: Option<NaiveDate>,
    /// The vendor's cover as it came, JSON.
    pub raw: String,
}

/// A whole process: cover and all movements, whatever a reader's `limit` was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The process.
    pub cnj: Cnj,
    /// Who supplied it.
    pub provider: Provider,
    /// Its two clocks.
    pub version: Version,
    /// The cover.
    pub cover: Cover,
    /// All movements, newest first, each identity once.
    pub movements: Vec<Movement>,
}

impl Snapshot {
    /// How many movements the process has: what the vendor declares, but never fewer than it delivered.
    #[must_use]
    pub fn total_movements(&self) -> u64 {
        let held = u64::try_from(self.movements.len()).unwrap_or(u64::MAX);
        self.cover.declared_total.unwrap_or(held).max(held)
    }

    /// The day of the newest movement, or what the cover says when there are none.
    #[must_use]
    pub fn last_update(&self) -> Option<NaiveDate> {
        self.movements.iter().filter_map(|movement| movement.date).max().or(self.cover.last_movement)
    }
}
