//! What DataJud's answers mean: the one table from a status and a body to a [`Failure`], and whether the same is asked again. Pure.

use std::time::Duration;

use super::wire::ErrorBody;
use crate::fetcher::messages::Failure;
use crate::fetcher::setback::Setback;

/// What an answer's status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its body is what was asked for.
    Usable,
    /// There is no such index, or it is closed to the public.
    NoSuchIndex,
    /// Anything else.
    Failed(Setback),
}

/// Reads a status with the body that came with it (as much of it as there was).
///
/// * 401 is the only word about the key. 403 is about the index: what is not public, and perhaps an unknown name, which others answer
///   with 404.
/// * Both count as "no such index" with the service's JSON or without a word; a page of a proxy, a firewall or a wrong address
///   is none of its answers.
/// * 504 comes from the gateway after a minute: whoever asks again adds to the load that caused it. 429 passes in a moment.
pub(super) fn judge(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Verdict {
    let by_the_service = body.is_empty() || ErrorBody::decode(body).is_some();
    let setback = match status {
        200..=299 => return Verdict::Usable,
        403 | 404 if by_the_service => return Verdict::NoSuchIndex,
        401 => Setback::lasting(Failure::Unauthorized),
        429 => Setback::passing(Failure::RateLimited),
        504 => Setback::lasting(Failure::ServerError),
        408 | 425 | 500..=599 => Setback::passing(Failure::ServerError),
        400 | 402 | 405..=499 => Setback::lasting(Failure::Refused),
        _ => Setback::lasting(Failure::Unreadable),
    };
    Verdict::Failed(Setback { retry_after, ..setback })
}

/// A 200 that did not ask the whole index: it says nothing about what is missing, least of all that there is no such process.
pub(super) const fn partial(timed_out: bool) -> Setback {
    if timed_out { Setback::lasting(Failure::TimedOut) } else { Setback::passing(Failure::ServerError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECURITY: &str = r#"{"error":{"type":"security_exception","reason":"x"},"status":403}"#;

    #[test]
    fn each_answer_has_one_meaning() {
        use Failure::{RateLimited, Refused, ServerError, Unauthorized, Unreadable};
        for (status, body, failure, passes) in [
            (401, SECURITY, Unauthorized, false),
            (401, "", Unauthorized, false),
            (400, r#"{"error":{"type":"parsing_exception"},"status":400}"#, Refused, false),
            (402, "", Refused, false),
            (403, "<html>blocked</html>", Unreadable, false),
            (404, "<html>Not Found</html>", Unreadable, false),
            (405, "", Refused, false),
            (413, "", Refused, false),
            (422, "", Refused, false),
            (408, "", ServerError, true),
            (425, "", ServerError, true),
            (429, r#"{"error":{"type":"es_rejected_execution_exception"},"status":429}"#, RateLimited, true),
            (429, "<html>", RateLimited, true),
            (500, "", ServerError, true),
            (502, "<html>Bad Gateway</html>", ServerError, true),
            (503, SECURITY, ServerError, true),
            (504, "<html>Gateway Time-out</html>", ServerError, false),
            (504, "upstream request timeout", ServerError, false),
            (302, "", Unreadable, false),
            (101, "", Unreadable, false),
            (999, "", Unreadable, false),
        ] {
            let setback = if passes { Setback::passing(failure) } else { Setback::lasting(failure) };
            let expected = Verdict::Failed(setback);
            assert_eq!(judge(status, None, body.as_bytes()), expected, "{status} {body}");
        }
        for status in [200, 201, 299] {
            assert_eq!(judge(status, None, b""), Verdict::Usable);
        }
        let no_index = r#"{"error":{"type":"index_not_found_exception"},"status":404}"#;
        for (status, body) in [(403, SECURITY), (403, ""), (404, no_index), (404, ""), (403, r#"{"message":"no"}"#)] {
            assert_eq!(judge(status, None, body.as_bytes()), Verdict::NoSuchIndex, "{status} {body}");
        }
    }
}
