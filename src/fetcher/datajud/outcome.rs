//! What DataJud's answers mean: the one table from a status and a body to a [`Failure`], and whether the same is asked again. Pure.

use std::time::Duration;

use super::wire::ErrorBody;
use crate::fetcher::account::Refusal;
use crate::fetcher::messages::Failure;
use crate::ledger::call::CallOutcome;
use crate::resilience::backoff::Backoff;

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

/// One failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setback {
    /// What it is to those who asked.
    pub(super) failure: Failure,
    /// When the service, or our own account, would have us come back.
    pub(super) retry_after: Option<Duration>,
    /// Whether the same request may be sent again at once.
    pub(super) repeat: bool,
}

impl Setback {
    /// A failure that would come again.
    pub(super) const fn lasting(failure: Failure) -> Self {
        Self { failure, retry_after: None, repeat: false }
    }

    /// A failure that may pass in a moment. The service is free, so money does not speak against a repetition.
    pub(super) const fn passing(failure: Failure) -> Self {
        Self { failure, retry_after: None, repeat: true }
    }

    /// How the ledger calls it.
    pub(super) fn call(self) -> CallOutcome {
        match self.failure {
            Failure::Unauthorized => CallOutcome::Unauthorized,
            Failure::NoCredit => CallOutcome::NoCredit,
            Failure::Refused => CallOutcome::Refused,
            Failure::RateLimited => CallOutcome::RateLimited,
            Failure::ServerError => CallOutcome::ServerError,
            Failure::TimedOut => CallOutcome::TimedOut,
            Failure::Unreadable | Failure::EndlessPages => CallOutcome::Unreadable,
            // The last two are found out before anything is sent.
            Failure::Unreachable | Failure::NoProvider | Failure::BudgetExhausted => CallOutcome::Unreachable,
        }
    }
}

impl From<Refusal> for Setback {
    fn from(refusal: Refusal) -> Self {
        Self { failure: refusal.failure, retry_after: refusal.retry_after, repeat: false }
    }
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

/// When the same request is sent again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Tries, the first included.
    pub(super) max_attempts: u32,
    /// The pauses between them.
    pub(super) backoff: Backoff,
    /// The longest a `Retry-After` is waited for; a longer one ends the fetch and is passed on.
    pub(super) longest_wait: Duration,
}

impl Patience {
    /// The pause before the next try after `failed` of them, the last with `setback`; `None`: give up. `remaining` is what is left
    /// until the deadline, `fraction` the jitter.
    pub(super) fn pause(&self, failed: u32, setback: &Setback, remaining: Duration, fraction: f64) -> Option<Duration> {
        let advice = setback.retry_after.unwrap_or(Duration::ZERO);
        if !setback.repeat || failed >= self.max_attempts || advice > self.longest_wait {
            return None;
        }
        // Jitter on top of the advice, or all who were refused together would come back together.
        let pause = advice.saturating_add(self.backoff.delay(failed.saturating_sub(1), fraction));
        (pause < remaining).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECURITY: &str = r#"{"error":{"type":"security_exception","reason":"x"},"status":403}"#;

    #[test]
    fn each_answer_has_one_meaning() {
        use Failure::{RateLimited, Refused, ServerError, Unauthorized, Unreadable};
        for (status, body, failure, repeat) in [
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
            let expected = Verdict::Failed(Setback { failure, retry_after: None, repeat });
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

    #[test]
    fn every_failure_has_its_word_in_the_ledger() {
        use CallOutcome as Call;
        for (failure, call) in [
            (Failure::Unauthorized, Call::Unauthorized),
            (Failure::NoCredit, Call::NoCredit),
            (Failure::Refused, Call::Refused),
            (Failure::RateLimited, Call::RateLimited),
            (Failure::ServerError, Call::ServerError),
            (Failure::TimedOut, Call::TimedOut),
            (Failure::Unreadable, Call::Unreadable),
            (Failure::EndlessPages, Call::Unreadable),
            (Failure::Unreachable, Call::Unreachable),
        ] {
            assert_eq!(Setback::lasting(failure).call(), call, "{failure}");
        }
    }

    #[test]
    fn what_passes_is_asked_again_within_its_bounds() {
        let patience = Patience {
            max_attempts: 2,
            backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(2), ..Backoff::default() },
            longest_wait: Duration::from_secs(3),
        };
        let long = Duration::from_secs(60);
        let advised = |seconds| Setback {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Setback::passing(Failure::RateLimited)
        };
        let passing = Setback::passing(Failure::ServerError);
        assert_eq!(patience.pause(1, &passing, long, 0.5), Some(Duration::from_millis(500)));
        assert_eq!(patience.pause(2, &passing, long, 0.5), None, "tries are counted");
        assert_eq!(patience.pause(1, &Setback::lasting(Failure::ServerError), long, 0.5), None);
        assert_eq!(patience.pause(1, &advised(2), long, 0.5), Some(Duration::from_millis(2_500)));
        assert_eq!(patience.pause(1, &advised(4), long, 0.5), None, "long advice is passed on");
        assert_eq!(patience.pause(1, &advised(2), Duration::from_secs(2), 0.5), None, "nobody waits that long");
    }
}
