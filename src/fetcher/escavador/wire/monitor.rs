//! A monitor, and the numbered page that lists them.

use serde::Deserialize;
use serde_json::Value;

use super::{WrongShape, lenient};
use crate::domain::cnj::Cnj;
use crate::fetcher::monitor_messages::{VendorMonitor, VendorMonitorState};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Monitor {
    #[serde(deserialize_with = "lenient::integer")]
    id: Option<i64>,
    #[serde(deserialize_with = "lenient::text")]
    numero: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    status: Option<String>,
}

/// One numbered page.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Numbered<T> {
    pub(in super::super) items: Vec<T>,
    pub(in super::super) more: bool,
}

/// Reads one monitor.
///
/// # Errors
/// [`WrongShape`] without an id: it could not be removed.
pub(in super::super) fn monitor(value: Value) -> Result<VendorMonitor, WrongShape> {
    let monitor: Monitor = serde_json::from_value(value).map_err(|_no_object| WrongShape)?;
    Ok(VendorMonitor {
        id: monitor.id.ok_or(WrongShape)?,
        cnj: monitor.numero.and_then(|number| Cnj::parse(&number).ok()),
        state: state(monitor.status.as_deref().unwrap_or_default()),
    })
}

/// Words that are not documented count as pending: it is read again.
fn state(word: &str) -> VendorMonitorState {
    match word.trim() {
        "ENCONTRADO" => VendorMonitorState::Found,
        "NAO_ENCONTRADO" | "NÃO_ENCONTRADO" => VendorMonitorState::NotFound,
        _ => VendorMonitorState::Pending,
    }
}

/// Reads a page of monitors.
///
/// # Errors
/// [`WrongShape`] without a list of items.
pub(in super::super) fn monitors(value: Value) -> Result<Numbered<VendorMonitor>, WrongShape> {
    numbered(value, |item| monitor(item).ok())
}

/// Reads a numbered page; items that `read` cannot read are left out. It says that there is more by its link, or by its count of pages.
///
/// # Errors
/// [`WrongShape`] without a list of items.
pub(in super::super) fn numbered<T>(
    mut value: Value,
    read: impl Fn(Value) -> Option<T>,
) -> Result<Numbered<T>, WrongShape> {
    let next = value.pointer("/links/next").is_some_and(|next| next.as_str().is_some_and(|next| !next.is_empty()));
    let count = |name: &str| value.pointer(name).and_then(crate::fetcher::lenient::as_integer);
    let (current, total) = (count("/paginator/current_page"), count("/paginator/total_pages"));
    let behind = current.zip(total).is_some_and(|(current, total)| current < total);
    let Some(Value::Array(items)) = value.get_mut("items").map(Value::take) else {
        return Err(WrongShape);
    };
    let any = !items.is_empty();
    Ok(Numbered { items: items.into_iter().filter_map(read).collect(), more: any && (next || behind) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::fetcher::lenient::any_json;

    #[test]
    fn the_documented_monitor_is_read() {
        let documented = json!({
            "id": 17, "numero": "5046512-94.2016.4.04.7000", "criado_em": "2024-11-19T20:35:09+00:00",
            "data_ultima_verificacao": null, "tribunais": [{"id": 50, "sigla": "TRF4"}], "frequencia": "DIARIA",
            "status": "PENDENTE",
        });
        let cnj = Cnj::parse("5046512-94.2016.4.04.7000").ok();
        assert_eq!(monitor(documented), Ok(VendorMonitor { id: 17, cnj, state: VendorMonitorState::Pending }));
        for (word, expected) in [
            (json!("ENCONTRADO"), VendorMonitorState::Found),
            (json!("NAO_ENCONTRADO"), VendorMonitorState::NotFound),
            (json!("OUTRO"), VendorMonitorState::Pending),
            (Value::Null, VendorMonitorState::Pending),
        ] {
            let read = monitor(json!({"id": "17", "numero": "x", "status": word.clone()})).unwrap();
            assert_eq!((read.id, read.cnj, read.state), (17, None, expected), "{word}");
        }
        assert_eq!(monitor(json!({"status": "ENCONTRADO"})), Err(WrongShape));
    }

    #[test]
    fn a_page_tells_in_two_ways_that_there_is_more() {
        let more = |links: Value, paginator: Value| {
            monitors(json!({"items": [{"id": 1}, {}], "links": links, "paginator": paginator})).unwrap().more
        };
        assert!(more(json!({"next": "https://x?page=2"}), Value::Null));
        assert!(more(Value::Null, json!({"current_page": "1", "total_pages": 2})));
        assert!(!more(json!({"next": null}), json!({"current_page": 2, "total_pages": 2})));
        assert!(!monitors(json!({"items": [], "links": {"next": "x"}})).unwrap().more, "an empty page is the last");
        assert_eq!(monitors(json!({"items": {}})), Err(WrongShape));
    }

    proptest! {
        #[test]
        fn no_json_makes_it_panic(value in any_json(&["items", "links", "next", "id", "numero", "status"], "[A-Z_]{0,9}")) {
            let _read = (monitor(value.clone()), monitors(value));
        }
    }
}
