//! One hit's `_source`: a process as one court keeps it in one degree, class and judging body.

use std::hash::Hash;

use serde::Deserialize;
use serde_json::Value;

use super::moment::{Moment, moment};
use super::{WrongShape, lenient};

/// The wiki's glossary of a process, as much of it as is used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Process {
    /// 20 digits; a mask is put up with.
    #[serde(rename = "numeroProcesso", deserialize_with = "lenient::text")]
    numero: Option<String>,
    /// `G1`, `G2`, `JE`, `TR`, `TRU`, `SUP`, …
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) grau: Option<String>,
    /// 0 is public.
    #[serde(rename = "nivelSigilo", deserialize_with = "lenient::integer")]
    pub(in super::super) nivel_sigilo: Option<i64>,
    #[serde(skip)]
    pub(in super::super) movimentos: Vec<Movement>,
}

/// A movement. It has no id, no text and no place of its own in the list.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(in super::super) struct Movement {
    #[serde(flatten)]
    own: Named,
    /// The CNJ's own movement, where the court sends one of its own beside it.
    #[serde(rename = "movimentoNacional", deserialize_with = "lenient::object")]
    national: Named,
    #[serde(rename = "dataHora", deserialize_with = "moment")]
    pub(in super::super) at: Option<Moment>,
    #[serde(rename = "complementosTabelados", deserialize_with = "lenient::objects")]
    pub(in super::super) complements: Vec<Complement>,
}

/// A code of the CNJ's tables (TPU) with its name.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Named {
    #[serde(deserialize_with = "lenient::integer")]
    codigo: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    nome: Option<String>,
}

/// What a movement says more closely: the kind of a distribution, of a document, …
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(default)]
pub(in super::super) struct Complement {
    #[serde(deserialize_with = "lenient::integer")]
    pub(in super::super) codigo: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) valor: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) nome: Option<String>,
    /// The key of the table, e.g. `tipo_de_documento`.
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) descricao: Option<String>,
}

impl Movement {
    /// The code in the CNJ's table of movements.
    pub(in super::super) fn code(&self) -> Option<i64> {
        self.own.codigo.or(self.national.codigo)
    }

    /// Its name there.
    pub(in super::super) fn name(&self) -> Option<&str> {
        self.own.nome.as_deref().or(self.national.nome.as_deref())
    }
}

impl Process {
    /// Reads a `_source`.
    ///
    /// # Errors
    /// [`WrongShape`] when a process or a movement could be missing without anybody noticing: no number, movements that are no list,
    /// a movement that is no object. No movements at all is a process without any.
    pub(super) fn decode(source: Value) -> Result<Self, WrongShape> {
        let Value::Object(mut keys) = source else {
            return Err(WrongShape);
        };
        let movimentos = match keys.remove("movimentos") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(movimentos)) => movimentos,
            Some(_) => return Err(WrongShape),
        };
        let mut process: Self = read(Value::Object(keys))?;
        if process.numero.is_none() {
            return Err(WrongShape);
        }
        process.movimentos = movimentos.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(process)
    }

    /// The number's digits; fewer than twenty, or none, where it is malformed.
    pub(in super::super) fn digits(&self) -> String {
        self.numero.iter().flat_map(|number| number.chars()).filter(char::is_ascii_digit).collect()
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, WrongShape> {
    if !value.is_object() {
        return Err(WrongShape);
    }
    serde_json::from_value(value).map_err(|_unreachable_for_lenient_fields| WrongShape)
}
