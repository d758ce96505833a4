//! From the vendor to whoever wants to know: how soon, at what cost, and after an hour in which nobody was there.
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    reason = "these time a real service, print figures and fail by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use juscache::sandbox::TokenStyle;
use reqwest::Method;
use serde_json::json;

use super::fixture::{Listener, SOON};
use super::receiver::Receiver;
use crate::support::house::{Plan, answer, close_all, number, numbers};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

const ALL: &str = "/api/v1/events";
const ADMIN: &str = "a-token-of-some-length-for-tests";
const VENDORS: &str = "the-vendors-token";
const ROUNDS: u32 = 12;
/// As long as the longest wait between two probes, and its jitter.
const PROBED_WITHIN_MINUTES: usize = 17;

/// Refreshes and callbacks in turn, heard at the node that found the movement and at another one.
#[actix_web::test]
async fn a_movement_is_on_every_stream_within_a_second_of_the_refresh_or_callback_that_found_it() {
    let database = Postgres::shared().database("news second");
    let plan = || {
        let mut plan = Plan::new(&database.url).with(|settings| settings.callbacks.token = Some(VENDORS.into()));
        plan.vendor.monitor_delay = Duration::ZERO;
        plan
    };
    let nodes = Plan::build_fleet(plan, 2).await;
    let cnj = number();
    assert_eq!(nodes[0].lookup(&cnj).await.status, 200);
    let follow = nodes[0].client.request(Method::POST, nodes[0].vendor_url("/api/v2/monitoramentos/processos"));
    assert_eq!(answer(follow.bearer_auth("test").json(&json!({ "numero": cnj }))).await.status / 100, 2);
    // The callbacks wait at the vendor; this takes their bodies from the list, and delivers them itself to know the moment of the 200.
    let of_it = format!("/api/v1/process-movements/{cnj}/events");
    let mut streams = [Listener::open(&nodes[0], &of_it, None).await, Listener::open(&nodes[1], &of_it, None).await];
    let mut everything = Listener::open(&nodes[1], ALL, None).await;
    let mut slowest = [[Duration::ZERO; 3]; 2];
    for round in 0..ROUNDS {
        let by_callback = usize::from(!round.is_multiple_of(2));
        let id = nodes[0].vendor().add_movement(&cnj, NaiveDate::MIN, &format!("Conclusos {round}")).expect("known");
        let (calls, charged) = (nodes[0].vendor().calls().len(), nodes[0].vendor().charged());
        if by_callback == 1 {
            let listed = nodes[0].client.get(nodes[0].vendor_url("/api/v2/callbacks?evento=nova_movimentacao"));
            let listed = answer(listed.bearer_auth("test")).await.body.to_string();
            assert!(listed.contains(&id.to_string()), "{listed}");
            let body = called_back(&listed, id);
            let deliver = nodes[0].client.post(nodes[0].url("/webhooks/escavador")).header("authorization", VENDORS);
            assert_eq!(answer(deliver.json(&body)).await.status, 200);
        } else {
            assert_eq!(nodes[0].refresh(&cnj).await.status, 200);
        }
        let found = Instant::now();
        for (at, stream) in streams.iter_mut().chain([&mut everything]).enumerate() {
            let news = stream.next().await.expect("an open stream");
            let took = found.elapsed();
            slowest[by_callback][at] = slowest[by_callback][at].max(took);
            assert!(took < Duration::from_secs(1), "round {round}, stream {at}: {took:?}");
            assert_eq!((news.kind.as_str(), &news.data["movement"]["id"]), ("new", &id.to_string().into()), "{news:?}");
        }
        let after = (nodes[0].vendor().calls().len(), nodes[0].vendor().charged());
        if by_callback == 1 {
            assert_eq!((after.0 - calls, after.1), (1, charged), "nothing but this test's look at the list");
        } else {
            assert!(after.1 > charged);
        }
    }
    eprintln!("slowest of {ROUNDS} (same node, another, everything at another): refresh {:?}", slowest[0]);
    eprintln!("the same of callbacks: {:?}", slowest[1]);
    assert_eq!(
        Postgres::shared().rows(database.name(), "SELECT count(*), count(DISTINCT movement_id) FROM process_events"),
        [[Some(ROUNDS.to_string()), Some(ROUNDS.to_string())]]
    );
    drop((streams, everything));
    close_all(nodes).await;
}

/// The callback about that movement, out of the vendor's list.
fn called_back(listed: &str, id: i64) -> serde_json::Value {
    let page: serde_json::Value = serde_json::from_str(listed).expect("json");
    let items = page["items"].as_array().expect("a list");
    let bodies = items.iter().map(|item| item.get("resultado").unwrap_or(item));
    let mut ours = bodies.filter(|body| body["movimentacao"]["id"] == id);
    ours.next().cloned().unwrap_or_else(|| panic!("none about {id}: {listed}"))
}

