//! The ledger: what was sent, what became of it, and what PostgreSQL does not know yet.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::Notify;

use super::call::{Call, Id, Sent};
use super::folder::{Claim, Folder};
use super::memory::{Batch, Memory};
use super::record::Record;
use super::writer::Writer;
use crate::ambient::SharedRandom;

/// How many requests may be under way or unstored unless told otherwise: sixteen hours without PostgreSQL at the 500 requests a
/// minute that Escavador allows an account; about 150 MB of memory and 400 MB of disk at the worst.
pub const DEFAULT_CAPACITY: usize = 500_000;

/// A request that is not in the ledger, and so must not be sent.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// As many as the capacity are under way or unstored: PostgreSQL has been away for hours.
    #[error("the ledger is full: restore postgresql")]
    Full,
    /// The disk does not take it.
    #[error("the ledger's disk refused: {0}")]
    Disk(#[source] io::Error),
}

/// How the ledger is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Condition {
    /// Requests of this process under way.
    pub open: usize,
    /// Calls that have ended and wait for PostgreSQL, those of adopted processes with them.
    pub pending: usize,
    /// It takes no more until PostgreSQL has taken some.
    pub is_full: bool,
    /// The disk refused its last line.
    pub refuses: bool,
    /// Damaged lines that were found since it was opened.
    pub damaged: u64,
}

/// The ledger of this process, in a folder that several processes may share. Clones are the same ledger; once the last one is
/// gone, and the last write has ended, the file is anybody's to take over.
#[derive(Debug, Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    node: Id,
    folder: Folder,
    writer: Arc<Writer>,
    /// Files of processes that ended. Held while one is written to, never while anything is awaited.
    adopted: Mutex<BTreeMap<Id, Claim>>,
    changed: Notify,
    damaged: AtomicU64,
}

impl Ledger {
    /// Opens the ledger in `folder`, which is made if it is missing: takes a file of this process's own, and
    /// [adopts](Self::adopt) those of processes that ended. `capacity` bounds the requests under way and unstored, of this
    /// process and adopted ones together.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or listed, or the file system knows no locks.
    pub fn open(folder: &Path, random: &SharedRandom, capacity: usize) -> io::Result<Self> {
        let folder = Folder::open(folder)?;
        let claim = folder.start(random)?;
        let node = claim.node;
        let ledger = Self {
            shared: Arc::new(Shared {
                node,
                folder,
                writer: Arc::new(Writer::new(Memory::new(node, capacity), claim)),
                adopted: Mutex::new(BTreeMap::new()),
                changed: Notify::new(),
                damaged: AtomicU64::new(0),
            }),
        };
        ledger.adopt_blocking()?;
        Ok(ledger)
    }

    /// The identity of this process. Its reservations are made under this name.
    #[must_use]
    pub fn node(&self) -> Id {
        self.shared.node
    }

    /// Enters a request that is about to be sent. It is in the file when this returns, and survives the death of the process;
    /// a power cut may take the last seconds with it. If the caller goes away before this has returned, the request counts as
    /// not sent.
    ///
    /// # Errors
    /// The request is not in the ledger: it must not be sent.
    pub async fn sent(&self, sent: Sent) -> Result<(), LedgerError> {
        let id = sent.id;
        let line = Record::Sent(sent.clone()).line().map_err(LedgerError::Disk)?;
        let written = {
            let mut book = self.shared.writer.book();
            book.memory.begin(sent).map_err(|_full| LedgerError::Full)?;
            book.write_beginning(id, line)
        };
        let mut waiting = Waiting { ledger: self, id: Some(id) };
        self.shared.writer.ask();
        let result = heard(written.await);
        waiting.id = None;
        result.map_err(LedgerError::Disk)
    }

    /// Closes a request. It is in the file when this returns. If the disk refuses, that is logged, and the call is kept in memory
    /// and written with the next line that the disk takes; killed before that, it counts as interrupted.
    ///
    /// A request that is not open has been closed already: nothing happens.
    pub async fn ended(&self, call: Call) {
        let written = {
            let id = call.sent.id;
            let line = Record::Ended(call.clone()).line();
            let mut book = self.shared.writer.book();
            if !book.memory.end(call) {
                tracing::warn!(%id, "a request ended that the ledger does not hold as open");
                return;
            }
            line.map(|line| book.write(line))
        };
        self.shared.changed.notify_one();
        if let Ok(written) = written {
            self.shared.writer.ask();
            // The writer has logged what is wrong, and keeps the line.
            let _ = written.await;
        }
    }

    /// Closes a request that nobody will end any more, as [`CallOutcome::Interrupted`](super::call::CallOutcome::Interrupted).
    /// For a `Drop`: does not wait. In the file it stays open until the next line is written, which means the same. A request
    /// that is not open stays what it is.
    pub fn interrupt(&self, id: Id) {
        let mut book = self.shared.writer.book();
        if let Some(line) = book.memory.interrupt(id).and_then(|call| Record::Ended(call).line().ok()) {
            book.write_some_time(line);
            drop(book);
            self.shared.changed.notify_one();
        }
    }

