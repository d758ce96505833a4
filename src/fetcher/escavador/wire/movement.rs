//! A page of movements.

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value;

use super::{WrongShape, lenient};

/// One page of the cursor paginator.
#[derive(Debug)]
pub(in super::super) struct Page {
    pub(in super::super) items: Vec<Movimentacao>,
    /// `links.next`; `None` on the last page.
    pub(in super::super) next: Option<String>,
    /// Whether there are `links` at all; without them nothing says that this page is the last.
    pub(in super::super) has_links: bool,
}

/// The documentation's Movimentacao, in its "bare" form (as in the documentation's list) and its "full" one (as in callbacks).
#[derive(Debug, Default, Clone, Hash, Deserialize)]
#[serde(default)]
pub(in super::super) struct Movimentacao {
    /// Needs 64 bits: ids beyond 2^32 are documented.
    #[serde(deserialize_with = "lenient::integer")]
    pub(in super::super) id: Option<i64>,
    #[serde(deserialize_with = "lenient::day")]
    pub(in super::super) data: Option<NaiveDate>,
    /// `ANDAMENTO` or `PUBLICACAO`; the documentation's table spells the latter `PUBLICAÇÃO`.
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) tipo: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) tipo_publicacao: Option<String>,
    #[serde(deserialize_with = "lenient::object")]
    pub(in super::super) classificacao_predita: Classificacao,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) conteudo: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) texto_categoria: Option<String>,
    #[serde(deserialize_with = "lenient::object")]
    pub(in super::super) fonte: Fonte,
}

/// The class that the vendor predicts.
#[derive(Debug, Default, Clone, Hash, Deserialize)]
#[serde(default)]
pub(in super::super) struct Classificacao {
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) nome: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) descricao: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) hierarquia: Option<String>,
}

/// Where a movement was published. Its key is `fonte_id` here and `id` elsewhere in the API.
#[derive(Debug, Default, Clone, Hash, Deserialize)]
#[serde(default)]
pub(in super::super) struct Fonte {
    #[serde(deserialize_with = "lenient::integer")]
    pub(in super::super) fonte_id: Option<i64>,
    #[serde(deserialize_with = "lenient::integer")]
    pub(in super::super) id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) nome: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) tipo: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) sigla: Option<String>,
    /// A number, a text or null.
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) grau: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) grau_formatado: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(in super::super) caderno: Option<String>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// [`WrongShape`] when a movement could be missing from the process without anybody noticing: no `items` list, an item that is no
    /// object (an object is a movement, however little it says), `links` or a `next` of another type.
    pub(in super::super) fn decode(value: Value) -> Result<Self, WrongShape> {
        let Value::Object(mut keys) = value else {
            return Err(WrongShape);
        };
        let (has_links, next) = match keys.remove("links") {
            Some(Value::Object(mut links)) => (true, links.remove("next").unwrap_or_default()),
            None | Some(Value::Null) => (false, Value::Null),
            Some(_) => return Err(WrongShape),
        };
        let next = match next {
            Value::Null => None,
            Value::String(next) => Some(next),
            _ => return Err(WrongShape),
        };
        let Some(Value::Array(items)) = keys.remove("items") else {
            return Err(WrongShape);
        };
        let items = items.into_iter().map(Movimentacao::decode).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { items, next, has_links })
    }
}

impl Movimentacao {
    /// Reads one movement.
    ///
    /// # Errors
    /// [`WrongShape`] when it is no object.
    pub(in super::super) fn decode(item: Value) -> Result<Self, WrongShape> {
        if !item.is_object() {
            return Err(WrongShape);
        }
        serde_json::from_value(item).map_err(|_unreachable_for_lenient_fields| WrongShape)
    }
}
