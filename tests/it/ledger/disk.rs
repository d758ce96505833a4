//! What the disk does to a ledger: no room, damage, other eyes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use futures_util::FutureExt;
use juscache::ambient::SystemRandom;
use juscache::ledger::call::Id;
use juscache::ledger::{Ledger, LedgerError};
use rlimit::Resource;

use super::samples::{FOLDER, answered, child, files, interrupted, open, open_with, sent, store_all};

/// The size of a file, in bytes, from which on the system refuses to let it grow. No whole number of lines.
const ROOM: u64 = 10_007;

/// Room for the requests of a whole test.
const AMPLE: u64 = 10_000_000;

struct FullDisk {
    process: std::process::Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl FullDisk {
    fn start(folder: &Path) -> Self {
        let victim = child("ledger::disk::victim", folder);
        // A file that gets too long must be an error, as a full disk is, and not a deadly signal.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(victim.get_program()).args(victim.get_args());
        command.env(FOLDER, folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, input, output: BufReader::new(output) }
    }

    /// What it says behind this word.
    fn hear(&mut self, word: &str) -> u64 {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "it ended before it said {word}");
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().parse().unwrap();
            }
        }
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[actix_web::test]
async fn a_full_disk_lets_nothing_be_sent_and_what_ended_is_written_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = FullDisk::start(folder.path());
    let allowed = disk.hear("refused after");
    assert!((10..100).contains(&allowed), "{allowed}");
    writeln!(disk.input, "there is room").unwrap();
    assert_eq!(disk.hear("written"), allowed + 1);
    disk.kill();

    let ledger = open(folder.path());
    let rows = store_all(&ledger).await;
    let expected = (1..=allowed).map(answered).chain([interrupted(500)]);
    assert_eq!(rows, expected.map(|call| (call.sent.id, call)).collect());
    assert_eq!(ledger.damaged(), 0);
}

#[actix_web::test]
async fn killed_on_a_full_disk_what_could_not_be_written_counts_as_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = FullDisk::start(folder.path());
    let allowed = disk.hear("refused after");
    disk.kill();

    let ledger = open(folder.path());
    let rows = store_all(&ledger).await;
    let ids: Vec<Id> = (1..=allowed).map(|n| Id::new(n.into())).collect();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), ids);
    for (n, call) in (1..).zip(rows.into_values()) {
        assert!([answered(n), interrupted(n)].contains(&call), "{call:?}");
    }
    assert_eq!(ledger.damaged(), 0);
}

#[actix_web::test]
#[ignore = "started by a_full_disk_lets_nothing_be_sent_and_what_ended_is_written_when_there_is_room and by killed_on_a_full_disk"]
async fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let ledger = open(Path::new(&folder));
    Resource::FSIZE.set(ROOM, AMPLE).unwrap();
    let mut allowed = 0;
    let refused = loop {
        match ledger.sent(sent(allowed + 1)).await {
            Ok(()) => allowed += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, LedgerError::Disk(_)), "{refused}");
    for n in 1..=allowed {
        ledger.ended(answered(n)).await;
        assert!(matches!(ledger.sent(sent(400 + n)).await, Err(LedgerError::Disk(_))));
    }
    assert_eq!((ledger.open_calls(), ledger.pending()), (0, usize::try_from(allowed).unwrap()));
    writeln!(std::io::stdout(), "refused after {allowed}").unwrap();

    std::io::stdin().read_line(&mut String::new()).unwrap();
    Resource::FSIZE.set(AMPLE, AMPLE).unwrap();
    ledger.sent(sent(500)).await.unwrap();
    writeln!(std::io::stdout(), "written {}", ledger.open_calls() + ledger.pending()).unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[actix_web::test]
async fn a_full_ledger_refuses_and_takes_again_what_postgresql_has_made_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), &SystemRandom::shared(), 2).unwrap();
    ledger.sent(sent(1)).await.unwrap();
    ledger.sent(sent(2)).await.unwrap();
    assert!(matches!(ledger.sent(sent(3)).await, Err(LedgerError::Full)));
    ledger.ended(answered(1)).await;
    assert!(matches!(ledger.sent(sent(3)).await, Err(LedgerError::Full)), "it is not stored yet");
    ledger.stored(&ledger.next_batch(10).unwrap()).await;
    ledger.sent(sent(3)).await.unwrap();
    assert_eq!((ledger.open_calls(), ledger.pending()), (2, 0));
}

/// A caller that goes away while its line is on its way to the disk sends nothing, and so nothing is counted.
#[actix_web::test]
async fn a_request_whose_caller_went_away_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let (mut given_up, mut sent_all) = (0, Vec::new());
    for n in 1..=900 {
        let mut sending = Box::pin(ledger.sent(sent(n)));
        let mut entered = sending.as_mut().now_or_never();
        match n % 3 {
            // Goes away at once.
            0 => {}
            // Goes away when the line is most likely in the file, without having heard of it.
            1 => tokio::task::spawn_blocking(|| {}).await.unwrap(),
            _ if entered.is_none() => entered = Some(sending.await),
            _ => {}
        }
        match entered {
            Some(entered) => {
                entered.unwrap();
                sent_all.push(Id::new(n.into()));
            }
            None => given_up += 1,
        }
    }
    assert!(given_up > 0, "nobody went away");
    ledger.adopt().await.unwrap();
    assert_eq!((ledger.open_calls(), ledger.pending()), (sent_all.len(), 0));
    drop(ledger);
    let rows = store_all(&open_with(folder.path(), sent_all.len()).await).await;
    assert_eq!(rows.into_keys().collect::<Vec<_>>(), sent_all);
}

#[actix_web::test]
async fn a_damaged_file_gives_what_it_still_says_and_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let name = format!("{}.ledger", ledger.node());
    for n in 1..=4 {
        ledger.sent(sent(n)).await.unwrap();
    }
    ledger.ended(answered(2)).await;
    drop(ledger);
    let file = folder.path().join(&name);
    let damaged = std::fs::read_to_string(&file).unwrap().replacen("movements", "m\0vements", 1);
    std::fs::write(&file, &damaged).unwrap();

    let ledger = open_with(folder.path(), 3).await;
    assert_eq!(ledger.damaged(), 1);
    let rows = store_all(&ledger).await;
    let expected = [answered(2), interrupted(3), interrupted(4)];
    assert_eq!(rows, expected.map(|call| (call.sent.id, call)).into());
    let aside = std::fs::read_to_string(folder.path().join("corrupt").join(&name)).unwrap();
    assert!(aside.starts_with(&damaged) && files(folder.path()).len() == 2);
}

#[actix_web::test]
async fn a_line_that_was_cut_off_is_gone_and_the_file_goes_on_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let file = folder.path().join(format!("{}.ledger", ledger.node()));
    for n in 1..=3 {
        ledger.sent(sent(n)).await.unwrap();
    }
    drop(ledger);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.truncate(bytes.len() - 10);
    std::fs::write(&file, bytes).unwrap();

    for left in [2, 1] {
        let ledger = open_with(folder.path(), left).await;
        assert_eq!(ledger.damaged(), 0);
        if let Some(batch) = ledger.next_batch(1) {
            ledger.stored(&batch).await;
        }
    }
}

#[actix_web::test]
async fn nobody_else_on_the_machine_reads_the_ledger() {
    use std::os::unix::fs::PermissionsExt;

    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("ledger");
    let ledger = open(&folder);
    ledger.sent(sent(1)).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files = files(&folder);
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|file| mode(file) == 0o600));
}
