//! What the service says when it says no.

use serde_json::Value;

/// Elasticsearch's error, `{"error":{"type","reason","root_cause":[…]},"status":404}`, or the short form `{"error":"…"}` of a
/// gateway before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct ErrorBody {
    /// `security_exception`, `index_not_found_exception`, …; absent in the short form.
    pub(in super::super) kind: Option<String>,
}

impl ErrorBody {
    /// Reads a body; `None` when it is not JSON, no object, or no error.
    pub(in super::super) fn decode(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let error = value.get("error").filter(|error| error.is_object() || error.is_string());
        let is_error = error.is_some() || value.get("message").is_some_and(Value::is_string);
        let kind = error.and_then(|error| error.get("type")).and_then(Value::as_str).map(str::to_owned);
        is_error.then_some(Self { kind })
    }
}
