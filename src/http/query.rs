//! Percent-encoded text, decoded without ever failing: whatever a client sends is text that a check downstream can refuse.

use std::borrow::Cow;

/// The pairs of a query string, in order. A pair without `=` has an empty value; empty pairs (`a=1&&b=2`) are skipped.
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode_form(name), decode_form(value))
    })
}

/// Decodes one path segment. A `%` that starts no escape stays as it is; bytes that are no UTF-8 become U+FFFD.
#[must_use]
pub fn decode_segment(text: &str) -> Cow<'_, str> {
    decode(text, false)
}

/// As a path segment, and `+` is a blank.
fn decode_form(text: &str) -> Cow<'_, str> {
    decode(text, true)
}

fn decode(text: &str, plus_is_blank: bool) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || (plus_is_blank && byte == b'+')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => break,
            [b'%', high, low, tail @ ..] if let (Some(high), Some(low)) = (nibble(*high), nibble(*low)) => {
                decoded.push(high << 4 | low);
                tail
            }
            [b'+', tail @ ..] if plus_is_blank => {
                decoded.push(b' ');
                tail
            }
            [byte, tail @ ..] => {
                decoded.push(*byte);
                tail
            }
        };
    }
    Cow::Owned(match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn segments_decode_and_nothing_is_refused() {
        for (given, decoded) in [
            ("0000", "0000"),
            ("a%2Fb", "a/b"),
            ("%2541", "%41"),
            ("a+b", "a+b"),
            ("%00", "\0"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%c3%a7", "ç"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(decode_segment(given), decoded, "{given}");
        }
    }

    #[test]
    fn pairs_come_in_order_with_blanks_decoded() {
        let found: Vec<_> = pairs("a=1&&b=x+y%2B&c&=z&d=1=2").collect();
        let expected = [("a", "1"), ("b", "x y+"), ("c", ""), ("", "z"), ("d", "1=2")];
        assert_eq!(found, expected.map(|(name, value)| (Cow::from(name), Cow::from(value))));
    }

    proptest! {
        #[test]
        fn encoded_text_comes_back(text in any::<String>()) {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decode_segment(&encoded), text);
        }
    }
}
