//! What becomes of a list.

use std::time::Duration;

use juscache::sandbox::Fault;
use reqwest::Method;
use serde_json::json;

use super::fixture::{PRICE, SOON, WARM, bought_once, call, counts, covers, look, over, plan, send};
use crate::support::house::numbers;
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

#[actix_web::test]
async fn each_new_process_is_bought_once_and_the_others_cost_nothing() {
    let database = Postgres::shared().database("warm_list");
    let house = plan(&database).build().await;
    let all = numbers(30);
    let (known, rest) = all.split_at(5);
    let (unknown, new) = rest.split_at(3);
    for cnj in known {
        assert_eq!(house.lookup(cnj).await.status, 200);
    }
    unknown.iter().for_each(|cnj| house.vendor().forget_process(cnj));
    house.vendor().reset_calls();

    let bare: String = new[0].chars().filter(char::is_ascii_digit).collect();
    let mut sent = all.clone();
    sent.extend([new[0].clone(), bare]);
    let id = send(&house, &sent).await;
    let list = over(&house, &id).await;
    assert_eq!(
        (&list["state"], &list["total"], &list["duplicates"]),
        (&json!("done"), &json!(30), &json!(2)),
        "{list}"
    );
    assert_eq!(counts(&list), [22, 5, 3, 0, 0], "{list}");
    assert_eq!(list["cost_centavos"], json!(22 * PRICE));
    assert_eq!(list["failures"], json!([]));
    let mut asked = covers(house.vendor());
    unknown.iter().for_each(|cnj| assert_eq!(asked.remove(cnj), Some(1)));
    assert_eq!(asked.len(), 22);
    assert!(asked.values().all(|times| *times == 1), "{asked:?}");
    assert!(house.vendor().peak_in_flight() <= 10);

    // All of it went through the background lane, for the service.
    eventually(SOON, "the ledger is complete", async || {
        let sql =
            "SELECT count(*) FROM api_calls WHERE lane = 'background' AND client = 'service' AND cost_centavos > 0";
        Postgres::shared().rows(database.name(), sql) == [[Some("44".to_owned())]]
    })
    .await;
    // Once more: everything is known now, or known to be unknown.
    let again = send(&house, &all).await;
    let list = over(&house, &again).await;
    assert_eq!((counts(&list), &list["cost_centavos"]), ([0, 27, 3, 0, 0], &json!(0)), "{list}");
    let lists = call(&house, Method::GET, WARM, None).await.body;
    let ids: Vec<_> = lists["lists"].as_array().expect("lists").iter().map(|list| list["id"].clone()).collect();
    assert_eq!(ids, [json!(again), json!(id)], "the newest first");
    house.close().await;
}

#[actix_web::test]
async fn two_lists_with_the_same_processes_buy_them_once() {
    let database = Postgres::shared().database("warm_twice");
    let nodes = crate::support::house::Plan::build_fleet(|| plan(&database), 2).await;
    nodes[0].vendor().set_latency(Duration::from_millis(50));
    let all = numbers(20);
    let (first, second) = futures_util::future::join(send(&nodes[0], &all), send(&nodes[1], &all)).await;
    let (first, second) = (over(&nodes[0], &first).await, over(&nodes[1], &second).await);
    assert_eq!(counts(&first)[0] + counts(&second)[0], 20, "{first} {second}");
    assert_eq!(counts(&first)[1] + counts(&second)[1], 20, "{first} {second}");
    bought_once(nodes[0].vendor(), &all);
    crate::support::house::close_all(nodes).await;
}

