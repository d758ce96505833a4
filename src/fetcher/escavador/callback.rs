//! The parts of a callback that are shaped as the vendor's answers are: read by the same types, so that a movement that was called back
//! is the movement that a purchase brings.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::convert;
use super::wire::{Movimentacao, instant};
use crate::domain::movement::Movement;

/// A callback's `movimentacao` is no movement that could be told from another: no object, or without an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no movement with an id")]
pub struct NoMovement;

/// Reads the `movimentacao` of a callback.
///
/// # Errors
/// [`NoMovement`]. The id is insisted on: without one, a movement's name depends on its equals among all movements of the process, which a
/// callback does not tell.
pub fn movement_of_callback(value: &Value) -> Result<Movement, NoMovement> {
    let wire = Movimentacao::decode(value.clone()).map_err(|_wrong_shape| NoMovement)?;
    if wire.id.is_none() {
        return Err(NoMovement);
    }
    convert::movements(vec![wire]).pop().ok_or(NoMovement)
}

/// Reads a moment of a callback, in either form that the vendor writes; none where it is none.
#[must_use]
pub fn moment_of_callback(value: &Value) -> Option<DateTime<Utc>> {
    instant(value).ok().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_movement_that_is_called_back_is_the_one_that_a_purchase_brings() {
        let item = json!({"id": 23_895_909_833_i64, "data": "2024-10-01", "tipo": "PUBLICAÇÃO", "tipo_publicacao": null,
            "classificacao_predita": {"nome": "Antecipação de tutela", "descricao": "É a decisão que …",
                "hierarquia": "Movimentações do Magistrado > Decisão"},
            "conteudo": "Pedido de Liminar/Antecipação de Tutela", "texto_categoria": null,
            "fonte": {"processo_fonte_id": 538_793_371, "fonte_id": 1, "nome": "Tribunal de Justiça de São Paulo",
                "tipo": "TRIBUNAL", "sigla": "TJSP", "grau": 1, "grau_formatado": "Primeiro Grau"}});
        let page = json!({"items": [item], "links": {"next": null}});
        let bought = convert::movements(super::super::wire::Page::decode(page).unwrap().items);
        assert_eq!(vec![movement_of_callback(&item).unwrap()], bought);
        assert_eq!((bought[0].id.as_str(), bought[0].source.id), ("23895909833", Some(1)));
    }

    #[test]
    fn what_has_no_id_is_no_movement() {
        for value in [json!(null), json!([]), json!("x"), json!({}), json!({"id": null, "conteudo": "x"})] {
            assert_eq!(movement_of_callback(&value), Err(NoMovement), "{value}");
        }
        assert_eq!(movement_of_callback(&json!({"id": "7"})).unwrap().id.as_str(), "7");
    }

    #[test]
    fn moments_come_in_two_forms() {
        for text in ["2025-07-14T03:59:10+00:00", "2025-07-14 03:59:10"] {
            assert_eq!(moment_of_callback(&json!(text)).unwrap().to_rfc3339(), "2025-07-14T03:59:10+00:00");
        }
        assert_eq!(moment_of_callback(&json!(null)), None);
    }
}
