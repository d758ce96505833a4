//! Webhooks: each event is taken at least once, in order for each process, by whoever may be sent to.
#![expect(clippy::disallowed_methods, reason = "these time a real service")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use juscache::notifier::signature::sign;
use juscache::supervision::Probe;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{SOON, Writer};
use super::receiver::{Receiver, Sent};
use crate::support::house::{Answer, House, Plan, answer};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

const HOOKS: &str = "/api/v1/admin/webhooks";
const TOKEN: &str = "a token of some length for tests";

/// A service that may send to this machine, and looks often.
fn plan(database: &TestDatabase<'_>) -> Plan {
    Plan::new(&database.url).with(|settings| {
        settings.admin_token = Some(TOKEN.into());
        settings.notifier.webhook_private = true;
        settings.notifier.deliver_every = Duration::from_millis(50);
        settings.notifier.attempt_within = Duration::from_secs(2);
        settings.notifier.lease = Duration::from_secs(4);
    })
}

async fn admin(house: &House, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = house.client.request(method, house.url(&format!("{HOOKS}{path}"))).bearer_auth(TOKEN);
    answer(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

/// A new subscriber: its id and its secret.
async fn subscribe(house: &House, url: &str, cnj: Option<&str>) -> (String, String) {
    let made = admin(house, Method::POST, "", Some(json!({ "url": url, "cnj": cnj }))).await;
    assert_eq!(made.status, 201, "{made:?}");
    let text = |name: &str| made.body[name].as_str().expect("text").to_owned();
    (text("id"), text("secret"))
}

fn value(database: &TestDatabase<'_>, sql: &str) -> String {
    Postgres::shared().rows(database.name(), sql)[0][0].clone().unwrap_or_default()
}

/// What waits is due now.
fn time_passes(database: &TestDatabase<'_>) {
    let sql = "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE state = 'pending' AND NOT claimed; \
               UPDATE webhook_subscribers SET held_until = now() WHERE held_until IS NOT NULL";
    Postgres::shared().execute(database.name(), sql);
}

/// The events by process, in the order in which they came.
fn lines(sent: &[Sent]) -> BTreeMap<String, Vec<u64>> {
    let mut lines: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for request in sent {
        lines.entry(request.cnj()).or_default().push(request.event());
    }
    lines
}

#[actix_web::test]
async fn a_subscriber_gets_signed_news_of_what_it_asked_for() {
    let database = Postgres::shared().database("hooks signed");
    let house = plan(&database).build().await;
    let writer = Writer::on(&database.url).await;
    let (mut one, mut other) = (writer.case(0).await, writer.case(1).await);
    let (all, of_one) = (Receiver::start(), Receiver::start());
    let (id, secret) = subscribe(&house, &all.url(), None).await;
    subscribe(&house, &of_one.url(), Some(&one.cnj.masked())).await;
    writer.goes_on(&mut one).await;
    writer.goes_on(&mut other).await;
    eventually(SOON, "both are told", async || all.count() == 2 && of_one.count() == 1).await;
    assert_eq!(of_one.sent()[0].cnj(), one.cnj.masked());
    for sent in all.sent() {
        assert_eq!(sent.header("webhook-id"), format!("msg_{}_{id}", sent.event()));
        let timestamp: i64 = sent.header("webhook-timestamp").parse().expect("seconds");
        assert!((house.now().timestamp() - timestamp).abs() < 60);
        let signature = sign(&secret.clone().into(), sent.header("webhook-id"), timestamp, &sent.body);
        assert_eq!(Some(sent.header("webhook-signature")), signature.as_deref());
        assert_eq!(
            (sent.header("content-type"), &sent.json()["type"]),
            ("application/json", &"process.movement.new".into())
        );
    }

    eventually(SOON, "it is written down", async || {
        let list = admin(&house, Method::GET, "", None).await.body;
        list["webhooks"][0]["last_success_at"].is_string() && list["webhooks"][0]["pending"] == 0
    })
    .await;
    let list = admin(&house, Method::GET, "", None).await.body.to_string();
    assert!(!list.contains("whsec_") && !list.contains(&secret), "{list}");
    assert_eq!(admin(&house, Method::DELETE, &format!("/{id}"), None).await.status, 204);
    assert_eq!(admin(&house, Method::DELETE, &format!("/{id}"), None).await.status, 404);
    assert!(house.metrics().await.contains("juscache_webhook_deliveries_total{outcome=\"delivered\"} 3\n"));
    house.close().await;
}

#[actix_web::test]
async fn a_subscriber_that_was_down_gets_everything_in_order_for_each_process() {
    let database = Postgres::shared().database("hooks down");
    let house = plan(&database).build().await;
    let writer = Writer::on(&database.url).await;
    let (mut one, mut other) = (writer.case(0).await, writer.case(1).await);
    let is_up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_up);
    let receiver =
        Receiver::saying(move |_, _| Some(if seen.load(Ordering::SeqCst) { "200 X" } else { "503 X" }.into()));
    subscribe(&house, &receiver.url(), None).await;
    for _ in 0..10 {
        writer.goes_on(&mut one).await;
        writer.goes_on(&mut other).await;
    }
    // It is tried a few times, and then held as a whole: its deliveries do not fail one after the other.
    for failures in 1..=5 {
        eventually(SOON, "one more attempt fails", async || {
            time_passes(&database);
            value(&database, "SELECT max(failures) FROM webhook_subscribers").parse::<u32>().expect("a count")
                >= failures
        })
        .await;
    }
    assert_eq!(value(&database, "SELECT count(*) FROM webhook_deliveries WHERE attempts > 0"), "2");
    assert_eq!(value(&database, "SELECT count(*) FROM webhook_deliveries WHERE state <> 'pending'"), "0");
    let list = admin(&house, Method::GET, "", None).await.body;
    assert_eq!((&list["webhooks"][0]["pending"], &list["webhooks"][0]["last_error"]), (&20.into(), &"refused".into()));

    is_up.store(true, Ordering::SeqCst);
    let before = receiver.count();
    eventually(SOON, "a probe is due", async || {
        time_passes(&database);
        receiver.count() > before
    })
    .await;
    // From here on nobody helps: one success opens the rest.
    eventually(SOON, "everything is delivered", async || {
        value(&database, "SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'") == "20"
    })
    .await;
    let mut taken = receiver.sent();
    taken.drain(..before);
    for (cnj, events) in lines(&taken) {
        let sql = format!("SELECT string_agg(id::text, ',' ORDER BY id) FROM process_events WHERE cnj = '{cnj}'");
        let told: Vec<String> = events.iter().map(u64::to_string).collect();
        assert_eq!(told.join(","), value(&database, &sql));
    }
    assert_eq!(lines(&taken).len(), 2);
    house.close().await;
}

#[actix_web::test]
async fn a_node_that_dies_between_claim_and_answer_leaves_the_delivery_to_the_next_under_the_same_id() {
    let database = Postgres::shared().database("hooks died");
    let house = plan(&database).with(|settings| settings.notifier.lease = Duration::from_secs(2)).build().await;
    let writer = Writer::on(&database.url).await;
    let mut case = writer.case(0).await;
    let receiver = Receiver::saying(|n, _| (n > 0).then(|| "200 X".to_owned()));
    subscribe(&house, &receiver.url(), None).await;
    writer.goes_on(&mut case).await;
    eventually(SOON, "it is on its way", async || receiver.count() == 1).await;
    assert!(house.app.supervisor().sabotage("notifier", Probe::Panic));
    eventually(SOON, "it is delivered", async || {
        value(&database, "SELECT state FROM webhook_deliveries") == "delivered"
    })
    .await;
    let ids: Vec<_> = receiver.sent().iter().map(|sent| sent.header("webhook-id").to_owned()).collect();
    assert!(ids.len() >= 2 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    house.close().await;
}

#[actix_web::test]
async fn a_redirect_is_not_followed_and_a_gone_subscriber_is_left_in_peace_until_it_is_wanted_again() {
    let database = Postgres::shared().database("hooks gone");
    let patient = plan(&database).with(|settings| {
        settings.notifier.attempt_within = Duration::from_secs(20);
        settings.notifier.lease = Duration::from_secs(60);
    });
    let house = patient.build().await;
    let writer = Writer::on(&database.url).await;
    let mut case = writer.case(0).await;
    let inside = Receiver::start();
    let target = inside.url();
    let redirecting = Receiver::saying(move |_, _| Some(format!("307 X\r\nlocation: {target}")));
    // It says so once the second event is queued for it.
    let is_queued = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_queued);
    let gone = Receiver::saying(move |n, _| {
        while !seen.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(if n == 0 { "410 X" } else { "200 X" }.to_owned())
    });
    let (redirecting_id, _) = subscribe(&house, &redirecting.url(), None).await;
    let (gone_id, _) = subscribe(&house, &gone.url(), None).await;
    writer.goes_on(&mut case).await;
    writer.goes_on(&mut case).await;
    is_queued.store(true, Ordering::SeqCst);
    let of = |id: &str, what: &str| {
        value(&database, &format!("SELECT {what} FROM webhook_deliveries WHERE subscriber = '{id}'"))
    };
    eventually(SOON, "both have answered", async || {
        of(&redirecting_id, "max(last_status)") == "307" && of(&gone_id, "string_agg(state, ' ')") == "dead dead"
    })
    .await;
    assert_eq!(of(&redirecting_id, "string_agg(state, ' ')"), "pending pending");
    assert_eq!((inside.count(), gone.count()), (0, 1));
    writer.goes_on(&mut case).await;
    assert_eq!(of(&gone_id, "count(*)"), "2", "nothing is kept for it any more");

    let dead = admin(&house, Method::GET, "/dead?limit=1", None).await.body;
    let next = dead["next_cursor"].as_str().expect("a second page");
    let second = admin(&house, Method::GET, &format!("/dead?limit=1&cursor={next}"), None).await.body;
    for page in [&dead, &second] {
        assert_eq!(
            (&page["deliveries"][0]["webhook"], &page["deliveries"][0]["last_error"]),
            (&gone_id.clone().into(), &"gone".into())
        );
        let id = page["deliveries"][0]["id"].as_str().expect("an id");
        let path = format!("/dead/{id}/replay");
        assert_eq!(admin(&house, Method::POST, &path, None).await.status, 202);
    }
    assert_eq!(admin(&house, Method::POST, "/dead/999999/replay", None).await.status, 404);
    eventually(SOON, "both are delivered", async || of(&gone_id, "string_agg(state, ' ')") == "delivered delivered")
        .await;
    house.close().await;
}

#[actix_web::test]
async fn what_is_not_public_is_neither_accepted_nor_sent_to() {
    let database = Postgres::shared().database("hooks private");
    let house = plan(&database).with(|settings| settings.notifier.webhook_private = false).build().await;
    let writer = Writer::on(&database.url).await;
    let mut case = writer.case(0).await;
    let receiver = Receiver::start();
    let port = receiver.address.port();
    let inside = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "10.0.0.1", "169.254.169.254"];
    for host in inside {
        let refused = admin(&house, Method::POST, "", Some(json!({ "url": format!("http://{host}:{port}/") }))).await;
        assert_eq!((refused.status, refused.problem()), (400, "invalid-parameter"), "{host}: {refused:?}");
        assert!(refused.body["detail"].as_str().expect("text").contains("JUSCACHE_WEBHOOK_PRIVATE=true"), "{host}");
    }
    // They were public when they were accepted.
    for (n, host) in ["127.0.0.1", "localhost"].iter().enumerate() {
        let sql = format!(
            "INSERT INTO webhook_subscribers (id, url, secret) VALUES ('whk_{n:032x}', 'http://{host}:{port}/', \
             'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')"
        );
        Postgres::shared().execute(database.name(), &sql);
    }
    writer.goes_on(&mut case).await;
    eventually(SOON, "both are refused", async || {
        value(&database, "SELECT count(*) FROM webhook_deliveries WHERE last_error = 'forbidden-address'") == "2"
    })
    .await;
    assert_eq!(receiver.count(), 0);
    house.close().await;
}

