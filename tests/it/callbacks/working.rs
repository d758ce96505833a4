//! What callbacks do: once, in any order, after any interruption.

use std::sync::atomic::Ordering::SeqCst;

use futures_util::future::join_all;
use juscache::callbacks::Receipt;
use serde_json::json;

use super::fixture::{Node, SOON, World, concluded, count, monitor_found, new_movement, rows, settings, verified};
use crate::postgres::samples::{cnj, number};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

#[actix_web::test]
async fn eleven_redeliveries_out_of_order_have_one_effect() {
    let (postgres, world) = (Postgres::shared(), World::default());
    let database = postgres.database("callbacks_eleven");
    let mut nodes = [Node::on(&database.url).await, Node::on(&database.url).await];
    for node in &mut nodes {
        node.works(&world, settings(), false);
    }
    world.copies.hold(cnj());
    let masked = cnj().masked();
    let moment = "2025-07-14T03:59:10+00:00";
    // Three callbacks, eleven times each, every delivery with its own uuid, mixed, at both nodes at once.
    let deliveries = (0..33_u32).map(|n| {
        let uuid = format!("{n:032x}");
        let callback = match n % 3 {
            0 => new_movement(&masked, 23_895_909_833, &uuid),
            1 => verified(&masked, moment, &uuid),
            _ => new_movement(&masked, 7, &uuid),
        };
        let node = &nodes[usize::try_from(n).unwrap() % 2];
        async move { node.take(&callback).await.unwrap() }
    });
    let receipts = join_all(deliveries).await;
    assert_eq!(receipts.iter().filter(|receipt| **receipt == Receipt::Accepted).count(), 3);
    assert_eq!(receipts.iter().filter(|receipt| **receipt == Receipt::Repeated).count(), 30);
    eventually(SOON, "all of it", async || count(postgres, database.name(), "done") == 3).await;
    assert_eq!(rows(postgres, database.name()).len(), 3);
    assert!(rows(postgres, database.name()).iter().all(|row| row.ends_with(" 11 1")), "eleven deliveries, one attempt");

    let mut effects = world.copies.effects();
    effects.sort_unstable();
    assert_eq!(effects, ["movement", "movement", "verified"]);
    let copy = world.copies.copy(cnj()).unwrap();
    assert_eq!(copy.movements.keys().collect::<Vec<_>>(), ["23895909833", "7"]);
    assert_eq!(copy.verified_at, Some(moment.parse().unwrap()));

    // One more, after all was done.
    assert_eq!(nodes[0].take(&new_movement(&masked, 7, "late")).await, Ok(Receipt::Repeated));
    assert_eq!(world.copies.asked.load(SeqCst), 3, "it is not even tried");
    assert_eq!(world.copies.brought.load(SeqCst), 0);
    for node in nodes {
        node.ends().await;
    }
}

#[actix_web::test]
async fn the_order_of_news_and_no_news_does_not_matter() {
    let (postgres, world) = (Postgres::shared(), World::default());
    let database = postgres.database("callbacks_order");
    let mut node = Node::on(&database.url).await;
    node.works(&world, settings(), false);
    for (n, verified_first) in [(0, true), (1, false)] {
        let cnj = number(n);
        world.copies.hold(cnj);
        let masked = cnj.masked();
        let mut callbacks = [
            new_movement(&masked, 9, "a"),
            verified(&masked, "2025-07-14 03:59:10", "b"),
            verified(&masked, "2025-07-13 03:59:10", "c"),
        ];
        if verified_first {
            callbacks.reverse();
        }
        for callback in callbacks {
            assert_eq!(node.take(&callback).await, Ok(Receipt::Accepted));
        }
    }
    eventually(SOON, "all of it", async || count(postgres, database.name(), "done") == 6).await;
    let copy = world.copies.copy(number(0)).unwrap();
    assert_eq!(copy.verified_at, Some("2025-07-14T03:59:10Z".parse().unwrap()));
    assert_eq!((Some(copy.clone()), copy.movements.len()), (world.copies.copy(number(1)), 1));
    node.ends().await;
}

