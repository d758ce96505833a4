//! What the vendor's answers mean: the one table from a status and a body to a [`Failure`] and its policy.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::wire::ErrorBody;
use crate::domain::fold::fold;
use crate::fetcher::messages::Failure;

/// Advice to come back later than this is cut to it: a mistake in a header must not stop a process from ever being asked again.
const LONGEST_ADVICE: Duration = Duration::from_secs(24 * 60 * 60);

/// What an answer's status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its body is what was asked for.
    Usable,
    /// The vendor says that there is no such thing.
    Absent,
    /// Anything else.
    Failed(Setback),
}

/// One failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setback {
    /// What it is to those who asked.
    pub(super) failure: Failure,
    /// When the vendor, or our own limiter, would have us come back.
    pub(super) retry_after: Option<Duration>,
    /// Whether the same request may be sent again.
    pub(super) repeat: Repeat,
}

/// Whether a request may be repeated. All requests are reads; what speaks against a repetition is money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// The answer did not come to be, so nothing was charged: up to the most attempts.
    Freely,
    /// The vendor may have charged for an answer that did not reach us whole: once more, no oftener.
    Once,
    /// The same request would get the same answer.
    Never,
}

impl Setback {
    /// A failure of the way to the vendor or back.
    pub(super) fn of(failure: Failure, repeat: Repeat) -> Self {
        Self { failure, retry_after: None, repeat }
    }

    /// An answer whose shape we cannot read: it would come again as it is.
    pub(super) fn unreadable() -> Self {
        Self::of(Failure::Unreadable, Repeat::Never)
    }

    /// An answer that broke off.
    pub(super) fn cut_off() -> Self {
        Self::of(Failure::Unreadable, Repeat::Once)
    }

    /// No answer in time.
    pub(super) fn timed_out() -> Self {
        Self::of(Failure::TimedOut, Repeat::Once)
    }
}

/// Reads a status with the body that came with it (as much of it as there was).
///
/// * 404 counts as absent with the vendor's JSON or without a word; a page of a proxy or of a wrong address answers 404 too, and
///   would make every process look unknown.
/// * A redirect is unreadable: the API documents none, following one could carry the key elsewhere, and asking again would get it again.
/// * 408 and 425 are the server's troubles, not the request's.
pub(super) fn judge(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Verdict {
    let (failure, repeat) = match status {
        200..=299 => return Verdict::Usable,
        404 if body.is_empty() || ErrorBody::decode(body).is_some() => return Verdict::Absent,
        401 => (Failure::Unauthorized, Repeat::Never),
        402 => (Failure::NoCredit, Repeat::Never),
        403 if speaks_of_balance(body) => (Failure::NoCredit, Repeat::Never),
        403 => (Failure::Unauthorized, Repeat::Never),
        408 | 425 | 500..=599 => (Failure::ServerError, Repeat::Freely),
        429 => (Failure::RateLimited, Repeat::Freely),
        400..=403 | 405..=499 => (Failure::Refused, Repeat::Never),
        _ => (Failure::Unreadable, Repeat::Never),
    };
    Verdict::Failed(Setback { failure, retry_after, repeat })
}

/// A blocked account answers 403 "Seu saldo está bloqueado" (measured by a third party, undocumented).
fn speaks_of_balance(body: &[u8]) -> bool {
    ErrorBody::decode(body).and_then(|error| error.text).is_some_and(|text| fold(&text).contains("saldo"))
}

/// Reads a `Retry-After`: whole seconds or an HTTP date, counted from `now`; a date gone by is no wait.
pub(super) fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let header = header.trim();
    let wait = match header.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_not_seconds) => {
            let date = DateTime::<Utc>::from(httpdate::parse_http_date(header).ok()?);
            (date - now).to_std().unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST_ADVICE))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn each_answer_has_one_meaning() {
        use Repeat::{Freely, Never};
        let table: [(u16, &str, Failure, Repeat); 23] = [
            (401, r#"{"error":"Unauthenticated"}"#, Failure::Unauthorized, Never),
            (402, r#"{"error":"Você não possui saldo em crédito da API."}"#, Failure::NoCredit, Never),
            (403, r#"{"message":"Seu saldo está bloqueado"}"#, Failure::NoCredit, Never),
            (403, r#"{"message":"SALDO BLOQUEADO"}"#, Failure::NoCredit, Never),
            (403, r#"{"message":"Forbidden"}"#, Failure::Unauthorized, Never),
            (403, "<html>saldo</html>", Failure::Unauthorized, Never),
            (404, "<html>Not Found</html>", Failure::Unreadable, Never),
            (422, r#"{"code":"NUMERO_CNJ_INVALIDO","message":"O número","errors":null}"#, Failure::Refused, Never),
            (422, r#"{"code":"UNPROCESSABLE_ENTITY","message":"Não","errors":[]}"#, Failure::Refused, Never),
            (422, "", Failure::Refused, Never),
            (400, "", Failure::Refused, Never),
            (405, "", Failure::Refused, Never),
            (408, "", Failure::ServerError, Freely),
            (425, "", Failure::ServerError, Freely),
            (429, "", Failure::RateLimited, Freely),
            (429, "<html>", Failure::RateLimited, Freely),
            (500, "<html>", Failure::ServerError, Freely),
            (503, r#"{"message":"Service Unavailable"}"#, Failure::ServerError, Freely),
            (599, "", Failure::ServerError, Freely),
            (302, "", Failure::Unreadable, Never),
            (304, "", Failure::Unreadable, Never),
            (101, "", Failure::Unreadable, Never),
            (999, "", Failure::Unreadable, Never),
        ];
        for (status, body, failure, repeat) in table {
            let expected = Verdict::Failed(Setback::of(failure, repeat));
            assert_eq!(judge(status, None, body.as_bytes()), expected, "{status} {body}");
        }
        for status in [200, 201, 204] {
            assert_eq!(judge(status, None, b""), Verdict::Usable);
        }
        assert_eq!(judge(404, None, br#"{"error":"NotFound"}"#), Verdict::Absent);
        assert_eq!(judge(404, None, b""), Verdict::Absent);
        let second_shape = r#"{"code":"NOT_FOUND","message":"Recurso não encontrado","errors":null,"appends":null}"#;
        assert_eq!(judge(404, None, second_shape.as_bytes()), Verdict::Absent);
    }

    #[test]
    fn advice_comes_in_seconds_or_as_a_date() {
        let now = Utc.with_ymd_and_hms(2026, 8, 21, 12, 0, 0).unwrap();
        let seconds = |text: &str| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("30"), Some(30));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Fri, 21 Aug 2026 12:01:30 GMT"), Some(90));
        assert_eq!(seconds("Fri, 21 Aug 2026 11:00:00 GMT"), Some(0));
        assert_eq!(seconds("99999999999"), Some(LONGEST_ADVICE.as_secs()));
        for nonsense in ["", "-1", "soon", "1.5", "2026-08-21", "99999999999999999999999"] {
            assert_eq!(seconds(nonsense), None, "{nonsense:?}");
        }
    }
}