#[actix_web::test]
async fn a_subscriber_that_answers_slowly_delays_no_other() {
    let database = Postgres::shared().database("hooks slow");
    let house = plan(&database).with(|settings| settings.notifier.most_deliveries = 8).build().await;
    let writer = Writer::on(&database.url).await;
    let slow = Receiver::saying(|_, _| {
        std::thread::sleep(Duration::from_millis(1_500));
        Some("200 X".to_owned())
    });
    let quick = Receiver::start();
    subscribe(&house, &slow.url(), None).await;
    subscribe(&house, &quick.url(), None).await;
    let mut cases = Vec::new();
    for n in 0..12 {
        cases.push(writer.case(n).await);
    }
    for case in &mut cases {
        writer.goes_on(case).await;
    }
    let begun = Instant::now();
    eventually(SOON, "the quick one has everything", async || quick.count() == 12).await;
    let of_slow = value(&database, "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'");
    assert!(of_slow != "0", "the slow one was quick: {:?}", begun.elapsed());
    eventually(SOON, "the slow one, too", async || slow.count() == 12).await;
    house.close().await;
}

#[actix_web::test]
async fn news_under_secrecy_is_queued_for_nobody() {
    let database = Postgres::shared().database("hooks sealed");
    let house = plan(&database).build().await;
    let receiver = Receiver::start();
    subscribe(&house, &receiver.url(), None).await;
    let sql = |id: u32, sealed: bool| {
        format!(
            "INSERT INTO process_events (id, cnj, kind, movement_id, movement, provider, sealed, first_seen_at) VALUES \
             ({id}, '0000001-39.2024.8.26.0100', 'changed', '{id}', '{{}}', 'escavador', {sealed}, now())"
        )
    };
    Postgres::shared().execute(database.name(), &sql(1, true));
    Postgres::shared().execute(database.name(), &sql(2, false));
    assert_eq!(value(&database, "SELECT string_agg(event_id::text, ' ') FROM webhook_deliveries"), "2");
    house.close().await;
}

