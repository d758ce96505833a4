//! A process's cover.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{WrongShape, lenient};

/// The documentation's Processo, as much of it as is used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Processo {
    /// The number, masked; not necessarily with right check digits.
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) numero_cnj: Option<String>,
    #[serde(deserialize_with = "lenient::day")]
    pub(in super::super) data_ultima_movimentacao: Option<NaiveDate>,
    #[serde(deserialize_with = "lenient::integer")]
    pub(in super::super) quantidade_movimentacoes: Option<i64>,
    /// When the vendor last looked at the court.
    #[serde(deserialize_with = "lenient::instant")]
    pub(in super::super) data_ultima_verificacao: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "lenient::objects")]
    pub(in super::super) fontes: Vec<ProcessoFonte>,
}

/// The documentation's ProcessoFonte: one place (a court's degree, a gazette) where the process is found.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct ProcessoFonte {
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) sigla: Option<String>,
    /// `TRIBUNAL` or `DIARIO_OFICIAL`.
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) tipo: Option<String>,
    #[serde(deserialize_with = "lenient::day")]
    pub(in super::super) data_ultima_movimentacao: Option<NaiveDate>,
    #[serde(deserialize_with = "lenient::flag")]
    pub(in super::super) segredo_justica: Option<bool>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) grau: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) grau_formatado: Option<String>,
    #[serde(deserialize_with = "lenient::instant")]
    pub(in super::super) data_ultima_verificacao: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "lenient::object")]
    pub(in super::super) tribunal: Tribunal,
}

/// The court of a fonte.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Tribunal {
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) sigla: Option<String>,
}

impl Processo {
    /// Reads a cover.
    ///
    /// # Errors
    /// [`WrongShape`] unless it is an object with at least one of the two keys that make it a process: anything else, taken for one,
    /// would be kept as a process of which nothing is known.
    pub(in super::super) fn decode(value: Value) -> Result<Self, WrongShape> {
        let is_process = value.get("numero_cnj").is_some() || value.get("fontes").is_some();
        if !is_process {
            return Err(WrongShape);
        }
        serde_json::from_value(value).map_err(|_unreachable_for_lenient_fields| WrongShape)
    }
}
