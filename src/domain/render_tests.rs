use serde_json::Value;

use super::*;
use crate::domain::entry::Entry;
use crate::domain::sample::{instant, process};
use crate::domain::served::StaleReason;

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn a_body_has_the_contracts_shape_and_order() {
    let entry = Entry::new(process(60, 5), instant(86_400)).unwrap();
    let body = entry.body(ServedFrom::Redis, Freshness::Stale(Some(StaleReason::RateLimited)));
    let text = std::str::from_utf8(&body).unwrap();
    let keys = [
        "cnj",
        "total_movements",
        "shown_movements",
        "current_phase",
        "progress_percentage",
        "outcome",
        "last_update",
        "tribunal_info",
        "movements",
        "next_cursor",
        "cached_at",
        "cache_source",
        "freshness",
    ];
    let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    let body = json(&body);
    assert_eq!(body.as_object().unwrap().len(), keys.len());
    assert_eq!((body["total_movements"].as_u64(), body["shown_movements"].as_u64()), (Some(60), Some(50)));
    assert_eq!(body["movements"][0]["is_current"], true);
    assert_eq!(body["movements"][1]["is_current"], false);
    assert_eq!(body["movements"][0].as_object().unwrap().len(), 14);
    assert_eq!(body["freshness"]["reason"], "rate-limited");
    assert_eq!(body["freshness"]["stale"], true);
    assert_eq!(body["cache_source"], "redis");
    assert_eq!(body["cached_at"], "2023-11-14T22:13:25.000Z");
}

#[test]
fn the_validator_names_the_content_and_neither_the_tier_nor_the_time() {
    let one = Entry::new(process(60, 5), instant(86_400)).unwrap();
    let later = Entry::new(process(60, 5_000), instant(99_999)).unwrap();
    let other = Entry::new(process(61, 5), instant(86_400)).unwrap();
    assert_eq!(one.etag(), later.etag());
    assert_ne!(one.etag(), other.etag());
}

#[test]
fn a_head_of_another_revision_is_rendered_anew() {
    let entry = Entry::new(process(3, 5), instant(9)).unwrap();
    let mut header = *entry.header();
    header.revision = REVISION + 1;
    let old = crate::domain::codec::Envelope::process(header, b"{\"old\":1", &process(3, 5)).unwrap();
    let opened = Entry::open(old).unwrap();
    assert_eq!(opened.etag(), entry.etag());
    assert_eq!(opened.header(), entry.header());
}

#[test]
fn a_summary_has_all_six_phases() {
    let entry = Entry::new(process(3, 5), instant(9)).unwrap();
    let head = summary_head(&process(3, 5));
    let body = json(&body(&head, entry.header(), ServedFrom::Database, Freshness::Fresh));
    assert_eq!(body["phases"].as_array().unwrap().len(), 6);
    assert_eq!(body["tribunal"]["name"], "TJSP");
    assert_eq!(body["outcome"], "andamento");
    assert_eq!(body["freshness"]["reason"], Value::Null);
}

/// The vendor's count is the total, but never below what it delivered.
#[test]
fn a_process_without_movements_is_a_process() {
    let mut empty = process(0, 5);
    empty.cover.declared_total = None;
    let body = json(&body(
        &detailed_head(&empty, &View::default()),
        Entry::new(empty, instant(9)).unwrap().header(),
        ServedFrom::Api,
        Freshness::Fresh,
    ));
    assert_eq!(body["movements"], Value::Array(vec![]));
    assert_eq!(body["last_update"], Value::Null);
}
