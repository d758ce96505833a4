//! What the vendor's answers mean: the one table from a status and a body to a [`Failure`] and its policy.

use std::time::Duration;

use super::wire::ErrorBody;
use crate::domain::fold::fold;
use crate::fetcher::messages::Failure;
use crate::fetcher::prices::is_lost_on_the_way;
use crate::fetcher::setback::{Repeat, Setback};

/// What an answer's status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its body is what was asked for.
    Usable,
    /// The vendor says that there is no such thing.
    Absent,
    /// The vendor has an earlier update request of this process open, or a monitor of it.
    Busy,
    /// Anything else.
    Failed(Setback),
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
        422 if speaks_of_an_earlier_one(body) => return Verdict::Busy,
        401 => (Failure::Unauthorized, Repeat::Never),
        402 => (Failure::NoCredit, Repeat::Never),
        403 if speaks_of_balance(body) => (Failure::NoCredit, Repeat::Never),
        403 => (Failure::Unauthorized, Repeat::Never),
        _ if is_lost_on_the_way(status) => (Failure::ServerError, Repeat::Once),
        425 | 500..=599 => (Failure::ServerError, Repeat::Freely),
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

/// "Esse processo já está sendo atualizado." is documented inside the batch route's errors; that the single route answers alike is a
/// guess of the facts. "Você já monitora este termo" is what version 1 says to a second monitor; that version 2 says the like of a
/// process is another.
fn speaks_of_an_earlier_one(body: &[u8]) -> bool {
    ErrorBody::decode(body).and_then(|error| error.text).is_some_and(|text| {
        let text = fold(&text);
        text.contains("ja esta sendo atualizado") || text.contains("ja monitora")
    })
}

/// A hundred thousand reais: no request costs more, and sums of what is below never leave the database's range.
const DEAREST: u64 = 10_000_000;

/// Reads an amount: documented as an integer in centavos; a fraction is rounded up, so that we never think we spent less. What cannot be
/// a price is none.
pub(super) fn centavos(text: &str) -> Option<u64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let whole: u64 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount = whole.checked_add(u64::from(fraction.bytes().any(|byte| byte != b'0')));
    amount.filter(|amount| *amount <= DEAREST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_one_meaning() {
        use Repeat::{Freely, Never, Once};
        let table: [(u16, &str, Failure, Repeat); 25] = [
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
            (408, "", Failure::ServerError, Once),
            (502, "<html>", Failure::ServerError, Once),
            (524, "", Failure::ServerError, Once),
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
    fn an_open_update_is_told_from_a_refusal() {
        let busy =
            r#"{"code":"UNPROCESSABLE_ENTITY","message":"Esse processo já está sendo atualizado.","appends":{}}"#;
        assert_eq!(judge(422, None, busy.as_bytes()), Verdict::Busy);
        for monitored in ["Você já monitora este termo", "Você já monitora este processo"] {
            let body = format!(r#"{{"message":"{monitored}"}}"#);
            assert_eq!(judge(422, None, body.as_bytes()), Verdict::Busy);
        }
    }

    #[test]
    fn amounts_are_read_leniently() {
        for (text, cost) in [("300", 300), (" 5 ", 5), ("0", 0), ("299.01", 300), ("12.0", 12), ("7,5", 8)] {
            assert_eq!(centavos(text), Some(cost), "{text:?}");
        }
        for text in [
            "",
            "-5",
            "free",
            "R$ 3,00",
            "1.x",
            "99999999999999999999",
            "18446744073709551615.1",
            "10000001",
            "9223372036854775807",
        ] {
            assert_eq!(centavos(text), None, "{text:?}");
        }
    }
}