/// A copy that does not hold a movement we know of must not be called fresh.
#[actix_web::test]
async fn no_news_waits_for_news_of_the_same_process() {
    let (postgres, world) = (Postgres::shared(), World::default());
    let database = postgres.database("callbacks_waits");
    let mut node = Node::on(&database.url).await;
    world.copies.hold(cnj());
    world.copies.away.store(true, SeqCst);
    node.take(&verified(&cnj().masked(), "2025-07-14 03:59:10", "a")).await.unwrap();
    node.take(&new_movement(&cnj().masked(), 9, "b")).await.unwrap();
    node.works(&world, settings(), false);
    eventually(SOON, "a second attempt", async || world.copies.asked.load(SeqCst) >= 2).await;
    world.copies.away.store(false, SeqCst);
    eventually(SOON, "all of it", async || count(postgres, database.name(), "done") == 2).await;
    assert_eq!(world.copies.effects(), ["movement", "verified"]);
    node.ends().await;
}

#[actix_web::test]
async fn what_was_confirmed_is_worked_off_by_the_next_start() {
    let (postgres, world) = (Postgres::shared(), World::default());
    let database = postgres.database("callbacks_dropped");
    world.copies.hold(cnj());
    {
        // Dropped between the 200 and the work: nobody worked here at all.
        let node = Node::on(&database.url).await;
        assert_eq!(node.take(&new_movement(&cnj().masked(), 9, "a")).await, Ok(Receipt::Accepted));
    }
    // Dropped in the middle of the work: the row is leased, and nothing came of it.
    world.copies.hangs.store(true, SeqCst);
    let mut node = Node::on(&database.url).await;
    node.works(&world, settings(), false);
    eventually(SOON, "work has begun", async || world.copies.asked.load(SeqCst) == 1).await;
    node.ends().await;
    assert_eq!(rows(postgres, database.name()), ["received 1 1"]);

    world.copies.hangs.store(false, SeqCst);
    // As if the lease had ended.
    postgres.execute(database.name(), "UPDATE vendor_callbacks SET next_attempt_at = now()");
    let mut node = Node::on(&database.url).await;
    node.works(&world, settings(), false);
    eventually(SOON, "it is done", async || rows(postgres, database.name()) == ["done added 1 2"]).await;
    assert_eq!(world.copies.effects(), ["movement"]);
    node.ends().await;
}

#[actix_web::test]
async fn only_a_watched_process_is_bought_when_it_is_not_held() {
    let (postgres, world) = (Postgres::shared(), World::default());
    let database = postgres.database("callbacks_watched");
    let mut node = Node::on(&database.url).await;
    node.works(&world, settings(), false);
    let [watched, other] = [number(0).masked(), number(1).masked()];
    postgres.execute(database.name(), &format!("INSERT INTO watched_processes (cnj) VALUES ('{watched}')"));
    for cnj in [&watched, &other] {
        node.take(&verified(cnj, "2025-07-14 03:59:10", "a")).await.unwrap();
    }
    eventually(SOON, "no news of nothing", async || count(postgres, database.name(), "ignored not-held") == 2).await;
    assert_eq!(world.copies.brought.load(SeqCst), 0);
    for cnj in [&other, &watched] {
        node.take(&new_movement(cnj, 9, "a")).await.unwrap();
    }
    eventually(SOON, "both", async || {
        let rows = rows(postgres, database.name());
        rows[2..] == ["ignored not-held 1 1", "done brought 1 1"]
    })
    .await;
    assert_eq!(world.copies.brought.load(SeqCst), 1);
    assert_eq!(world.copies.copy(number(0)).unwrap().movements.len(), 1, "also if what was bought lacks it");
    assert_eq!(world.copies.copy(number(1)), None);
    node.ends().await;
}

