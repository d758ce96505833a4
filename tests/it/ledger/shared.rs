//! Several processes on one folder: each has a file of its own, and only the dead are taken over, each by one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use juscache::ledger::call::{Call, Id};
use tokio::time::timeout;

use super::samples::{FOLDER, PATIENCE, answered, child, clear, files, interrupted, open, open_with, sent, store_all};
use crate::support::guard::Signal;
use crate::support::wait::eventually;

/// A neighbour that has sent ten requests, five of which have ended.
fn neighbour(folder: &Path) -> Child {
    let mut process = child("ledger::shared::a_neighbour", folder).stdin(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "ready"), "it ended before it was ready");
    process
}

#[actix_web::test]
#[ignore = "started by the_living_are_left_alone_and_the_dead_taken_over"]
async fn a_neighbour() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let ledger = open(Path::new(&folder));
    for n in 1..=10 {
        ledger.sent(sent(n)).await.unwrap();
    }
    for n in [3, 1, 2, 5, 4] {
        ledger.ended(answered(n)).await;
    }
    writeln!(std::io::stdout(), "ready").unwrap();
    // Until it is killed, or its parent is gone.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[actix_web::test]
async fn the_living_are_left_alone_and_the_dead_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let mut neighbour = neighbour(folder.path());
    assert_eq!((ledger.adopt().await.unwrap(), ledger.pending()), (0, 0));
    Signal::Stop.send(&[neighbour.id()]);
    assert_eq!((ledger.adopt().await.unwrap(), ledger.pending()), (0, 0), "stopped is not dead");
    assert_eq!((files(folder.path()).len(), ledger.released()), (4, vec![]));

    neighbour.kill().unwrap();
    neighbour.wait().unwrap();
    ledger.sent(sent(11)).await.unwrap();
    ledger.ended(answered(11)).await;
    assert_eq!((ledger.adopt().await.unwrap(), ledger.pending()), (1, 11));
    assert_eq!((ledger.adopt().await.unwrap(), ledger.pending()), (0, 11));

    let batch = ledger.next_batch(100).unwrap();
    assert_ne!(batch.node, ledger.node());
    let expected = [3, 1, 2, 5, 4].map(answered).into_iter().chain((6..=10).map(interrupted));
    assert_eq!(batch.calls.to_vec(), expected.collect::<Vec<_>>());
    ledger.forget(batch.node).await;
    assert_eq!((ledger.pending(), files(folder.path()).len()), (11, 4), "it has calls to be stored");
    ledger.stored(&batch).await;
    assert_eq!(ledger.released(), [batch.node]);
    ledger.forget(batch.node).await;
    assert_eq!((ledger.released(), files(folder.path()).len()), (vec![], 2));

    let own = ledger.next_batch(100).unwrap();
    assert_eq!((own.node, own.calls.to_vec()), (ledger.node(), vec![answered(11)]));
}

#[actix_web::test]
async fn one_who_takes_over_and_dies_is_taken_over_with_what_it_had_taken() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    for n in 1..=5 {
        first.sent(sent(n)).await.unwrap();
    }
    first.ended(answered(4)).await;
    let first_node = first.node();
    drop(first);

    let second = open_with(folder.path(), 5).await;
    let second_node = second.node();
    second.sent(sent(6)).await.unwrap();
    second.stored(&second.next_batch(2).unwrap()).await;
    assert_eq!(second.pending(), 3);
    drop(second);

    let third = open_with(folder.path(), 4).await;
    let mut released = vec![first_node, second_node];
    released.sort();
    let rows: Vec<Call> = store_without_forgetting(&third).await.into_values().collect();
    assert_eq!(rows, [2, 3, 5, 6].map(interrupted));
    assert_eq!(third.released(), released);
    drop(third);
    // What is stored but not forgotten is released once more, and not counted once more.
    let fourth = open_with(folder.path(), 0).await;
    eventually(PATIENCE, "all three are released", async || {
        fourth.adopt().await.unwrap();
        fourth.released().len() == 3
    })
    .await;
    assert_eq!(fourth.pending(), 0);
}