#[actix_web::test]
async fn what_is_sealed_before_it_is_sent_is_withdrawn_and_nobody_is_blamed() {
    let database = Postgres::shared().database("hooks withdrawn");
    let house = plan(&database).build().await;
    let receiver = Receiver::start();
    subscribe(&house, &receiver.url(), None).await;
    // Queued as public, and under secrecy when it is read: as if the seal had come in between.
    Postgres::shared().execute(
        database.name(),
        "INSERT INTO process_events (id, cnj, kind, movement_id, movement, provider, sealed, first_seen_at)
         SELECT id, '0000001-39.2024.8.26.0100', 'changed', id::text, '{}', 'escavador', true, now()
         FROM generate_series(1, 3) AS id;
         INSERT INTO webhook_deliveries (subscriber, event_id, cnj)
         SELECT subscriber.id, event.id, event.cnj FROM process_events AS event, webhook_subscribers AS subscriber",
    );
    let dead = "SELECT count(*)::text FROM webhook_deliveries WHERE state = 'dead' AND last_error = 'withdrawn'";
    eventually(SOON, "all are withdrawn", async || value(&database, dead) == "3").await;
    let blame = "SELECT failures || ' ' || coalesce(last_error, 'none') FROM webhook_subscribers";
    assert_eq!((value(&database, blame), receiver.count()), ("0 none".to_owned(), 0));
    house.close().await;
}
