//! A whole body, understood.

use serde_json::Value;

use super::outcome::Setback;
use super::wire::WrongShape;

/// Bytes of JSON that are read in a few milliseconds.
const READ_IN_PLACE: usize = 512 * 1024;

/// Reads a whole body, a large one beside the arbiter: the other fetches, and the heartbeat, go on meanwhile.
pub(super) async fn understand_beside<T: Send + 'static>(
    body: Vec<u8>,
    decode: fn(Value) -> Result<T, WrongShape>,
) -> Result<(T, String), Setback> {
    if body.len() <= READ_IN_PLACE {
        return understand(body, decode);
    }
    tokio::task::spawn_blocking(move || understand(body, decode))
        .await
        .unwrap_or_else(|_panic| Err(Setback::unreadable()))
}

/// Reads a whole body. One that ends too early may come whole the next time; one of another form would come again.
fn understand<T>(body: Vec<u8>, decode: fn(Value) -> Result<T, WrongShape>) -> Result<(T, String), Setback> {
    let raw = String::from_utf8(body).map_err(|_not_text| Setback::unreadable())?;
    let value: Value = serde_json::from_str(&raw)
        .map_err(|error| if error.is_eof() { Setback::cut_off() } else { Setback::unreadable() })?;
    let content = decode(value).map_err(|WrongShape| Setback::unreadable())?;
    Ok((content, raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetcher::escavador::outcome::Repeat;

    #[test]
    fn a_body_that_ends_early_is_told_from_one_of_another_form() {
        let repeat = |body: &[u8]| understand(body.to_vec(), Ok::<Value, WrongShape>).unwrap_err().repeat;
        assert_eq!(repeat(br#"{"items":[{"id":1,"#), Repeat::Once);
        assert_eq!(repeat(b""), Repeat::Once);
        assert_eq!(repeat(b"<html>"), Repeat::Never);
        assert_eq!(repeat(b"{\"a\":\"\xff\"}"), Repeat::Never);
        assert_eq!(understand(b"{}".to_vec(), |_| Err::<(), _>(WrongShape)).unwrap_err().repeat, Repeat::Never);
    }
}
