//! Invented requests, a ledger to put them into, and a process of its own to do so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use juscache::ambient::SystemRandom;
use juscache::domain::caller::{Caller, Lane};
use juscache::domain::cnj::Cnj;
use juscache::domain::snapshot::Provider;
use juscache::ledger::call::{Call, CallOutcome, Cost, Draw, Endpoint, Id, Sent};
use juscache::ledger::{DEFAULT_CAPACITY, Ledger};

use crate::support::wait::eventually;

/// Tells a child process of these tests which folder is meant.
pub(crate) const FOLDER: &str = "JUSCACHE_TEST_LEDGER";

/// Long enough for anything that happens on a disk.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, &SystemRandom::shared(), DEFAULT_CAPACITY).unwrap()
}

/// The same, and waits until so much is to be stored. A ledger that was dropped in this very process is not always free at once:
/// a process that another test starts at this moment holds its lock as well, until it has become that other program.
pub(crate) async fn open_with(folder: &Path, pending: usize) -> Ledger {
    let ledger = open(folder);
    eventually(PATIENCE, "what was left is taken over", async || {
        ledger.adopt().await.unwrap();
        ledger.pending() >= pending
    })
    .await;
    assert_eq!(ledger.pending(), pending);
    ledger
}

/// Takes over, stores and removes whatever is left in the folder, until only this ledger's own two files are there.
pub(crate) async fn clear(folder: &Path, ledger: &Ledger) -> BTreeMap<Id, Call> {
    let mut rows = BTreeMap::new();
    eventually(PATIENCE, "all that was left is taken over", async || {
        ledger.adopt().await.unwrap();
        for (id, call) in store_all(ledger).await {
            assert_eq!(rows.insert(id, call), None, "offered twice");
        }
        files(folder).len() == 2
    })
    .await;
    rows
}

/// A request of `n` centavos, by which it is known again.
pub(crate) fn sent(n: u64) -> Sent {
    Sent {
        id: Id::new(n.into()),
        at: chrono::DateTime::<Utc>::UNIX_EPOCH + TimeDelta::milliseconds(n.try_into().unwrap()),
        provider: Provider::Escavador,
        endpoint: Endpoint::Movements,
        cnj: Some(Cnj::parse("0000001-39.2024.8.26.0100").unwrap()),
        lane: Lane::Background,
        caller: Caller::Service,
        expected_centavos: n,
        draw: Some(Draw { reservation: Id::new(u128::from(n) << 64), centavos: n }),
    }
}

/// The same, answered, and a little dearer than expected.
pub(crate) fn answered(n: u64) -> Call {
    Call { sent: sent(n), outcome: CallOutcome::Ok, status: Some(200), cost: Cost::Charged(n + 1), took_ms: n }
}

/// The same, and nobody knows.
pub(crate) fn interrupted(n: u64) -> Call {
    Call { sent: sent(n), outcome: CallOutcome::Interrupted, status: None, cost: Cost::Presumed(n), took_ms: 0 }
}

/// Stores all that is to be stored, as PostgreSQL would: what it has stays. Gives every call once, and fails if one was offered
/// as two different ones, or twice in a batch.
pub(crate) async fn store_all(ledger: &Ledger) -> BTreeMap<Id, Call> {
    let mut rows = BTreeMap::new();
    while let Some(batch) = ledger.next_batch(300) {
        for call in batch.calls.iter() {
            assert_eq!(rows.insert(call.sent.id, call.clone()), None, "offered twice");
        }
        ledger.stored(&batch).await;
    }
    for node in ledger.released() {
        ledger.forget(node).await;
    }
    rows
}

/// The names of the files in a folder, without the folders in it.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// This test binary again, as the `#[ignore]`d test of that name, on that folder.
pub(crate) fn child(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--ignored"]).env(FOLDER, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}
