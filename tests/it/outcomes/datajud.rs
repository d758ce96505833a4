//! Without a key for Escavador and with one for DataJud the service is useful.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::fixture::{Open, cost, plan, provider, word};
use crate::support::house::{Answer, number};
use crate::support::postgres::Postgres;

async fn house(hint: &str) -> Open {
    let database = Postgres::shared().database(hint);
    let house = plan(&database).datajud().build_without_key().await;
    Open { house, database }
}

/// The keys of an object, sorted, with blanks between.
fn keys(value: &Value) -> String {
    let mut keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys.join(" ")
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a moment").parse().expect("an RFC 3339 moment")
}

fn is_fresh_from_datajud(answer: &Answer) {
    assert_eq!((answer.status, word(answer), cost(answer)), (200, "fresh", 0), "{answer:?}");
    let freshness = &answer.body["freshness"];
    assert_eq!(keys(freshness), "fresh_until provider reason stale verified_at");
    assert_eq!((&freshness["stale"], &freshness["reason"]), (&Value::Bool(false), &Value::Null));
    assert_eq!((provider(answer), &freshness["verified_at"]), ("datajud", &Value::Null), "{freshness}");
    assert!(moment(&freshness["fresh_until"]) > moment(&answer.body["cached_at"]));
}

#[actix_web::test]
async fn a_lookup_gives_a_full_timeline_in_the_contracts_shape() {
    let open = house("only_datajud").await;
    let cnj = number();
    let detailed = open.lookup(&cnj).await;
    is_fresh_from_datajud(&detailed);
    assert_eq!(detailed.source(), "api");
    assert_eq!(
        keys(&detailed.body),
        "cache_source cached_at cnj current_phase freshness last_update movements next_cursor outcome \
         progress_percentage shown_movements total_movements tribunal_info"
    );
    assert_eq!(detailed.body["cnj"], cnj.as_str());
    assert_eq!(keys(&detailed.body["tribunal_info"]), "grau name");
    assert!(["andamento", "vitoria", "derrota"].contains(&detailed.body["outcome"].as_str().expect("a word")));
    let movements = detailed.body["movements"].as_array().expect("a list");
    assert!(!movements.is_empty());
    assert_eq!(detailed.body["shown_movements"], movements.len());
    assert!(detailed.body["total_movements"].as_u64() >= detailed.body["shown_movements"].as_u64());
    for movement in movements {
        assert_eq!(
            keys(movement),
            "classification color completed_at date description documents full_content icon id is_completed \
             is_current name source type"
        );
        assert_eq!(keys(&movement["source"]), "grau tribunal");
        for text in ["id", "name", "full_content", "type", "icon", "color"] {
            assert!(movement[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {movement}");
        }
        assert!(movement["date"].as_str().expect("a day").parse::<chrono::NaiveDate>().is_ok());
    }
    let dates: Vec<_> = movements.iter().filter_map(|movement| movement["date"].as_str()).collect();
    assert!(dates.is_sorted_by(|newer, older| newer >= older), "newest first: {dates:?}");

    let summary = open.get(&format!("/api/v1/process-movements/{cnj}/summary")).await;
    is_fresh_from_datajud(&summary);
    assert_eq!(
        keys(&summary.body),
        "cache_source cached_at cnj current_phase description freshness last_update outcome phases \
         progress_percentage total_movements tribunal"
    );
    assert_eq!(summary.body["current_phase"], detailed.body["current_phase"]);
    assert_eq!(summary.source(), "memory");

    let cut = open.get(&format!("/api/v1/process-movements/{cnj}/detailed?limit=1")).await;
    assert_eq!((cut.body["shown_movements"].as_u64(), cut.body["next_cursor"].is_string()), (Some(1), true));
    assert_eq!(open.calls(), [0, 0, 0], "Escavador is not asked");
    assert_eq!(open.booked().await, 0);
    assert_eq!(open.text("SELECT provider, endpoint, outcome, client FROM api_calls"), "datajud search ok anonymous");
    assert_eq!(open.stored_provider(&cnj), "datajud");
    let (state, detail) = open.ready("upstream").await;
    assert_eq!(state, "off");
    assert!(detail.contains("ESCAVADOR_API_KEY"), "it says what is missing: {detail}");
    assert_eq!(open.ready("datajud").await.0, "up");
    let found = "juscache_upstream_requests_total{provider=\"datajud\",endpoint=\"search\",outcome=\"ok\"}";
    assert_eq!(open.metric(found).await, Some(1.0));
    // A free answer spared nobody a purchase.
    assert_eq!(open.metric("juscache_avoided_lookups_total{tier=\"confirmed\"}").await, Some(0.0));
    open.close().await;
}

#[actix_web::test]
async fn what_it_does_not_know_is_unknown_only_if_there_is_nobody_else_to_say_so() {
    let open = house("datajud_unknown").await;
    let cnj = number();
    open.vendor().hide_from_datajud(&cnj, true);
    let unknown = open.lookup(&cnj).await;
    assert_eq!((unknown.status, unknown.problem()), (404, "unknown-process"), "{unknown:?}");
    open.close().await;

    let open = Open::with("datajud_unknown_two", |plan| plan.datajud()).await;
    open.vendor().hide_from_datajud(&cnj, true);
    open.vendor().set_credits(0);
    let refused = open.lookup(&cnj).await;
    assert_eq!((refused.status, refused.problem()), (503, "credits-exhausted"), "{refused:?}");
    open.close().await;
}
