//! A moment as a court wrote it, in any of the forms that were seen.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Day and time at the court, as written. Nothing is shifted: what carries a `Z` is often local time all the same, and a day that
/// moves by three hours is another day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) struct Moment(NaiveDateTime);

impl Moment {
    /// The court's day.
    pub(in super::super) fn day(self) -> NaiveDate {
        self.0.date()
    }

    /// To the second: fractions come and go with the form it is written in.
    pub(in super::super) fn to_the_second(self) -> String {
        self.0.format("%Y-%m-%dT%H:%M:%S").to_string()
    }

    /// Reads a text or a number.
    ///
    /// * `2018-10-29T00:00:00.000Z`, with up to nine digits of a fraction, another offset, a blank for the `T`, or no zone;
    /// * `2018-10-29`, and `20181029`;
    /// * `20240115103000`, fourteen digits, also as a number;
    /// * thirteen digits: milliseconds since 1970, read in the zone that the `Z` claims.
    pub(in super::super) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text.trim()),
            Value::Number(number) => Self::digits(&number.to_string()),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::digits(text);
        }
        let day = NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()?;
        let rest = text.get(10..)?;
        if rest.is_empty() {
            return Some(Self(day.and_time(NaiveTime::MIN)));
        }
        if !rest.starts_with(['T', 't', ' ']) {
            return None;
        }
        // A zone is cut off, whatever it says; a sign cannot come before the time is over.
        let time = rest.get(1..)?.split(['Z', 'z', '+', '-']).next()?.trim();
        let read = |format| NaiveTime::parse_from_str(time, format).ok();
        Some(Self(day.and_time(read("%H:%M:%S%.f").or_else(|| read("%H:%M"))?)))
    }

    fn digits(text: &str) -> Option<Self> {
        match text.len() {
            14 => NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%S").ok().map(Self),
            13 => DateTime::from_timestamp_millis(text.parse().ok()?).map(|moment| Self(moment.naive_utc())),
            8 => Some(Self(NaiveDate::parse_from_str(text, "%Y%m%d").ok()?.and_time(NaiveTime::MIN))),
            _ => None,
        }
    }
}

/// A moment, if the field holds one.
pub(super) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Moment>, D::Error> {
    Ok(Moment::read(&Value::deserialize(deserializer)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_that_was_seen_is_read_as_written() {
        for (written, expected) in [
            (json!("2018-10-29T00:00:00.000Z"), "2018-10-29T00:00:00"),
            (json!("2024-09-15T19:45:21.950659341Z"), "2024-09-15T19:45:21"),
            (json!("2024-07-29T23:59:59Z"), "2024-07-29T23:59:59"),
            (json!("2024-07-29T23:59:59-03:00"), "2024-07-29T23:59:59"),
            (json!("2024-07-29T23:59:59.5+00:00"), "2024-07-29T23:59:59"),
            (json!("2024-07-29 23:59"), "2024-07-29T23:59:00"),
            (json!(" 2024-07-29T23:59:59 "), "2024-07-29T23:59:59"),
            (json!("2024-01-15"), "2024-01-15T00:00:00"),
            (json!("20240115103000"), "2024-01-15T10:30:00"),
            (json!(20_240_115_103_000_i64), "2024-01-15T10:30:00"),
            (json!("20240115"), "2024-01-15T00:00:00"),
            (json!(1_722_255_630_000_i64), "2024-07-29T12:20:30"),
            (json!("1722255630000"), "2024-07-29T12:20:30"),
        ] {
            let read = Moment::read(&written).unwrap_or_else(|| panic!("{written}"));
            assert_eq!(read.to_the_second(), expected, "{written}");
        }
    }

    #[test]
    fn what_is_no_moment_is_absent() {
        for written in [
            json!(null),
            json!(""),
            json!("ontem"),
            json!("2024-13-01"),
            json!("2024-02-30T00:00:00Z"),
            json!("2024-01-15Txx"),
            json!("2024-01-15x10:30:00"),
            json!("20241315103000"),
            json!(20_241_315_103_000_i64),
            json!(7),
            json!(1.5e12),
            json!({"date": 1}),
            json!("2024-01-1é"),
        ] {
            assert_eq!(Moment::read(&written), None, "{written}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), tail in "[TZ0-9:.+ -]{0,20}") {
            let _ = Moment::read(&json!(text));
            let _ = Moment::read(&json!(format!("2024-01-15{tail}")));
        }

        #[test]
        fn the_two_fixed_forms_agree(seconds in 0_i64..4_000_000_000) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            let iso = Moment::read(&json!(at.format("%Y-%m-%dT%H:%M:%S.000Z").to_string()));
            prop_assert!(iso.is_some());
            prop_assert_eq!(iso, Moment::read(&json!(at.format("%Y%m%d%H%M%S").to_string())));
        }
    }
}
