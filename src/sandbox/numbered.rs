//! Numbered pages: lists of monitors and of callbacks.

use serde_json::{Value, json};

/// Items of a page, as documented for every numbered list.
pub(super) const PER_PAGE: usize = 20;

/// The page `asked` (1 is the first) of `items`; `first_and_last` where the vendor's links name these too. `address` is the list's,
/// with the filters that the links have to repeat.
pub(super) fn page(items: &[Value], asked: Option<usize>, address: &str, first_and_last: bool) -> Value {
    let current = asked.unwrap_or(1).max(1);
    let pages = items.len().div_ceil(PER_PAGE).max(1);
    let shown: Vec<&Value> = items.iter().skip((current - 1).saturating_mul(PER_PAGE)).take(PER_PAGE).collect();
    let joint = if address.contains('?') { '&' } else { '?' };
    let link = |page: usize| format!("{address}{joint}page={page}");
    let mut links = json!({
        "next": (current < pages).then(|| link(current + 1)), "prev": (current > 1).then(|| link(current - 1)),
    });
    if let Some(links) = links.as_object_mut().filter(|_| first_and_last) {
        links.insert("first".to_owned(), json!(link(1)));
        links.insert("last".to_owned(), json!(link(pages)));
    }
    json!({
        "items": shown, "links": links,
        "paginator": {"current_page": current, "per_page": PER_PAGE, "total": items.len(), "total_pages": pages},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_stands_on_one_page_and_the_last_has_no_next() {
        let items: Vec<Value> = (0..45).map(|id| json!(id)).collect();
        let pages: Vec<Value> = (1..=4).map(|at| page(&items, Some(at), "http://v/list?evento=x", true)).collect();
        let lengths: Vec<usize> = pages.iter().map(|page| page["items"].as_array().unwrap().len()).collect();
        assert_eq!(lengths, [20, 20, 5, 0]);
        assert_eq!(pages[0]["links"]["next"], "http://v/list?evento=x&page=2");
        assert_eq!((&pages[2]["links"]["next"], &pages[0]["links"]["prev"]), (&Value::Null, &Value::Null));
        assert_eq!(pages[1]["paginator"], json!({"current_page": 2, "per_page": 20, "total": 45, "total_pages": 3}));
        let empty = page(&[], None, "http://v/list", false);
        assert_eq!(empty["paginator"]["total_pages"], 1);
        assert_eq!(empty["links"], json!({"next": null, "prev": null}));
    }
}
