//! What was missed is read from the vendor's list, by one node, and never twice to an effect.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use juscache::config::callbacks::CallbackSettings;

use super::fixture::{Node, SOON, World, count, new_movement, settings, verified};
use crate::postgres::samples::{cnj, number};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

const READ: &str = "SELECT 1 FROM vendor_callback_reading WHERE complete_until IS NOT NULL AND page IS NULL";

#[actix_web::test]
async fn after_an_outage_of_postgresql_what_was_missed_is_replayed() {
    let (postgres, world) = (Postgres::own(), World::default());
    let database = postgres.database("callbacks_outage");
    let mut node = Node::on(&database.url).await;
    world.copies.hold(cnj());
    let masked = cnj().masked();
    node.works(&world, settings(), true);
    eventually(SOON, "the first reading", async || postgres.rows(database.name(), READ).len() == 1).await;
    node.take(&new_movement(&masked, 1, "delivered")).await.unwrap();

    postgres.stop();
    node.tier.learns(false).await;
    for uuid in ["a", "b"] {
        assert!(node.take(&new_movement(&masked, 2, uuid)).await.is_err());
    }
    // The vendor's list has both, in other words for the same.
    *world.list.pages.lock().unwrap() =
        vec![vec![new_movement(&masked, 2, "listed")], vec![new_movement(&masked, 1, "listed")]];
    postgres.start();
    eventually(SOON, "the missed one", async || count(&postgres, database.name(), "done") == 2).await;
    assert_eq!(world.copies.effects(), ["movement", "movement"]);
    assert_eq!(world.copies.brought.load(SeqCst), 0);
    assert!(node.tier.metrics.render().contains("{event=\"nova_movimentacao\",outcome=\"missed\"} 1"));
    node.ends().await;
}

#[actix_web::test]
async fn one_of_several_nodes_reads_and_the_list_is_read_at_its_times() {
    let (postgres, world) = (Postgres::shared(), World::default());
    let database = postgres.database("callbacks_readers");
    world.copies.hold(cnj());
    *world.list.pages.lock().unwrap() = (0..3).map(|id| vec![new_movement(&cnj().masked(), id, "x")]).collect();
    let settings = CallbackSettings { list_every: Duration::from_secs(3600), ..settings() };
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(Node::on(&database.url).await);
    }
    // Together, so that their wishes at the start become few readings.
    for node in &mut nodes {
        node.works(&world, settings.clone(), true);
    }
    eventually(SOON, "all three", async || count(postgres, database.name(), "done") == 3).await;
    eventually(SOON, "the end", async || postgres.rows(database.name(), READ).len() == 1).await;
    let pages: Vec<u32> = world.list.asked.lock().unwrap().iter().map(|(_, page)| *page).collect();
    assert_eq!(pages.len() % 3, 0, "{pages:?}");
    assert!(pages.chunks(3).all(|reading| reading == [1, 2, 3]), "never two at a time: {pages:?}");
    assert!(pages.len() <= 9, "at most one for each start: {pages:?}");
    assert_eq!(world.copies.effects().len(), 3);

    // An hour later, as the table tells it.
    let before = pages.len();
    postgres.execute(database.name(), "UPDATE vendor_callback_reading SET next_at = now()");
    eventually(SOON, "the next reading", async || world.list.asked.lock().unwrap().len() >= before + 3).await;
    let asked = world.list.asked.lock().unwrap().clone();
    let (first, last) = (asked[0].0, asked.last().unwrap().0);
    let hours = (last - first).num_hours();
    assert!((70..=72).contains(&hours), "first three days back, then the overlap only: {hours} h");
    for node in nodes {
        node.ends().await;
    }
}

#[actix_web::test]
async fn a_reading_that_is_cut_off_goes_on_where_it_stopped() {
    let (postgres, world) = (Postgres::shared(), World::default());
    let database = postgres.database("callbacks_cut_off");
    let mut node = Node::on(&database.url).await;
    let callback = |n: u32| verified(&number(n).masked(), "2025-07-14 03:59:10", "x");
    *world.list.pages.lock().unwrap() = (0..5).map(|n| vec![callback(n)]).collect();
    *world.list.broken.lock().unwrap() = Some(4);
    // Also by its own bound: two pages a turn.
    node.works(&world, CallbackSettings { pages_a_turn: 2, ..settings() }, true);
    eventually(SOON, "the page that is broken", async || {
        world.list.asked.lock().unwrap().iter().filter(|(_, page)| *page == 4).count() >= 2
    })
    .await;
    assert!(postgres.rows(database.name(), READ).is_empty(), "it is not complete");
    *world.list.broken.lock().unwrap() = None;
    eventually(SOON, "the end", async || postgres.rows(database.name(), READ).len() == 1).await;
    eventually(SOON, "all", async || count(postgres, database.name(), "ignored not-held") == 5).await;
    let mut asked = world.list.asked.lock().unwrap().clone();
    asked.dedup();
    let pages: Vec<u32> = asked.iter().map(|(_, page)| *page).collect();
    assert_eq!(pages, [1, 2, 3, 4, 5]);
    assert!(asked.iter().all(|(since, _)| *since == asked[0].0));
    node.ends().await;
}
