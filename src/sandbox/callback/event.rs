//! What the callbacks say: the documented objects, without the `uuid` that every delivery adds.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::log::Payload;
use crate::sandbox::monitor::{Monitor, MonitorStatus};
use crate::sandbox::process::{Movement, Process};
use crate::sandbox::update::Update;
use crate::sandbox::wire;

/// `nova_movimentacao`, with the keys that the process's style has.
pub(in crate::sandbox) fn movement(monitor: &Monitor, process: &Process, movement: &Movement) -> Payload {
    let body = json!({
        "event": "nova_movimentacao", "monitoramento": monitor.to_json(),
        "movimentacao": wire::movement(process, movement),
    });
    Payload { event: "nova_movimentacao", monitor: true, object: monitor.id, body }
}

/// `processo_verificado`: looked at, nothing new.
pub(in crate::sandbox) fn verified(monitor: &Monitor, at: DateTime<Utc>) -> Payload {
    let body = json!({
        "event": "processo_verificado", "monitoramento": monitor.to_json(), "verificado_em": wire::instant(at),
    });
    Payload { event: "processo_verificado", monitor: true, object: monitor.id, body }
}

/// `processo_encontrado` or `processo_nao_encontrado`.
pub(in crate::sandbox) fn decided(monitor: &Monitor) -> Payload {
    let found = monitor.status == MonitorStatus::Found;
    let event = if found { "processo_encontrado" } else { "processo_nao_encontrado" };
    Payload {
        event,
        monitor: true,
        object: monitor.id,
        body: json!({"event": event, "monitoramento": monitor.to_json()}),
    }
}

/// `atualizacao_processo_concluida`.
pub(in crate::sandbox) fn updated(masked: &str, update: &Update) -> Payload {
    let mut told = update.to_json(masked, update.status());
    if let Some(keys) = told.as_object_mut() {
        // The documented callback has neither.
        keys.remove("motivo_erro");
        keys.remove("opcoes");
    }
    let event = "atualizacao_processo_concluida";
    Payload { event, monitor: false, object: update.id, body: json!({"event": event, "atualizacao": told}) }
}
