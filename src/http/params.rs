//! Query parameters of the reads: what they may be, and what is said when they are not.
//!
//! Parameters that nobody here knows are ignored, as HTTP clients, proxies and link trackers append their own (`_=…`, `utm_…`)
//! and a client written for a newer version must keep working on an older one.

use std::borrow::Cow;

use chrono::NaiveDate;
use thiserror::Error;

use super::query::pairs;
use crate::domain::classify::MovementType;
use crate::domain::view::{CursorError, MAX_LIMIT, MIN_LIMIT, Order, View};

/// The most characters of a refused value that an answer repeats.
const SHOWN_CHARS: usize = 40;

/// What a reader asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadParams {
    /// The cut of the timeline.
    pub view: View,
    /// Past every copy to the vendor; may spend.
    pub force_refresh: bool,
}

/// A parameter that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParamError {
    /// Its value is none of those allowed.
    #[error("parameter {name} has a value that is not allowed")]
    Value {
        /// The parameter.
        name: &'static str,
        /// The beginning of what was given, escaped.
        given: String,
        /// What is allowed, in Portuguese.
        allowed: Cow<'static, str>,
    },
    /// It takes one value and came more than once.
    #[error("parameter {name} is repeated")]
    Repeated {
        /// The parameter.
        name: &'static str,
    },
    /// There is no such parameter, where unknown ones are not ignored.
    #[error("there is no such parameter")]
    Unknown {
        /// The beginning of its name, escaped.
        given: String,
        /// Which there are, in Portuguese.
        allowed: &'static str,
    },
    /// It came without its other half.
    #[error("parameter {name} needs {missing}")]
    Incomplete {
        /// The parameter.
        name: &'static str,
        /// The one it needs.
        missing: &'static str,
    },
    /// It came with others that contradict it.
    #[error("parameter {name} goes with no other")]
    Alone {
        /// The parameter.
        name: &'static str,
    },
}

impl ParamError {
    pub(super) fn value(name: &'static str, given: &str, allowed: impl Into<Cow<'static, str>>) -> Self {
        Self::Value { name, given: shown(given), allowed: allowed.into() }
    }

    pub(super) fn unknown(given: &str, allowed: &'static str) -> Self {
        Self::Unknown { given: shown(given), allowed }
    }

    /// One sentence in Portuguese that names the parameter, what was given and what is allowed.
    #[must_use]
    pub fn detail_pt(&self) -> String {
        match self {
            Self::Value { name, given, allowed } => {
                format!("O parâmetro \"{name}\" recebeu \"{given}\"; use {allowed}.")
            }
            Self::Repeated { name } => {
                format!("O parâmetro \"{name}\" foi enviado mais de uma vez; envie-o uma única vez.")
            }
            Self::Unknown { given, allowed } => format!("O parâmetro \"{given}\" não existe aqui; use {allowed}."),
            Self::Incomplete { name, missing } => {
                format!("O parâmetro \"{name}\" só vale junto com \"{missing}\"; envie os dois.")
            }
            Self::Alone { name } => format!("O parâmetro \"{name}\" não se combina com outros; envie-o sozinho."),
        }
    }
}

