//! Readers for fields whose type cannot be relied on. None of them fails on a value: what cannot be read is absent.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A text, trimmed; a number is taken as it is written. An empty text is absent.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// A whole number, also in quotes.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(as_integer(&Value::deserialize(deserializer)?))
}

/// A whole number, also in quotes.
pub(super) fn as_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A truth value, also in quotes.
pub(super) fn as_flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// An object; its default where there is none.
pub(super) fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = Value::deserialize(deserializer)?;
    Ok(if value.is_object() { serde_json::from_value(value).unwrap_or_default() } else { T::default() })
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
