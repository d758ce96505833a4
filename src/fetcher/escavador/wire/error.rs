//! What the vendor says when it says no. Several shapes are documented; all are one object with a text in it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::lenient;

/// An error in any of the vendor's shapes: `{"error"}`, `{"message"}` or `{"code","message","errors","appends"}`, where `errors` is an
/// object, `[]` or null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct ErrorBody {
    /// `NUMERO_CNJ_INVALIDO`, `NOT_FOUND`, …; unknown ones are kept as they are.
    pub(in super::super) code: Option<String>,
    /// `message`, else `error`.
    pub(in super::super) text: Option<String>,
    /// The parameters that the vendor complains about.
    pub(in super::super) fields: Vec<String>,
    /// What comes with it: of a busy answer, the update request that is open.
    pub(in super::super) appends: Option<Value>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default, deserialize_with = "lenient::text")]
    code: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    message: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    error: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    errors: Map<String, Value>,
    #[serde(default)]
    appends: Option<Value>,
}

impl ErrorBody {
    /// Reads a body; `None` when it is not JSON, no object, or says nothing.
    pub(in super::super) fn decode(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let raw: Raw = if value.is_object() {
            serde_json::from_value(value).ok()?
        } else {
            return None;
        };
        let text = raw.message.or(raw.error);
        let fields = raw.errors.into_iter().map(|(name, _complaints)| name).collect();
        (raw.code.is_some() || text.is_some()).then_some(Self { code: raw.code, text, fields, appends: raw.appends })
    }
}