#[actix_web::test]
async fn a_cancelled_list_begins_nothing_more() {
    let database = Postgres::shared().database("warm_cancel");
    let house = plan(&database).build().await;
    house.vendor().set_latency(Duration::from_millis(100));
    let id = send(&house, &numbers(200)).await;
    eventually(SOON, "something is done", async || counts(&look(&house, &id).await)[0] > 0).await;
    let cancelled = call(&house, Method::DELETE, &format!("{WARM}/{id}"), None).await;
    assert_eq!((cancelled.status, &cancelled.body["state"]), (200, &json!("cancelled")));
    eventually(SOON, "what was under way is noted", async || {
        let sql = "SELECT count(*) FROM warm_items WHERE taken_until IS NOT NULL";
        Postgres::shared().rows(database.name(), sql) == [[Some("0".to_owned())]]
    })
    .await;
    let [done, _, _, _, waiting] = counts(&look(&house, &id).await);
    assert!(done < 200 && waiting == 200 - done, "{done} and {waiting}");
    assert_eq!(covers(house.vendor()).len(), usize::try_from(done).expect("a count"));
    // A second time it changes nothing, and another list goes on.
    assert_eq!(call(&house, Method::DELETE, &format!("{WARM}/{id}"), None).await.body["state"], "cancelled");
    let next = send(&house, &numbers(3)).await;
    assert_eq!(over(&house, &next).await["state"], "done");
    assert_eq!(counts(&look(&house, &id).await)[0], done);
    house.close().await;
}

/// One process makes the vendor fail: it is given up, and the others are not held up by it.
#[actix_web::test]
async fn what_always_fails_is_given_up_and_told_by_name() {
    let database = Postgres::shared().database("warm_failed");
    let house = plan(&database).build().await;
    let all = numbers(6);
    house.vendor().set_fault(Fault::WrongShape, None, None);
    let id = send(&house, &all[..1]).await;
    let list = over(&house, &id).await;
    assert_eq!((&list["state"], counts(&list)), (&json!("done"), [0, 0, 0, 1, 0]), "{list}");
    let failure = &list["failures"][0];
    assert_eq!((&failure["cnj"], &failure["attempts"]), (&json!(all[0]), &json!(5)), "{list}");
    assert_eq!(failure["outcome"], "unreadable", "{list}");
    house.vendor().clear_faults();
    let id = send(&house, &all[1..]).await;
    assert_eq!(counts(&over(&house, &id).await), [5, 0, 0, 0, 0]);
    house.close().await;
}

#[actix_web::test]
async fn a_wrong_number_keeps_the_whole_list_out() {
    let database = Postgres::shared().database("warm_wrong");
    let house = plan(&database).build().await;
    let mut sent = numbers(3);
    sent.insert(1, "0000001-38.2024.8.26.0100".into());
    let refused = call(&house, Method::POST, WARM, Some(json!({ "cnjs": sent }))).await;
    assert_eq!((refused.status, refused.problem()), (422, "invalid-cnj"));
    assert_eq!(refused.body["wrong"][0]["position"], 2);
    assert!(Postgres::shared().rows(database.name(), "SELECT 1 FROM warm_lists").is_empty());
    let most = call(&house, Method::POST, WARM, Some(json!({ "cnjs": numbers(10_000) }))).await;
    assert_eq!((most.status, &most.body["total"]), (202, &json!(10_000)), "{most:?}");
    let id = most.body["id"].as_str().expect("an id");
    assert_eq!(call(&house, Method::DELETE, &format!("{WARM}/{id}"), None).await.status, 200);
    house.close().await;
}

#[actix_web::test]
async fn lists_are_removed_a_month_after_their_end_in_batches() {
    let database = Postgres::shared().database("warm_prune");
    let plan = plan(&database).with(|settings| {
        settings.warm.prune_every = Duration::from_millis(50);
        settings.warm.prune_batch = 2;
    });
    let house = plan.build().await;
    let (old, young) = (send(&house, &numbers(5)).await, send(&house, &numbers(5)).await);
    over(&house, &old).await;
    over(&house, &young).await;
    let aged = format!("UPDATE warm_lists SET ended_at = now() - interval '31 days' WHERE id = '{old}'");
    Postgres::shared().execute(database.name(), &aged);
    let path = format!("{WARM}/{old}");
    eventually(SOON, "it is gone", async || call(&house, Method::GET, &path, None).await.status == 404).await;
    assert_eq!(counts(&look(&house, &young).await), [0, 5, 0, 0, 0]);
    let rows = Postgres::shared().rows(database.name(), "SELECT count(*) FROM warm_items");
    assert_eq!(rows, [[Some("5".to_owned())]]);
    house.close().await;
}
