//! A whole body, understood.

use reqwest::Response;
use serde_json::Value;

use super::lenient::WrongShape;
use super::transport::{Broken, read_body};

/// Bytes of JSON that are read in a few milliseconds.
const READ_IN_PLACE: usize = 512 * 1024;

/// Why a body is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoilt {
    /// It ends too early; the next one may be whole.
    EndsEarly,
    /// It is too large, or of another form; it would come again as it is.
    OtherForm,
}

/// Reads a body of `cap` bytes at the most, a large one beside the arbiter: the other fetches, and the heartbeat, go on meanwhile. Gives
/// what it says and its text.
///
/// # Errors
/// [`Spoilt`].
pub(super) async fn read_json<T: Send + 'static>(
    response: Response,
    cap: usize,
    decode: fn(Value) -> Result<T, WrongShape>,
) -> Result<(T, String), Spoilt> {
    let body = read_body(response, cap).await.map_err(|(_part, broken)| match broken {
        Broken::TooLarge => Spoilt::OtherForm,
        Broken::CutOff => Spoilt::EndsEarly,
    })?;
    if body.len() <= READ_IN_PLACE {
        return understand(body, decode);
    }
    let read = tokio::task::spawn_blocking(move || understand(body, decode)).await;
    read.unwrap_or(Err(Spoilt::OtherForm))
}

fn understand<T>(body: Vec<u8>, decode: fn(Value) -> Result<T, WrongShape>) -> Result<(T, String), Spoilt> {
    let value: Value = serde_json::from_slice(&body)
        .map_err(|error| if error.is_eof() { Spoilt::EndsEarly } else { Spoilt::OtherForm })?;
    let content = decode(value).map_err(|WrongShape| Spoilt::OtherForm)?;
    let text = String::from_utf8(body).map_err(|_not_text| Spoilt::OtherForm)?;
    Ok((content, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_ends_early_is_told_from_one_of_another_form() {
        let spoilt = |body: &[u8]| understand(body.to_vec(), Ok::<Value, WrongShape>).unwrap_err();
        for early in [&br#"{"items":[{"id":1,"#[..], br#"{"hits":{"hits":[{"_id""#, b"{\"a\":\"\xc3", b""] {
            assert_eq!(spoilt(early), Spoilt::EndsEarly, "{early:?}");
        }
        for other in [&b"<html>"[..], b"{\"a\":\"\xff\"}"] {
            assert_eq!(spoilt(other), Spoilt::OtherForm, "{other:?}");
        }
        assert_eq!(understand(b"{}".to_vec(), |_| Err::<(), _>(WrongShape)), Err(Spoilt::OtherForm));
        assert_eq!(understand(b"{}".to_vec(), Ok).unwrap().1, "{}");
    }
}
