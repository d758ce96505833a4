//! The stored lists to load: stored once, each process taken by one node, counted once, seen by nobody else.

use std::time::Duration;

use futures_util::future::join_all;
use juscache::domain::warm::{
    ItemNext, ItemNote, ItemState, ListChange, ListState, PauseReason, TakenItem, WarmDetail, WarmList,
};
use juscache::postgres_tier::messages::PostgresError;
use juscache::postgres_tier::warm::messages::{AcceptList, CancelList, ClaimItems, NoteItem, ReadList};

use super::samples::{Tier, number, soon};
use crate::support::postgres::Postgres;

const HOUR: Duration = Duration::from_secs(3600);

async fn accept(tier: &Tier, id: u8, numbers: std::ops::Range<u32>) -> Option<WarmList> {
    let cnjs = numbers.map(number).collect();
    let accept = AcceptList { id: format!("{id:016x}"), cnjs, duplicates: 1, most_running: 3 };
    tier.actor.ask(accept, soon()).await.unwrap().unwrap()
}

async fn claim(tier: &Tier, most: usize) -> Vec<TakenItem> {
    tier.actor.ask(ClaimItems { most, lease: HOUR }, soon()).await.unwrap().unwrap()
}

async fn note(tier: &Tier, item: &TakenItem, next: ItemNext, list: ListChange) -> Option<WarmList> {
    let note = ItemNote { next, attempts: item.attempts + 1, outcome: "api", cost_centavos: 600, list };
    tier.actor.ask(NoteItem { item: item.clone(), note }, soon()).await.unwrap().unwrap()
}

const DONE: ItemNext = ItemNext::Over(ItemState::Done);
const AT_ONCE: ItemNext = ItemNext::Again { after_seconds: 0.0 };

fn pause(seconds: f64, strikes: u32) -> ListChange {
    ListChange::Pause { seconds, reason: PauseReason::RateLimited, strikes }
}

#[actix_web::test]
async fn a_list_is_stored_once_under_its_id_and_a_crowd_is_turned_away() {
    let database = Postgres::shared().database("warm store");
    let tier = Tier::on(&database.url).await;
    let first = accept(&tier, 1, 0..3).await.unwrap();
    assert_eq!((first.state, first.total, first.waiting, first.duplicates), (ListState::Running, 3, 3, 1));
    assert_eq!(accept(&tier, 1, 0..3).await, Some(first), "said again, it is the same");
    assert_eq!(Postgres::shared().rows(database.name(), "SELECT 1 FROM warm_items").len(), 3);
    assert!(accept(&tier, 2, 0..1).await.is_some() && accept(&tier, 3, 0..1).await.is_some());
    assert_eq!(accept(&tier, 4, 0..1).await, None);
    let cancelled = tier.actor.ask(CancelList { id: format!("{:016x}", 2) }, soon()).await.unwrap().unwrap();
    assert_eq!(cancelled.unwrap().state, ListState::Cancelled);
    assert!(accept(&tier, 4, 0..1).await.is_some(), "there is room again");
}

#[actix_web::test]
async fn each_process_is_taken_by_one_node_whatever_the_list() {
    let database = Postgres::shared().database("warm claim");
    let nodes = join_all((0..4).map(|_| Tier::on(&database.url))).await;
    accept(&nodes[0], 1, 0..40).await.unwrap();
    accept(&nodes[0], 2, 20..60).await.unwrap();
    let mut taken = Vec::new();
    for _ in 0..10 {
        taken.extend(join_all(nodes.iter().map(|node| claim(node, 3))).await.into_iter().flatten());
    }
    let mut numbers: Vec<_> = taken.iter().map(|item| item.cnj).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((numbers.len(), taken.len()), (60, 60), "everything is taken, and nothing twice");
    assert!(claim(&nodes[0], 10).await.is_empty(), "until the lease ends");
    let time_passes = "UPDATE warm_items SET next_attempt_at = now(), taken_until = now() - interval '1 second'
                       WHERE taken_until IS NOT NULL";
    Postgres::shared().execute(database.name(), time_passes);
    assert_eq!(claim(&nodes[1], 10).await.len(), 10);
}