#[actix_web::test]
async fn monitors_and_update_requests_hear_of_theirs() {
    let (postgres, world) = (Postgres::shared(), World::default());
    let database = postgres.database("callbacks_neighbours");
    let mut node = Node::on(&database.url).await;
    node.works(&world, settings(), false);
    let insert = |n: u32, id: &str, state: &str| {
        let cnj = number(n).masked();
        let sql =
            format!("INSERT INTO watched_processes (cnj, monitor_id, monitor_state) VALUES ('{cnj}', {id}, '{state}')");
        postgres.execute(database.name(), &sql);
    };
    insert(0, "1567024", "pending");
    insert(1, "NULL", "pending");
    insert(2, "4", "found");
    insert(3, "1567024", "unwanted");
    for n in 0..5 {
        let mut callback = monitor_found(&number(n).masked(), "a");
        if n == 1 {
            callback["event"] = "processo_nao_encontrado".into();
        }
        node.take(&callback).await.unwrap();
    }
    node.take(&concluded(&cnj().masked(), "a")).await.unwrap();
    eventually(SOON, "all", async || count(postgres, database.name(), "received") == 0).await;
    let noted = "done monitor-noted 1 1";
    let foreign = "ignored foreign-monitor 1 1";
    assert_eq!(rows(postgres, database.name()), [noted, noted, foreign, foreign, foreign, "done followed 1 1"]);
    let sql = "SELECT concat_ws(' ', monitor_id, monitor_state) FROM watched_processes";
    let mut states: Vec<String> = postgres.rows(database.name(), sql).into_iter().flatten().flatten().collect();
    states.sort_unstable();
    assert_eq!(states, ["1567024 found", "1567024 not-found", "1567024 unwanted", "4 found"]);
    assert_eq!(*world.requests.told.lock().unwrap(), [cnj()]);
    node.ends().await;
}

#[actix_web::test]
async fn what_never_works_is_given_up_and_stays_visible() {
    let (postgres, world) = (Postgres::shared(), World::default());
    let database = postgres.database("callbacks_failed");
    let mut node = Node::on(&database.url).await;
    world.copies.hold(cnj());
    world.copies.away.store(true, SeqCst);
    node.take(&new_movement(&cnj().masked(), 9, "a")).await.unwrap();
    node.take(&concluded(&cnj().masked(), "a")).await.unwrap();
    // One that broke every node that took it, and the tier's own bound beside the plan's.
    node.take(&monitor_found(&cnj().masked(), "a")).await.unwrap();
    postgres.execute(database.name(), "UPDATE vendor_callbacks SET attempts = 99 WHERE event = 'processo_encontrado'");
    let few = juscache::config::callbacks::CallbackSettings { most_attempts: 3, ..settings() };
    node.works(&world, few, false);
    eventually(SOON, "it is given up", async || count(postgres, database.name(), "failed") == 2).await;
    assert_eq!(
        rows(postgres, database.name()),
        ["failed copies-away 1 3", "done followed 1 1", "failed unfinished 1 100"]
    );
    assert_eq!(world.copies.asked.load(SeqCst), 3);
    let report = node.intake.report(None, 10).await.unwrap();
    assert_eq!((report.waiting, report.failed, report.callbacks.len()), (0, 2, 3));

    // As the table's comment says.
    world.copies.away.store(false, SeqCst);
    let again = "UPDATE vendor_callbacks SET state = 'received', attempts = 0, next_attempt_at = now() WHERE id = 1";
    postgres.execute(database.name(), again);
    eventually(SOON, "it works now", async || count(postgres, database.name(), "done added") == 1).await;
    node.ends().await;
}

#[actix_web::test]
async fn a_number_with_wrong_check_digits_breaks_nothing() {
    let (postgres, world) = (Postgres::shared(), World::default());
    let database = postgres.database("callbacks_digits");
    let mut node = Node::on(&database.url).await;
    node.works(&world, settings(), false);
    let wrong = "1024000-20.2015.2.23.0000";
    assert_eq!(node.take(&new_movement(wrong, 9, "a")).await, Ok(Receipt::Ignored));
    assert_eq!(node.take(&json!({"event": "novo_processo", "uuid": "x"})).await, Ok(Receipt::Ignored));
    let report = node.intake.report(None, 10).await.unwrap();
    let seen: Vec<_> = report.callbacks.iter().map(|line| (line.cnj.as_deref(), line.outcome.as_deref())).collect();
    assert_eq!(seen, [(None, Some("unknown-event")), (Some(wrong), Some("foreign-number"))]);
    assert_eq!(count(postgres, database.name(), "ignored"), 2);
    node.ends().await;
}
