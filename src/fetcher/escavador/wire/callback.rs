//! The log of callbacks.

use serde::Deserialize;
use serde_json::Value;

use super::monitor::numbered;
use super::{WrongShape, lenient};
use crate::fetcher::callback_messages::{CallbackPage, CallbackStatus, LoggedCallback};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Callback {
    #[serde(deserialize_with = "lenient::integer")]
    id: Option<i64>,
    #[serde(deserialize_with = "lenient::integer")]
    attempts: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    status: Option<String>,
    resultado: Value,
}

/// Reads a page of the log.
///
/// # Errors
/// [`WrongShape`] without a list of items.
pub(in super::super) fn page(value: Value) -> Result<CallbackPage, WrongShape> {
    let page = numbered(value, callback)?;
    Ok(CallbackPage { items: page.items, more: page.more })
}

fn callback(value: Value) -> Option<LoggedCallback> {
    let callback: Callback = serde_json::from_value(value).ok()?;
    let payload = match callback.resultado {
        payload @ Value::Object(_) => serde_json::to_vec(&payload).ok()?,
        // Nobody has seen it so, but a stored body that is listed as text is a common slip.
        Value::String(text) if serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object()) => {
            text.into_bytes()
        }
        _ => return None,
    };
    Some(LoggedCallback {
        id: callback.id?,
        attempts: callback.attempts.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(0),
        status: status(callback.status.as_deref().unwrap_or_default()),
        payload,
    })
}

fn status(word: &str) -> CallbackStatus {
    match word.trim().to_lowercase().as_str() {
        "sucesso" => CallbackStatus::Delivered,
        "erro" => CallbackStatus::Failed,
        _ => CallbackStatus::Trying,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_sent_is_given_back_whole_and_the_rest_is_left_out() {
        let told = json!({"event": "processo_verificado", "uuid": "a"});
        let read = page(json!({
            "items": [
                {"id": 1, "attempts": 11, "status": "Sucesso", "resultado": told, "objeto_type": "ApiMonitoramento"},
                {"id": "2", "attempts": "x", "status": "Em tentativa", "resultado": told.to_string()},
                {"id": 3, "status": "Erro", "resultado": {}},
                {"id": 4, "resultado": null}, {"resultado": {}}, 7,
            ],
            "links": {"next": null}, "paginator": {"current_page": 1, "total_pages": 1},
        }));
        let read = read.unwrap();
        let seen: Vec<_> = read.items.iter().map(|item| (item.id, item.attempts, item.status)).collect();
        let expected =
            [(1, 11, CallbackStatus::Delivered), (2, 0, CallbackStatus::Trying), (3, 0, CallbackStatus::Failed)];
        assert_eq!(seen, expected);
        for item in &read.items[..2] {
            assert_eq!(serde_json::from_slice::<Value>(&item.payload).unwrap(), told);
        }
        assert!(!read.more);
    }
}