#[actix_web::test]
async fn a_try_is_counted_once_and_a_late_word_only_if_it_is_the_last() {
    let database = Postgres::shared().database("warm note");
    let tier = Tier::on(&database.url).await;
    accept(&tier, 1, 0..2).await.unwrap();
    let items = claim(&tier, 10).await;
    let list = note(&tier, &items[0], DONE, ListChange::None).await.unwrap();
    assert_eq!((list.done, list.waiting, list.cost_centavos, list.state), (1, 1, 600, ListState::Running));
    assert_eq!(note(&tier, &items[0], DONE, ListChange::None).await, None, "said twice");
    let again = note(&tier, &items[1], AT_ONCE, ListChange::None).await.unwrap();
    assert_eq!((again.waiting, again.cost_centavos), (1, 1_200));
    assert_eq!(note(&tier, &items[1], AT_ONCE, ListChange::None).await, None, "it is not taken any more");
    let second = claim(&tier, 10).await.remove(0);
    assert_eq!((second.attempts, second.claim), (1 + items[1].attempts, 2));
    assert_eq!(note(&tier, &items[1], AT_ONCE, ListChange::None).await, None, "somebody else has it");
    let list = note(&tier, &items[1], DONE, ListChange::None).await.unwrap();
    assert_eq!((list.state, list.done, list.waiting), (ListState::Done, 2, 0), "what is over is over");
    assert!(list.ended_at.is_some());
    assert_eq!(note(&tier, &second, DONE, ListChange::None).await, None);
    let read = ReadList { id: list.id.clone(), most_failed: 10 };
    assert_eq!(tier.actor.ask(read, soon()).await.unwrap().unwrap(), Some(WarmDetail { list, failures: Vec::new() }));
}

#[actix_web::test]
async fn a_pause_holds_the_whole_list_and_one_process_finds_out() {
    let database = Postgres::shared().database("warm pause");
    let tier = Tier::on(&database.url).await;
    accept(&tier, 1, 0..10).await.unwrap();
    let items = claim(&tier, 3).await;
    let list = note(&tier, &items[0], AT_ONCE, pause(3_600.0, 1)).await.unwrap();
    assert_eq!(list.paused_reason, Some(PauseReason::RateLimited));
    note(&tier, &items[1], AT_ONCE, pause(1.0, 1)).await.unwrap();
    let list = note(&tier, &items[2], DONE, ListChange::None).await.unwrap();
    assert!((list.paused_until.unwrap() - list.requested_at).num_seconds() > 3_000, "the longest counts");
    assert!(claim(&tier, 10).await.is_empty());
    let an_hour_passes = "UPDATE warm_lists SET paused_until = now()";
    Postgres::shared().execute(database.name(), an_hour_passes);
    let trial = claim(&tier, 10).await;
    assert_eq!((trial.len(), trial[0].strikes), (1, 1));
    assert!(claim(&tier, 10).await.is_empty(), "nobody else tries meanwhile");
    // It told nothing: the next one tries.
    note(&tier, &trial[0], ItemNext::Over(ItemState::Known), ListChange::TryNext).await.unwrap();
    let trial = claim(&tier, 10).await;
    assert_eq!((trial.len(), trial[0].strikes), (1, 1));
    let list = note(&tier, &trial[0], AT_ONCE, pause(0.0, 2)).await.unwrap();
    assert_eq!(list.paused_reason, Some(PauseReason::RateLimited), "its word ends the wait for it");
    let trial = claim(&tier, 10).await;
    assert_eq!((trial.len(), trial[0].strikes), (1, 2));
    let list = note(&tier, &trial[0], DONE, ListChange::Resume).await.unwrap();
    assert_eq!((list.paused_reason, list.paused_until), (None, None));
    assert_eq!(claim(&tier, 10).await.len(), 7);
}

#[actix_web::test]
async fn nobody_but_the_owner_reads_or_writes_them() {
    let database = Postgres::shared().database("warm rights");
    let tier = Tier::on(&database.url).await;
    accept(&tier, 1, 0..1).await.unwrap();
    let role = format!("role_{}", database.name());
    Postgres::shared().execute(database.name(), &format!("CREATE ROLE {role}"));
    for table in ["warm_lists", "warm_items"] {
        for right in ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"] {
            let sql = format!("SELECT has_table_privilege('{role}', '{table}', '{right}')");
            assert_eq!(Postgres::shared().rows(database.name(), &sql), [[Some("f".to_owned())]], "{table} {right}");
        }
    }
    let sql = format!("SELECT has_function_privilege('{role}', 'claim_warm_items(integer, interval)', 'EXECUTE')");
    assert_eq!(Postgres::shared().rows(database.name(), &sql), [[Some("f".to_owned())]]);
    Postgres::shared().execute(database.name(), &format!("DROP ROLE {role}"));
}

#[actix_web::test]
async fn the_tables_themselves_refuse_what_cannot_be() {
    let database = Postgres::shared().database("warm checks");
    let tier = Tier::on(&database.url).await;
    let twice =
        AcceptList { id: format!("{:016x}", 1), cnjs: vec![number(1), number(1)], duplicates: 0, most_running: 3 };
    assert_eq!(tier.actor.ask(twice, soon()).await.unwrap(), Err(PostgresError::Refused));
    assert!(Postgres::shared().rows(database.name(), "SELECT 1 FROM warm_lists").is_empty(), "all or nothing");
}