/// Minute by minute on the database's clock, while movements appear.
#[actix_web::test]
async fn a_subscriber_that_was_down_for_an_hour_gets_everything_in_order() {
    let database = Postgres::shared().database("news hour");
    let mut plan = Plan::new(&database.url).with(|settings| {
        settings.callbacks.token = Some(VENDORS.into());
        settings.admin_token = Some(ADMIN.into());
        settings.notifier.webhook_private = true;
        settings.notifier.deliver_every = Duration::from_millis(20);
    });
    plan.vendor.monitor_delay = Duration::ZERO;
    let house = plan.build().await;
    let sql = |sql: &str| {
        let rows = Postgres::shared().rows(database.name(), sql);
        rows.first().map(|row| row[0].clone().unwrap_or_default()).unwrap_or_default()
    };
    let is_up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_up);
    let receiver =
        Receiver::saying(move |_, _| Some(if seen.load(Ordering::SeqCst) { "200 X" } else { "503 X" }.into()));
    let subscribe = house.client.request(Method::POST, house.url("/api/v1/admin/webhooks")).bearer_auth(ADMIN);
    assert_eq!(answer(subscribe.json(&json!({ "url": receiver.url() }))).await.status, 201);
    let cnjs = numbers(3);
    for cnj in &cnjs {
        assert_eq!(house.lookup(cnj).await.status, 200);
    }
    // One is bought, the others are called back about.
    for cnj in &cnjs[1..] {
        let follow = house.client.request(Method::POST, house.vendor_url("/api/v2/monitoramentos/processos"));
        assert_eq!(answer(follow.bearer_auth("test").json(&json!({ "numero": cnj }))).await.status / 100, 2);
    }
    house.vendor().deliver_callbacks_to(&house.url("/webhooks/escavador"), VENDORS, TokenStyle::Bearer);
    let minute = async || {
        sql("UPDATE webhook_deliveries SET next_attempt_at = next_attempt_at - interval '1 minute'
             WHERE state = 'pending' AND NOT claimed;
             UPDATE webhook_subscribers SET held_until = held_until - interval '1 minute'");
        eventually(SOON, "what is due was tried", async || {
            sql("SELECT count(*) FROM webhook_deliveries AS head
                 JOIN webhook_subscribers AS subscriber ON subscriber.id = head.subscriber
                 WHERE head.state = 'pending' AND (head.claimed
                    OR head.next_attempt_at <= now() AND coalesce(held_until <= now(), true)
                       AND NOT EXISTS (SELECT FROM webhook_deliveries AS earlier WHERE earlier.cnj = head.cnj
                                       AND earlier.state = 'pending' AND earlier.event_id < head.event_id))")
                == "0"
        })
        .await;
    };
    let mut added = 0;
    for passed in 0..60 {
        if passed % 5 == 0 {
            for cnj in &cnjs {
                house.vendor().add_movement(cnj, NaiveDate::MIN, &format!("Ato {passed}")).expect("known");
                added += 1;
            }
            assert_eq!(house.refresh(&cnjs[0]).await.status, 200);
            eventually(SOON, "they are events", async || {
                sql("SELECT count(*) FROM process_events") == added.to_string()
            })
            .await;
        }
        minute().await;
    }
    assert_eq!(sql("SELECT count(*) FROM webhook_deliveries WHERE state <> 'pending'"), "0", "nothing is given up");
    is_up.store(true, Ordering::SeqCst);
    let refused = receiver.count();
    let mut waited = 0;
    while sql("SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'") != added.to_string() {
        assert!(waited < PROBED_WITHIN_MINUTES, "not within {waited} minutes");
        waited += 1;
        minute().await;
    }
    eprintln!(
        "{added} events of an hour: refused {refused} times, all delivered within {waited} minutes of the return"
    );
    assert_eq!(sql("SELECT count(*) FROM webhook_deliveries WHERE state = 'dead'"), "0");
    let taken = receiver.sent().split_off(refused);
    assert_eq!(taken.len(), added, "each once");
    for cnj in &cnjs {
        let told: Vec<String> =
            taken.iter().filter(|sent| sent.cnj() == *cnj).map(|sent| sent.event().to_string()).collect();
        let stored = format!("SELECT string_agg(id::text, ',' ORDER BY id) FROM process_events WHERE cnj = '{cnj}'");
        assert_eq!(told.join(","), sql(&stored));
    }
    house.close().await;
}
