//! What tells one callback's content from another's. Pure.
//!
//! The vendor delivers one callback up to eleven times, and each delivery may have a `uuid` of its own (measured by a third party); its
//! list spells the same content with other spaces and orders. So the content is hashed in one spelling, without the `uuid`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The hash of an object's canonical spelling: sorted keys, no insignificant space, no `uuid` at the top.
#[must_use]
pub fn hash_of(content: &Map<String, Value>) -> [u8; 32] {
    let mut spelling = Vec::new();
    write_object(&mut spelling, content, |key| key != "uuid");
    hash_of_bytes(&spelling)
}

/// The hash of what is no object.
#[must_use]
pub fn hash_of_bytes(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The depth is bounded by the parser's, 128.
fn write(to: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(object) => write_object(to, object, |_| true),
        Value::Array(items) => {
            to.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    to.push(b',');
                }
                write(to, item);
            }
            to.push(b']');
        }
        scalar => to.extend_from_slice(scalar.to_string().as_bytes()),
    }
}

fn write_object(to: &mut Vec<u8>, object: &Map<String, Value>, counts: impl Fn(&str) -> bool) {
    // Sorted here and not by the map's own order, which is a feature of the library that anybody may turn off.
    let sorted: BTreeMap<&String, &Value> = object.iter().filter(|(key, _)| counts(key)).collect();
    to.push(b'{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            to.push(b',');
        }
        to.extend_from_slice(Value::from(key.as_str()).to_string().as_bytes());
        to.push(b':');
        write(to, value);
    }
    to.push(b'}');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash(text: &str) -> [u8; 32] {
        hash_of(serde_json::from_str::<Value>(text).unwrap().as_object().unwrap())
    }

    #[test]
    fn spelling_order_and_uuid_do_not_count() {
        let one = hash(r#"{"event":"x","m":{"b":[1,"ç"],"a":null},"uuid":"1"}"#);
        for same in [
            r#"{"event":"x","m":{"a":null,"b":[1,"ç"]}}"#,
            "{ \"uuid\": \"another\",\n \"m\": {\"b\": [1, \"\\u00e7\"], \"a\": null}, \"event\": \"x\" }",
            r#"{"event":"x","m":{"b":[1,"ç"],"a":null},"uuid":null}"#,
        ] {
            assert_eq!(hash(same), one, "{same}");
        }
    }

    #[test]
    fn everything_else_counts() {
        let one = hash(r#"{"event":"x","m":{"a":1,"uuid":"1"},"l":[1,2]}"#);
        for other in [
            r#"{"event":"y","m":{"a":1,"uuid":"1"},"l":[1,2]}"#,
            r#"{"event":"x","m":{"a":"1","uuid":"1"},"l":[1,2]}"#,
            r#"{"event":"x","m":{"a":1,"uuid":"2"},"l":[1,2]}"#,
            r#"{"event":"x","m":{"a":1,"uuid":"1"},"l":[2,1]}"#,
            r#"{"event":"x","m":{"a":1,"uuid":"1"},"l":[12]}"#,
            r#"{"event":"x","m":{"a":1,"uuid":"1"},"l":[1,2],"n":null}"#,
        ] {
            assert_ne!(hash(other), one, "{other}");
        }
    }

    proptest! {
        #[test]
        fn the_spelling_is_json_of_the_same_content(keys in prop::collection::btree_map(".{0,5}", any::<i64>(), 0..6)) {
            let object: Map<String, Value> = keys.into_iter().map(|(key, value)| (key, value.into())).collect();
            let mut spelling = Vec::new();
            write_object(&mut spelling, &object, |_| true);
            prop_assert_eq!(serde_json::from_slice::<Value>(&spelling).unwrap(), Value::Object(object));
        }
    }
}