/// Reads the parameters of `detailed`.
///
/// # Errors
/// The first parameter that is not allowed.
pub fn detailed(query: &str) -> Result<ReadParams, ParamError> {
    if query.is_empty() {
        return Ok(ReadParams::default());
    }
    let mut types = Vec::new();
    let [mut limit, mut order, mut since, mut until, mut cursor, mut force] = [const { None }; 6];
    for (name, value) in pairs(query) {
        match name.as_ref() {
            "limit" => once("limit", &mut limit, value)?,
            "order" => once("order", &mut order, value)?,
            "since" => once("since", &mut since, value)?,
            "until" => once("until", &mut until, value)?,
            "cursor" => once("cursor", &mut cursor, value)?,
            FORCE_REFRESH => once(FORCE_REFRESH, &mut force, value)?,
            "type" => add_types(&mut types, &value)?,
            _ => {}
        }
    }
    let mut view = View { types, ..View::default() };
    if let Some(given) = limit {
        view.limit = parse_limit(&given)?;
    }
    if let Some(given) = order {
        view.order = parse_order(&given)?;
    }
    view.since = since.map(|given| parse_day("since", &given)).transpose()?;
    view.until = until.as_ref().map(|given| parse_day("until", given)).transpose()?;
    if let (Some(first), Some(last), Some(given)) = (view.since, view.until, until)
        && first > last
    {
        return Err(ParamError::value("until", &given, format!("um dia igual ou posterior a \"since\" ({first})")));
    }
    if let Some(given) = cursor {
        // Last, because a cursor belongs to the filters it was issued with.
        view.follow(&given).map_err(|error| ParamError::value("cursor", &given, cursor_advice(error)))?;
    }
    Ok(ReadParams { view, force_refresh: parse_force(force)? })
}

/// Reads the parameters of `summary`: only `force_refresh` means something there.
///
/// # Errors
/// When `force_refresh` is not allowed.
pub fn summary(query: &str) -> Result<bool, ParamError> {
    let mut force = None;
    for (name, value) in pairs(query) {
        if name == FORCE_REFRESH {
            once(FORCE_REFRESH, &mut force, value)?;
        }
    }
    parse_force(force)
}

const FORCE_REFRESH: &str = "force_refresh";

pub(super) fn once<'a>(
    name: &'static str,
    slot: &mut Option<Cow<'a, str>>,
    value: Cow<'a, str>,
) -> Result<(), ParamError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParamError::Repeated { name }),
    }
}

fn parse_limit(given: &str) -> Result<u16, ParamError> {
    Some(given)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .filter(|limit| (MIN_LIMIT..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| ParamError::value("limit", given, format!("um número inteiro de {MIN_LIMIT} a {MAX_LIMIT}")))
}

fn parse_order(given: &str) -> Result<Order, ParamError> {
    match given {
        "asc" => Ok(Order::Asc),
        "desc" => Ok(Order::Desc),
        _ => Err(ParamError::value("order", given, "asc (mais antigas primeiro) ou desc (mais recentes primeiro)")),
    }
}

pub(super) fn parse_day(name: &'static str, given: &str) -> Result<NaiveDate, ParamError> {
    let shape = given.len() == 10
        && given.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    Some(given)
        .filter(|_| shape)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ParamError::value(name, given, "um dia que exista, no formato AAAA-MM-DD"))
}

fn parse_force(given: Option<Cow<'_, str>>) -> Result<bool, ParamError> {
    match given.as_deref() {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(other) => Err(ParamError::value(FORCE_REFRESH, other, "true, false, 1 ou 0")),
    }
}

fn add_types(types: &mut Vec<MovementType>, given: &str) -> Result<(), ParamError> {
    for name in given.split(',') {
        let Some(kind) = MovementType::parse(name.trim()) else {
            let names: Vec<_> = MovementType::ALL.iter().map(|kind| kind.as_str()).collect();
            let allowed = format!("um ou mais destes tipos, separados por vírgula: {}", names.join(", "));
            return Err(ParamError::value("type", name, allowed));
        };
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    Ok(())
}

fn cursor_advice(error: CursorError) -> &'static str {
    match error {
        CursorError::Malformed => "o valor de \"next_cursor\" exatamente como veio na resposta anterior",
        CursorError::OtherFilters => {
            "este cursor com os mesmos filtros e a mesma ordem da resposta que o trouxe, ou comece de novo sem cursor"
        }
    }
}

