//! An update request and its status.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{WrongShape, lenient};
use crate::fetcher::update_messages::{UpdateState, UpdateStatus, VendorUpdate};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "lenient::instant")]
    data_ultima_verificacao: Option<DateTime<Utc>>,
    ultima_verificacao: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    #[serde(deserialize_with = "lenient::integer")]
    id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    status: Option<String>,
    #[serde(deserialize_with = "lenient::instant")]
    criado_em: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "lenient::instant")]
    concluido_em: Option<DateTime<Utc>>,
}

/// Reads the answer of `status-atualizacao`, in any of its four documented forms.
///
/// # Errors
/// [`WrongShape`] unless it is an object with one of its keys: an answer of another kind says nothing about a copy's freshness.
pub(in super::super) fn status(value: Value) -> Result<UpdateStatus, WrongShape> {
    if value.get("data_ultima_verificacao").is_none() && value.get("ultima_verificacao").is_none() {
        return Err(WrongShape);
    }
    let status: Status = serde_json::from_value(value).map_err(|_unreachable_for_lenient_fields| WrongShape)?;
    let update = status.ultima_verificacao.and_then(|update| self::update(update).ok());
    Ok(UpdateStatus { verified_at: status.data_ultima_verificacao, update })
}

/// Reads one update request, as `solicitar-atualizacao` answers it and `status-atualizacao` repeats it.
///
/// # Errors
/// [`WrongShape`] without an id: it could not be told from another.
pub(in super::super) fn update(value: Value) -> Result<VendorUpdate, WrongShape> {
    let update: Update = serde_json::from_value(value).map_err(|_no_object| WrongShape)?;
    Ok(VendorUpdate {
        id: update.id.ok_or(WrongShape)?,
        state: state(update.status.as_deref().unwrap_or_default()),
        created_at: update.criado_em,
        concluded_at: update.concluido_em,
    })
}

/// Words that are not documented count as open: whoever follows it has a deadline.
fn state(word: &str) -> UpdateState {
    match word.trim() {
        "SUCESSO" => UpdateState::Succeeded,
        "NAO_ENCONTRADO" | "NÃO_ENCONTRADO" => UpdateState::NotFound,
        "ERRO" => UpdateState::Failed,
        _ => UpdateState::Open,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_four_documented_forms_are_read() {
        let none = status(json!({"numero_cnj": "x", "data_ultima_verificacao": "2023-03-02T21:31:56+00:00",
            "tempo_desde_ultima_verificacao": "há 2 meses", "ultima_verificacao": null}));
        let none = none.unwrap();
        assert!(none.verified_at.is_some() && none.update.is_none());

        let of = |word: &str| {
            let value = json!({"data_ultima_verificacao": null, "ultima_verificacao":
                {"id": "7", "status": word, "criado_em": "2023-05-10T19:09:43+00:00", "concluido_em": "2023-05-10 19:10:00"}});
            status(value).unwrap().update.unwrap()
        };
        assert_eq!((of("PENDENTE").id, of("PENDENTE").state), (7, UpdateState::Open), "whatever its dates say");
        assert_eq!((of("NA_FILA").state, of("PROCESSANDO").state), (UpdateState::Open, UpdateState::Open));
        assert_eq!((of("SUCESSO").state, of("ERRO").state), (UpdateState::Succeeded, UpdateState::Failed));
        assert_eq!(of("NAO_ENCONTRADO").state, UpdateState::NotFound);

        let unknown = json!({"numero_cnj": null, "data_ultima_verificacao": null, "ultima_verificacao": null});
        assert_eq!(status(unknown).unwrap(), UpdateStatus { verified_at: None, update: None });
        assert!(status(json!({"message": "ok"})).is_err() && status(json!([])).is_err());
    }

    #[test]
    fn an_update_needs_an_id() {
        assert!(update(json!({"status": "PENDENTE"})).is_err() && update(json!("x")).is_err());
        assert_eq!(update(json!({"id": 5})).map(|update| update.state), Ok(UpdateState::Open));
    }
}
