//! The readers that fields of this vendor need besides the [shared](crate::fetcher::lenient) ones.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub(super) use crate::fetcher::lenient::{integer, object, text};

/// A truth value, also as 0, 1 or in quotes.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(flag) => Some(flag),
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "1" | "true" | "sim" => Some(true),
            "0" | "false" | "nao" | "não" => Some(false),
            _ => None,
        },
        _ => None,
    })
}

/// A day, whatever time follows it.
pub(super) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().and_then(parse_day))
}

/// A moment.
pub(in super::super) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().and_then(parse_instant))
}

/// The objects of a list; what is no object in it is skipped.
pub(super) fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let Value::Array(values) = Value::deserialize(deserializer)? else {
        return Ok(Vec::new());
    };
    Ok(values.into_iter().filter(Value::is_object).filter_map(|value| serde_json::from_value(value).ok()).collect())
}

/// `YYYY-MM-DD`, alone or before a time; or `DD/MM/YYYY`, as version 1 of the API writes it.
fn parse_day(text: &str) -> Option<NaiveDate> {
    let day = text.trim().get(..10)?;
    NaiveDate::parse_from_str(day, "%Y-%m-%d").or_else(|_not_iso| NaiveDate::parse_from_str(day, "%d/%m/%Y")).ok()
}

/// ISO 8601 with an offset; or without one, as in the vendor's older examples: then it is UTC, which all its offsets are.
fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|moment| moment.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_every_documented_form() {
        let day = NaiveDate::from_ymd_opt(2018, 7, 25);
        for text in ["2018-07-25", " 2018-07-25 ", "2018-07-25 23:59:59", "2018-07-25T02:00:00+00:00", "25/07/2018"] {
            assert_eq!(parse_day(text), day, "{text:?}");
        }
        for text in ["", "2018-7-25", "2018-02-30", "ontem, cedo", "2018-07-2é"] {
            assert_eq!(parse_day(text), None, "{text:?}");
        }
    }

    #[test]
    fn moments_are_read_in_both_documented_forms() {
        let moment = parse_instant("2023-02-09T14:30:11+00:00");
        assert_eq!(moment.map(|moment| moment.to_rfc3339()).as_deref(), Some("2023-02-09T14:30:11+00:00"));
        for text in ["2023-02-09 14:30:11", "2023-02-09T14:30:11Z", "2023-02-09T11:30:11-03:00", "2023-02-09T14:30:11"]
        {
            assert_eq!(parse_instant(text), moment, "{text:?}");
        }
        for text in ["", "2023-02-09", "há 1 mês"] {
            assert_eq!(parse_instant(text), None, "{text:?}");
        }
    }
}
