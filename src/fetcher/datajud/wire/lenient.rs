//! The readers that fields of this service need besides the [shared](crate::fetcher::lenient) ones.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::fetcher::lenient;
pub(super) use crate::fetcher::lenient::{as_integer, integer, object};

/// A text, trimmed; a number is taken as it is written. An empty text is absent.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(lenient::text(deserializer)?.map(|text| text.trim().to_owned()))
}

/// A truth value, also in quotes.
pub(super) fn as_flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The objects of a list, or of lists in it; an object alone is a list of one. What is no object is skipped.
pub(super) fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let found = flat(Value::deserialize(deserializer)?).into_iter();
    Ok(found.filter_map(|value| serde_json::from_value(value).ok()).collect())
}

/// The objects of a list, flat (`[{…}]`) or nested (`[[{…}],[{…}]]`), which is how some courts send their subjects.
pub(super) fn flat(value: Value) -> Vec<Value> {
    let items = match value {
        Value::Array(items) => items,
        Value::Object(_) => return vec![value],
        _ => return Vec::new(),
    };
    let inner = items.into_iter().flat_map(|item| match item {
        Value::Array(inner) => inner,
        other => vec![other],
    });
    inner.filter(Value::is_object).collect()
}
