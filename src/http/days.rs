//! Which days a report is about: `day`, or `from` and `to`, or `period`.
//!
//! Unlike in the reads, a parameter that nobody knows is refused: whoever mistypes `form=` would take the report of two days for
//! that of a month.

use super::params::{ParamError, once, parse_day};
use super::query::pairs;
use crate::ledger::report::Days;

/// Days of the longest report, both ends included: a year and a month, so that a year can be compared with itself.
pub const LONGEST: i64 = 400;

/// Reads the parameters. None of them: yesterday and today.
///
/// # Errors
/// The first parameter that is not allowed.
pub fn read(query: &str) -> Result<Days, ParamError> {
    let [mut day, mut from, mut to, mut period] = [const { None }; 4];
    for (name, value) in pairs(query) {
        match name.as_ref() {
            "day" => once("day", &mut day, value)?,
            "from" => once("from", &mut from, value)?,
            "to" => once("to", &mut to, value)?,
            "period" => once("period", &mut period, value)?,
            unknown => return Err(ParamError::unknown(unknown, "\"day\", \"from\" e \"to\", ou \"period\"")),
        }
    }
    match (day, from, to, period) {
        (None, None, None, None) => Ok(Days::Recent),
        (Some(day), None, None, None) => named(&day),
        (None, Some(from), Some(to), None) => range(&from, &to),
        (None, None, None, Some(period)) => match period.as_ref() {
            "month" => Ok(Days::Month),
            other => Err(ParamError::value("period", other, "month (o mês até hoje)")),
        },
        (None, Some(_), None, None) => Err(ParamError::Incomplete { name: "from", missing: "to" }),
        (None, None, Some(_), None) => Err(ParamError::Incomplete { name: "to", missing: "from" }),
        (Some(_), ..) => Err(ParamError::Alone { name: "day" }),
        (None, .., Some(_)) => Err(ParamError::Alone { name: "period" }),
    }
}

fn named(given: &str) -> Result<Days, ParamError> {
    match given {
        "yesterday" => Ok(Days::Yesterday),
        "today" => Ok(Days::Today),
        _ => {
            let day = parse_day("day", given).map_err(|_refused| {
                ParamError::value("day", given, "yesterday, today ou um dia que exista, no formato AAAA-MM-DD")
            })?;
            Ok(Days::Range(day, day))
        }
    }
}

fn range(from: &str, given: &str) -> Result<Days, ParamError> {
    let (from, to) = (parse_day("from", from)?, parse_day("to", given)?);
    if to < from {
        return Err(ParamError::value("to", given, format!("um dia igual ou posterior a \"from\" ({from})")));
    }
    let days = (to - from).num_days() + 1;
    if days > LONGEST {
        let allowed =
            format!("um período de no máximo {LONGEST} dias a partir de \"from\" ({from}); o pedido tem {days}");
        return Err(ParamError::value("to", given, allowed));
    }
    Ok(Days::Range(from, to))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_is_understood() {
        let (first, last) = (day("2025-01-01"), day("2026-02-04"));
        for (query, days) in [
            ("", Days::Recent),
            ("&", Days::Recent),
            ("day=yesterday", Days::Yesterday),
            ("day=today", Days::Today),
            ("day=2024-02-29", Days::Range(day("2024-02-29"), day("2024-02-29"))),
            ("from=2025-01-01&to=2025-01-01", Days::Range(first, first)),
            ("to=2026-02-04&from=2025-01-01", Days::Range(first, last)),
            ("period=month", Days::Month),
        ] {
            assert_eq!(read(query), Ok(days), "{query}");
        }
    }

    #[test]
    fn every_mistake_is_named() {
        for (query, told) in [
            (
                "day=ontem",
                "O parâmetro \"day\" recebeu \"ontem\"; use yesterday, today ou um dia que exista, no formato AAAA-MM-DD.",
            ),
            (
                "day=2025-02-29",
                "O parâmetro \"day\" recebeu \"2025-02-29\"; use yesterday, today ou um dia que exista, no formato AAAA-MM-DD.",
            ),
            (
                "day=",
                "O parâmetro \"day\" recebeu \"\"; use yesterday, today ou um dia que exista, no formato AAAA-MM-DD.",
            ),
            (
                "from=2025-13-01&to=2025-01-01",
                "O parâmetro \"from\" recebeu \"2025-13-01\"; use um dia que exista, no formato AAAA-MM-DD.",
            ),
            (
                "from=2025-01-02&to=2025-01-01",
                "O parâmetro \"to\" recebeu \"2025-01-01\"; use um dia igual ou posterior a \"from\" (2025-01-02).",
            ),
            (
                "from=2025-01-01&to=2026-02-05",
                "O parâmetro \"to\" recebeu \"2026-02-05\"; use um período de no máximo 400 dias a partir de \"from\" (2025-01-01); o pedido tem 401.",
            ),
            ("from=2025-01-01", "O parâmetro \"from\" só vale junto com \"to\"; envie os dois."),
            ("to=2025-01-01", "O parâmetro \"to\" só vale junto com \"from\"; envie os dois."),
            ("day=today&from=2025-01-01", "O parâmetro \"day\" não se combina com outros; envie-o sozinho."),
            ("period=month&day=today", "O parâmetro \"day\" não se combina com outros; envie-o sozinho."),
            ("period=month&to=2025-01-01", "O parâmetro \"period\" não se combina com outros; envie-o sozinho."),
            ("period=year", "O parâmetro \"period\" recebeu \"year\"; use month (o mês até hoje)."),
            ("day=today&day=today", "O parâmetro \"day\" foi enviado mais de uma vez; envie-o uma única vez."),
            ("form=2025-01-01", "O parâmetro \"form\" não existe aqui; use \"day\", \"from\" e \"to\", ou \"period\"."),
        ] {
            assert_eq!(read(query).expect_err(query).detail_pt(), told);
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in any::<String>(), name in "day|from|to|period", value in any::<String>()) {
            let _ = read(&query);
            let _ = read(&format!("{name}={value}"));
        }
    }
}