    /// How many requests of this process are under way.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.shared.writer.book().memory.open_calls()
    }

    /// How many calls have ended and wait for PostgreSQL, those of adopted processes with them.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.shared.writer.book().memory.pending()
    }

    /// How many damaged lines have been found since the ledger was opened.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.shared.damaged.load(Ordering::Relaxed)
    }

    /// How it is, without waiting.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let (refuses, damaged) = (self.shared.writer.refuses(), self.damaged());
        let book = self.shared.writer.book();
        let memory = &book.memory;
        Condition { open: memory.open_calls(), pending: memory.pending(), is_full: memory.is_full(), refuses, damaged }
    }

    /// At most `most` calls to be stored. They stay until they are [stored](Self::stored). A call may be offered again that
    /// PostgreSQL has already, perhaps with another outcome: the row that is there stands.
    #[must_use]
    pub fn next_batch(&self, most: usize) -> Option<Batch> {
        self.shared.writer.book().memory.next_batch(most)
    }

    /// These are in PostgreSQL: forgets them, also in the file. Where the file does not take it, they are offered again after
    /// the next start.
    pub async fn stored(&self, batch: &Batch) {
        let Ok(lines) = Record::stored(&batch.ids()) else { return };
        if batch.node == self.shared.node {
            let written = {
                let mut book = self.shared.writer.book();
                book.memory.stored(batch);
                book.write(lines.concat())
            };
            self.shared.writer.ask();
            let _ = written.await;
        } else {
            let node = batch.node;
            let forgotten = self.off_thread(move |ledger| {
                ledger.adopted().get_mut(&node).map_or(Ok(()), |claim| claim.log.append(&lines.concat()))
            });
            if let Err(error) = forgotten.await {
                tracing::warn!(%node, %error, "stored calls of an ended process are still in its ledger file");
            }
            self.shared.writer.book().memory.stored(batch);
        }
    }

    /// Adopted processes all of whose calls are stored: their reservations can be released.
    #[must_use]
    pub fn released(&self) -> Vec<Id> {
        self.shared.writer.book().memory.released()
    }

    /// Done with an adopted process: its file goes. Does nothing while it has calls to be stored.
    pub async fn forget(&self, node: Id) {
        let removed = self.off_thread(move |ledger| {
            if !ledger.shared.writer.book().memory.forget(node) {
                return Ok(());
            }
            // What cannot be removed is adopted once more, by whoever looks next.
            ledger.adopted().remove(&node).map_or(Ok(()), |claim| ledger.shared.folder.forget(&claim))
        });
        if let Err(error) = removed.await {
            tracing::warn!(%node, %error, "the ledger file of an ended process could not be removed");
        }
    }

    /// Looks for files of processes that have ended, and takes them over: what they closed is to be stored, what they left open
    /// counts as interrupted. Gives how many. To be called every minute or so; it also writes what is not in the file yet.
    ///
    /// While the ledger is full, no more are taken over; their files wait.
    ///
    /// # Errors
    /// When the folder cannot be listed. A file that cannot be read is logged, and tried again the next time.
    pub async fn adopt(&self) -> io::Result<usize> {
        self.off_thread(|ledger| {
            drop(ledger.shared.writer.write_now());
            ledger.adopt_blocking()
        })
        .await
    }

    /// Waits until there may be something new to be stored or released. For one task: a change that nobody waits for wakes the
    /// next one who does.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    fn adopt_blocking(&self) -> io::Result<usize> {
        let mut adopted = 0;
        for node in self.shared.folder.nodes()? {
            {
                let book = self.shared.writer.book();
                if book.memory.is_full() {
                    break;
                }
                if book.memory.knows(node) {
                    continue;
                }
            }
            match self.shared.folder.adopt(node) {
                Ok(None) => {}
                Ok(Some((claim, contents))) => {
                    let (open, damaged) = (contents.open_calls(), contents.damaged);
                    let calls = contents.into_calls();
                    tracing::info!(%node, calls = calls.len(), open, "took over the ledger of an ended process");
                    if damaged > 0 {
                        tracing::error!(%node, damaged, "a ledger file has damaged lines: what they said is lost");
                        self.shared.damaged.fetch_add(damaged, Ordering::Relaxed);
                    }
                    self.adopted().insert(node, claim);
                    self.shared.writer.book().memory.adopt(node, calls);
                    self.shared.changed.notify_one();
                    adopted += 1;
                }
                Err(error) => tracing::error!(%node, %error, "the ledger of an ended process cannot be taken over"),
            }
        }
        Ok(adopted)
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let ledger = self.clone();
        tokio::task::spawn_blocking(move || work(&ledger)).await.map_err(io::Error::other)?
    }

    fn adopted(&self) -> MutexGuard<'_, BTreeMap<Id, Claim>> {
        self.shared.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder of the ledger inside a data folder.
#[must_use]
pub fn folder_in(data_dir: &Path) -> PathBuf {
    data_dir.join("ledger")
}

/// A request whose line is on its way. Dropped before the caller has heard, it will not be sent.
struct Waiting<'a> {
    ledger: &'a Ledger,
    id: Option<Id>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let mut book = self.ledger.shared.writer.book();
        if book.memory.give_up(id) {
            for line in Record::stored(&[id]).unwrap_or_default() {
                book.write_some_time(line);
            }
        }
    }
}

fn heard(written: Result<io::Result<()>, tokio::sync::oneshot::error::RecvError>) -> io::Result<()> {
    written.map_err(io::Error::other)?
}