/// The beginning of a value, with control characters, quotes and backslashes escaped.
pub(super) fn shown(given: &str) -> String {
    let mut shown: String = given.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if given.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Option<NaiveDate> {
        Some(text.parse().unwrap())
    }

    fn refused(query: &str) -> String {
        detailed(query).expect_err(query).detail_pt()
    }

    #[test]
    fn nothing_given_is_the_default_cut() {
        for query in ["", "&", "unknown=1&_=2", "limit=50", "order=desc&force_refresh=false"] {
            let params = detailed(query).unwrap();
            assert!(params.view.is_default(), "{query}");
            assert!(!params.force_refresh, "{query}");
        }
    }

    #[test]
    fn everything_given_is_understood() {
        let all = MovementType::ALL;
        let (first, second) = (all[0].as_str(), all[1].as_str());
        let query = format!(
            "limit=500&order=asc&since=2024-02-29&until=2024-02-29&force_refresh=1&type={},{second}&type={first}",
            first.to_uppercase(),
        );
        let params = detailed(&query).unwrap();
        assert!(params.force_refresh);
        let expected = View {
            limit: 500,
            order: Order::Asc,
            types: vec![all[0], all[1]],
            since: day("2024-02-29"),
            until: day("2024-02-29"),
            cursor: None,
        };
        assert_eq!(params.view, expected);
    }

    #[test]
    fn a_limit_is_an_integer_from_1_to_500() {
        for good in ["1", "50", "500"] {
            assert_eq!(detailed(&format!("limit={good}")).unwrap().view.limit.to_string(), good);
        }
        for bad in
            ["0", "501", "abc", "", "+5", "%2B5", "-1", "1e2", "1.0", "0x10", "٥", " 5", "99999999999999999999", "%00"]
        {
            let detail = refused(&format!("limit={bad}"));
            assert!(
                detail.starts_with("O parâmetro \"limit\" recebeu ") && detail.contains("1 a 500"),
                "{bad}: {detail}"
            );
        }
    }

    #[test]
    fn words_and_days_are_checked() {
        for (query, name) in [
            ("order=ASC", "order"),
            ("order=", "order"),
            ("since=2024-02-30", "since"),
            ("since=2024-2-3", "since"),
            ("since=24-02-03xx", "since"),
            ("until=hoje", "until"),
            ("since=2024-02-02&until=2024-02-01", "until"),
            ("force_refresh=yes", "force_refresh"),
            ("force_refresh", "force_refresh"),
            ("type=", "type"),
            ("type=banana", "type"),
            ("cursor=", "cursor"),
            ("cursor=%00", "cursor"),
            ("cursor=abcd", "cursor"),
        ] {
            assert!(refused(query).contains(&format!("\"{name}\"")), "{query}: {}", refused(query));
        }
    }

    #[test]
    fn a_single_value_comes_once() {
        for name in ["limit", "order", "since", "until", "cursor", "force_refresh"] {
            let error = detailed(&format!("{name}=1&{name}=1")).expect_err(name);
            assert!(matches!(error, ParamError::Repeated { name: repeated } if repeated == name), "{error:?}");
        }
        assert!(summary("force_refresh=1&force_refresh=1").is_err());
    }

    #[test]
    fn a_refused_value_is_cut_and_escaped() {
        let detail = refused(&format!("limit={}", "x".repeat(10_000)));
        assert!(detail.contains(&format!("\"{}…\"", "x".repeat(40))), "{detail}");
        assert!(refused("limit=%0A%22%00").contains(r#"\n\"\0"#));
    }

    #[test]
    fn the_summary_reads_one_parameter() {
        assert_eq!(summary("limit=abc"), Ok(false));
        assert_eq!(summary("x=1&force_refresh=true"), Ok(true));
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in any::<String>()) {
            let _ = detailed(&query);
            let _ = summary(&query);
        }

        #[test]
        fn any_value_is_read_or_named(name in "limit|order|since|until|cursor|type|force_refresh", value in any::<String>()) {
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            if let Err(error) = detailed(&format!("{name}={encoded}")) {
                prop_assert!(error.detail_pt().contains(&name));
            }
        }
    }
}
