//! What names a request: its id, ours or the caller's, and the trace it belongs to.

use actix_web::http::header::{HeaderName, HeaderValue};

/// `X-Request-Id`, in and out.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C Trace Context.
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const LONGEST_ID: usize = 64;

/// The id of one request, kept beside it for whoever answers.
#[derive(Debug, Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's id, if it is a token of at most 64 characters; otherwise one made of `bits`, 32 hexadecimal digits.
    #[must_use]
    pub fn adopt_or_make(given: Option<&HeaderValue>, bits: impl FnOnce() -> u128) -> Self {
        match given {
            Some(value) if is_sane(value.as_bytes()) => Self(value.clone()),
            _ => Self::make(bits()),
        }
    }

    fn make(bits: u128) -> Self {
        let mut digits = [b'0'; 32];
        let mut rest = bits;
        for digit in digits.iter_mut().rev() {
            *digit = hex_digit(rest);
            rest >>= 4;
        }
        // Hexadecimal digits are always a header value; the alternative only spares a panic.
        Self(HeaderValue::from_bytes(&digits).unwrap_or_else(|_| HeaderValue::from_static("unknown")))
    }

    /// For the response's header.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// For logs and problems.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The trace id of a `traceparent`, 32 hexadecimal digits, unless the header is malformed or names no trace. Versions after 00
/// may append fields.
#[must_use]
pub fn trace_id(traceparent: Option<&HeaderValue>) -> Option<&str> {
    let text = traceparent?.to_str().ok()?;
    let mut fields = text.trim().split('-');
    let [version, trace, parent, flags] = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
    let is_hex = |field: &str, length: usize| {
        field.len() == length && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let whole = is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    let is_named = |field: &str| field.bytes().any(|byte| byte != b'0');
    let ends_well = version != "ff" && (version != "00" || fields.next().is_none());
    (whole && ends_well && is_named(trace) && is_named(parent)).then_some(trace)
}

fn is_sane(id: &[u8]) -> bool {
    (1..=LONGEST_ID).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
}

fn hex_digit(bits: u128) -> u8 {
    let nibble = u8::try_from(bits & 0xf).unwrap_or_default();
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adopted(given: &str) -> String {
        let given = HeaderValue::from_bytes(given.as_bytes()).unwrap();
        RequestId::adopt_or_make(Some(&given), || 0x1f).as_str().to_owned()
    }

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        let made = format!("{:032x}", 0x1f);
        for kept in ["a", "8a4e-1.2_3:4", &"x".repeat(64)] {
            assert_eq!(adopted(kept), kept);
        }
        for replaced in ["", "a b", "a\tb", "<script>", "é", &"x".repeat(65)] {
            assert_eq!(adopted(replaced), made, "{replaced}");
        }
        assert_eq!(RequestId::adopt_or_make(None, || u128::MAX).as_str(), "f".repeat(32));
    }

    #[test]
    fn a_trace_is_known_by_its_id() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let of = |text: &str| trace_id(Some(&HeaderValue::from_str(text).unwrap())).map(str::to_owned);
        assert_eq!(of(&format!("00-{trace}-00f067aa0ba902b7-01")).as_deref(), Some(trace));
        assert_eq!(of(&format!("01-{trace}-00f067aa0ba902b7-01-more")).as_deref(), Some(trace));
        for broken in [
            String::new(),
            format!("00-{trace}-00f067aa0ba902b7"),
            format!("00-{trace}-00f067aa0ba902b7-01-more"),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
        ] {
            assert_eq!(of(&broken), None, "{broken}");
        }
        assert_eq!(trace_id(None), None);
    }
}
