//! What was paid for while PostgreSQL was away: kept through anything, and stored when it is back.

use std::io::ErrorKind;
use std::path::Path;

use juscache::config::postgres::PostgresSettings;
use juscache::domain::codec::Envelope;
use juscache::domain::version::Version;
use juscache::journal::Journal;
use juscache::postgres_tier::messages::PostgresError;

use super::samples::{PATIENCE, Tier, cnj, copy, day, entry, files_in, movement, number};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

fn bytes(fetched: i64) -> bytes::Bytes {
    copy(1, fetched, vec![movement(1, "x")]).envelope().bytes().clone()
}

async fn kept(journal: &Journal) -> Option<Version> {
    journal.get(cnj()).await.unwrap().map(|envelope| envelope.header.version)
}

#[actix_web::test]
async fn answers_bought_during_an_outage_are_stored_when_it_is_over() {
    let cluster = Postgres::own();
    let database = cluster.database("replay");
    let tier = Tier::on(&database.url).await;
    tier.store(&copy(1, 5, vec![movement(1, "stored before")])).await.unwrap();
    cluster.kill9();
    for n in 0..20 {
        // An old answer for the process that has a newer one already, new ones for the others.
        let bought = entry(number(n), Version::new(Some(day(1)), day(3)), vec![movement(1, "bought")]);
        let said = tier.store(&bought).await;
        assert!(matches!(said, Err(PostgresError::Away | PostgresError::Disconnected)), "{said:?}");
        tier.journal.keep(number(n), bought.envelope().bytes().clone()).await.unwrap();
    }
    assert_eq!(tier.journal.pending(), 20);

    cluster.start();
    eventually(PATIENCE, "the journal is empty", async || tier.journal.pending() == 0).await;
    for n in 0..20 {
        let stored = tier.read(number(n)).await.unwrap().unwrap();
        let expected = if n == 0 { day(5) } else { day(3) };
        assert_eq!(stored.version.fetched_at, expected, "process {n}");
    }
    let gauge = "juscache_journal_pending 0";
    eventually(PATIENCE, gauge, async || tier.metrics.render().lines().any(|line| line == gauge)).await;
}

#[actix_web::test]
async fn what_a_dead_process_left_is_stored_at_the_next_start() {
    let database = Postgres::shared().database("left");
    juscache::postgres_tier::migrations::apply(&database.url.clone().into()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    Journal::open(folder.path()).unwrap().keep(cnj(), bytes(1)).await.unwrap();
    let damaged = number(3);
    std::fs::write(folder.path().join(format!("{}.envelope", damaged.digits())), b"JUSC, or so it seems").unwrap();

    let journal = Journal::open(folder.path()).unwrap();
    assert_eq!(journal.pending(), 2);
    let tier = Tier::over(PostgresSettings::new(database.url.clone().into()), journal, folder);
    eventually(PATIENCE, "both are dealt with", async || tier.journal.pending() == 0).await;
    assert!(tier.read(cnj()).await.unwrap().is_some());
    assert!(tier.read(damaged).await.unwrap().is_none());
    assert_eq!(tier.journal.corrupt(), 1);
}

#[actix_web::test]
async fn an_older_version_replaces_no_newer_one_and_removing_means_that_version() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let version = |fetched| Version::new(Some(day(1)), day(fetched));
    for (kept_now, expected) in [(5, 5), (4, 5), (5, 5), (6, 6)] {
        journal.keep(cnj(), bytes(kept_now)).await.unwrap();
        assert_eq!(kept(&journal).await, Some(version(expected)));
    }
    journal.remove(cnj(), version(5)).await.unwrap();
    assert_eq!(kept(&journal).await, Some(version(6)), "another version was kept meanwhile");
    journal.remove(cnj(), version(6)).await.unwrap();
    assert_eq!((kept(&journal).await, journal.pending()), (None, 0));
    journal.remove(cnj(), version(6)).await.unwrap();
    assert_eq!(files_in(folder.path()), 0);
}

#[actix_web::test]
async fn a_full_journal_says_so_and_still_takes_news_of_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::bounded(folder.path(), 2).unwrap();
    for n in 0..2 {
        journal.keep(number(n), bytes(1)).await.unwrap();
    }
    let refused = journal.keep(number(2), bytes(1)).await.unwrap_err();
    assert_eq!((refused.kind(), journal.pending()), (ErrorKind::StorageFull, 2));
    journal.keep(cnj(), bytes(2)).await.unwrap();
    assert_eq!(kept(&journal).await.unwrap().fetched_at, day(2));
}

#[actix_web::test]
async fn only_a_process_is_journaled() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let mut header = *copy(1, 1, vec![]).header();
    header.kind = juscache::domain::codec::Kind::Absence;
    let absence = Envelope::absence(header).unwrap();
    for wrong in [absence.bytes().clone(), bytes::Bytes::from_static(b"nonsense")] {
        let refused = journal.keep(cnj(), wrong).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidData);
    }
    assert_eq!(files_in(folder.path()), 0);
}

/// SIGKILL leaves a file that was being written under its temporary name, cut off anywhere, and the earlier one whole.
#[actix_web::test]
async fn a_write_that_was_cut_off_anywhere_leaves_the_earlier_answer() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join(cnj().digits());
    let whole = bytes(2);
    for cut in [0, 1, 63, 64, 65, whole.len() / 2, whole.len() - 1, whole.len()] {
        let earlier = Journal::open(folder.path()).unwrap();
        earlier.keep(cnj(), bytes(1)).await.unwrap();
        std::fs::write(name.with_extension("tmp"), whole.get(..cut).unwrap()).unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        assert_eq!((journal.pending(), journal.corrupt()), (1, 0));
        assert_eq!(kept(&journal).await.unwrap().fetched_at, day(1), "cut at {cut}");
        assert_eq!(files_in(folder.path()), 1);
    }
}

/// A disk that loses the tail of a file, or a bit of it: noticed, moved aside, and nobody else is held up.
#[actix_web::test]
async fn a_damaged_file_is_moved_aside_and_replaced_by_the_next_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{}.envelope", cnj().digits()));
    let whole = bytes(9);
    let mut flipped = whole.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    for damage in
        [Vec::new(), whole.get(..40).unwrap().to_vec(), whole.get(..whole.len() - 1).unwrap().to_vec(), flipped]
    {
        std::fs::write(&file, &damage).unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        journal.keep(number(1), bytes(1)).await.unwrap();
        assert_eq!(kept(&journal).await, None);
        assert_eq!((journal.corrupt(), journal.pending()), (1, 1));
        assert_eq!(std::fs::read(aside(folder.path())).unwrap(), damage);
        // Older than what is damaged, but whole.
        journal.keep(cnj(), bytes(1)).await.unwrap();
        assert_eq!(kept(&journal).await.unwrap().fetched_at, day(1));
    }
}

fn aside(folder: &Path) -> std::path::PathBuf {
    folder.join("corrupt").join(format!("{}.envelope", cnj().digits()))
}

#[cfg(unix)]
#[actix_web::test]
async fn nobody_else_on_the_machine_reads_the_journal() {
    use std::os::unix::fs::PermissionsExt;

    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("journal");
    Journal::open(&folder).unwrap().keep(cnj(), bytes(1)).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join(format!("{}.envelope", cnj().digits()))), 0o600);
}