async fn store_without_forgetting(ledger: &juscache::ledger::Ledger) -> BTreeMap<Id, Call> {
    let mut rows = BTreeMap::new();
    while let Some(batch) = ledger.next_batch(1) {
        rows.extend(batch.calls.iter().map(|call| (call.sent.id, call.clone())));
        ledger.stored(&batch).await;
    }
    rows
}

/// Many that start, take over, store and end at once: no request is stored by two, none by nobody.
#[actix_web::test]
async fn whoever_starts_and_ends_at_the_same_time_each_request_is_stored_once() {
    const THREADS: u64 = 6;
    const LIVES: u64 = 40;
    let folder = tempfile::tempdir().unwrap();
    let rows: Mutex<Vec<Id>> = Mutex::default();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (rows, folder) = (&rows, folder.path());
            scope.spawn(move || {
                actix_web::rt::System::new().block_on(async move {
                    for life in 0..LIVES {
                        let ledger = open(folder);
                        let n = 1 + thread * LIVES + life;
                        ledger.sent(sent(n)).await.unwrap();
                        if n.is_multiple_of(2) {
                            ledger.ended(answered(n)).await;
                        }
                        ledger.adopt().await.unwrap();
                        if n.is_multiple_of(3) {
                            let stored = store_all(&ledger).await;
                            rows.lock().unwrap().extend(stored.into_keys());
                        }
                    }
                });
            });
        }
    });
    let ledger = open(folder.path());
    let mut rows = rows.into_inner().unwrap();
    rows.extend(clear(folder.path(), &ledger).await.into_keys());
    rows.sort();
    assert_eq!(rows, (1..=THREADS * LIVES).map(|n| Id::new(n.into())).collect::<Vec<_>>());
    assert_eq!(ledger.damaged(), 0);
}

#[actix_web::test]
async fn leavings_of_a_start_and_of_an_end_are_tidied_up() {
    let folder = tempfile::tempdir().unwrap();
    let named = |n: u128, extension: &str| folder.path().join(format!("{}.{extension}", Id::new(n)));
    // Killed before it had a name; before it had a ledger; and a ledger that somebody has robbed of its lock.
    std::fs::write(named(1, "starting"), b"").unwrap();
    std::fs::write(named(2, "lock"), b"").unwrap();
    std::fs::write(named(3, "ledger"), b"").unwrap();
    std::fs::write(named(3, "tmp"), b"a new file that was not finished").unwrap();
    std::fs::write(folder.path().join("somebody else's file.ledger"), b"").unwrap();
    let ledger = open(folder.path());
    assert_eq!(ledger.released(), [Id::new(3)]);
    assert_eq!(files(folder.path()).len(), 5, "{:?}", files(folder.path()));
    ledger.forget(Id::new(3)).await;
    assert_eq!(files(folder.path()).len(), 3);
}

#[actix_web::test]
async fn whoever_stores_hears_of_everything_there_is_to_store() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let quiet = async || timeout(Duration::from_millis(30), ledger.changed()).await.is_err();
    assert!(quiet().await);
    for n in 1..=2 {
        ledger.sent(sent(n)).await.unwrap();
    }
    assert!(quiet().await);
    ledger.ended(answered(1)).await;
    timeout(PATIENCE, ledger.changed()).await.unwrap();
    ledger.interrupt(Id::new(2));
    timeout(PATIENCE, ledger.changed()).await.unwrap();
    ledger.interrupt(Id::new(2));
    ledger.interrupt(Id::new(9));
    ledger.ended(answered(2)).await;
    assert!(quiet().await);
    assert_eq!(ledger.next_batch(9).unwrap().calls.to_vec(), [answered(1), interrupted(2)]);
    drop(open(folder.path()));
    eventually(PATIENCE, "the other one is taken over", async || ledger.adopt().await.unwrap() == 1).await;
    timeout(PATIENCE, ledger.changed()).await.unwrap();
    assert_eq!(ledger.released().len(), 1);
}
