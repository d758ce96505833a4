//! SIGKILL at any instant: every request that was allowed to be sent is there afterwards, once, and closed as it was closed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{join, join_all};
use juscache::ambient::{Random, SystemRandom};
use juscache::ledger::Ledger;
use juscache::ledger::call::Id;

use super::samples::{FOLDER, answered, child, clear, files, interrupted, open, sent, store_all};

const FIRST: &str = "JUSCACHE_TEST_LEDGER_FIRST";
const ROUNDS: u64 = 24;
const TASKS: u64 = 8;

/// More than this many requests are more than 4 MiB, from which on the file is replaced by a shorter one.
const MANY: u64 = 9_000;

/// How far the victim said it was with one request. Each step is said before or after what it names, as the word says.
#[derive(Debug, Default, Clone, Copy)]
struct Said {
    sent: bool,
    ending: bool,
    ended: bool,
    storing: bool,
    stored: bool,
}

#[derive(Debug, Default)]
struct Model {
    calls: BTreeMap<u64, Said>,
    /// Requests that no victim was allowed to send as far as we were told: those in the middle of it when they were killed.
    unannounced: usize,
}

impl Model {
    /// Runs the victim and kills it when it has said that `at_least` requests have ended.
    fn run_and_kill(&mut self, folder: &Path, first: u64, at_least: u64) {
        let mut victim = child("ledger::killed::victim", folder).env(FIRST, first.to_string()).spawn().unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let (mut ended, mut killed) = (0, false);
        for line in lines.map_while(Result::ok) {
            let mut words = line.split(' ');
            let (Some(word), Some(Ok(n))) = (words.next(), words.next().map(str::parse::<u64>)) else { continue };
            let said = self.calls.entry(n).or_default();
            match word {
                "sent" => said.sent = true,
                "ending" => said.ending = true,
                "ended" => said.ended = true,
                "storing" => said.storing = true,
                "stored" => said.stored = true,
                _ => continue,
            }
            ended += u64::from(word == "ended");
            if !killed && ended >= at_least {
                victim.kill().unwrap();
                killed = true;
            }
        }
        victim.wait().unwrap();
        assert!(killed, "the victim ended by itself after {ended}");
    }

    /// Takes over all that the dead left, stores it, and compares.
    async fn check(&mut self, ledger: &Ledger) {
        let mut rows = store_all(ledger).await;
        for (n, said) in &mut self.calls {
            let row = rows.remove(&Id::new((*n).into()));
            let row_is_right = match &row {
                None => said.storing || !said.sent,
                Some(_) if said.stored => false,
                Some(call) if said.ended => *call == answered(*n),
                Some(call) if said.ending => [answered(*n), interrupted(*n)].contains(call),
                Some(call) => *call == interrupted(*n),
            };
            assert!(row_is_right, "request {n}: {said:?}, and the ledger says {row:?}");
            *said = Said { sent: true, storing: true, stored: true, ..*said };
        }
        self.unannounced += rows.len();
        for (id, call) in rows {
            let n = call.sent.expected_centavos;
            assert_eq!((id, &call), (Id::new(n.into()), &interrupted(n)));
            self.calls.insert(n, Said { sent: true, storing: true, stored: true, ..Said::default() });
        }
        assert_eq!((ledger.damaged(), ledger.pending()), (0, 0));
    }
}

fn below(limit: u64) -> u64 {
    u64::try_from(SystemRandom.bits() % u128::from(limit)).unwrap()
}

#[actix_web::test]
async fn every_request_is_there_once_whenever_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    let mut replaced = 0;
    for round in 1..=ROUNDS {
        let at_least = if round % 6 == 0 { MANY + below(3_000) } else { below(1_500) };
        model.run_and_kill(folder.path(), round * 1_000_000, at_least);
        if at_least >= MANY {
            let longest = files(folder.path()).iter().map(|file| file.metadata().unwrap().len()).max();
            replaced += u32::from(longest.unwrap() < 4 << 20);
        }
        // In the other rounds the next victim is the one who takes over.
        if round % 2 == 0 {
            model.check(&open(folder.path())).await;
        }
    }
    assert!(replaced > 0, "no file was replaced: the test is too short");
    assert!(model.unannounced <= usize::try_from(ROUNDS * TASKS).unwrap(), "{}", model.unannounced);
    let ledger = open(folder.path());
    assert!(clear(folder.path(), &ledger).await.is_empty());
}

#[actix_web::test]
#[ignore = "started by every_request_is_there_once_whenever_the_process_is_killed"]
async fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let ledger = open(Path::new(&folder));
    let next = AtomicU64::new(first);
    let calling = join_all((0..TASKS).map(|_| async {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            ledger.sent(sent(n)).await.unwrap();
            say("sent", n);
            match n % 50 {
                0 => {}
                1..10 => ledger.interrupt(Id::new(n.into())),
                _ => {
                    say("ending", n);
                    ledger.ended(answered(n)).await;
                    say("ended", n);
                }
            }
        }
    }));
    let storing = async {
        loop {
            ledger.changed().await;
            while let Some(batch) = ledger.next_batch(100) {
                batch.calls.iter().for_each(|call| say("storing", call.sent.expected_centavos));
                ledger.stored(&batch).await;
                batch.calls.iter().for_each(|call| say("stored", call.sent.expected_centavos));
            }
            for node in ledger.released() {
                ledger.forget(node).await;
            }
        }
    };
    join(calling, storing).await;
}

fn say(word: &str, n: u64) {
    let mut parent = std::io::stdout().lock();
    writeln!(parent, "{word} {n}").unwrap();
}
