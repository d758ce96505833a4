//! Paid answers that PostgreSQL could not take, on disk until it can.
//!
//! One file for each process, named by its twenty digits and holding the envelope as every tier keeps it. A file appears under
//! its name only when all of it is on the disk (written under another name, synced, renamed), so whatever moment the process is
//! killed at, each file is whole or not there. A file that is damaged all the same is moved to `corrupt/` and counted.
//!
//! The disk blocks, so the work is done on a thread where blocking is allowed; a runtime must be there to provide it.

pub(crate) mod folder;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::domain::cnj::Cnj;
use crate::domain::codec::{Envelope, Kind};
use crate::domain::version::Version;
use folder::Folder;

/// How many processes a journal holds unless told otherwise: hours of an outage, and a few gigabytes at the worst.
pub const DEFAULT_CAPACITY: usize = 100_000;

/// The journal of one data folder. Clones share it.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    capacity: usize,
    /// The processes that have a file. Held while a file is read, compared and replaced, so that two writers cannot undo each
    /// other; never while anything is awaited.
    held: Mutex<BTreeSet<Cnj>>,
    pending: AtomicUsize,
    corrupt: AtomicU64,
}

impl Journal {
    /// Opens the journal in `folder`, which is made if it is missing, with room for [`DEFAULT_CAPACITY`] processes.
    ///
    /// # Errors
    /// When the folder cannot be made or listed.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Self::bounded(folder, DEFAULT_CAPACITY)
    }

    /// Opens the journal in `folder` with room for `capacity` processes. What is already there stays, even beyond that.
    ///
    /// # Errors
    /// When the folder cannot be made or listed.
    pub fn bounded(folder: &Path, capacity: usize) -> io::Result<Self> {
        let (folder, held) = Folder::open(folder)?;
        let pending = AtomicUsize::new(held.len());
        let corrupt = AtomicU64::new(0);
        Ok(Self { shared: Arc::new(Shared { folder, capacity, held: Mutex::new(held), pending, corrupt }) })
    }

    /// Keeps an answer until it is [removed](Self::remove). It is on the disk when this returns. A newer version that is kept
    /// already stays.
    ///
    /// # Errors
    /// `StorageFull` when as many processes as the capacity wait already; `InvalidData` when the bytes are not the envelope of a
    /// process; otherwise what the disk says. The answer is then not kept.
    pub async fn keep(&self, cnj: Cnj, envelope: Bytes) -> io::Result<()> {
        self.off_thread(move |journal| journal.keep_blocking(cnj, &envelope)).await
    }

    /// What waits for one process. A damaged file is moved aside and counts as none.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn get(&self, cnj: Cnj) -> io::Result<Option<Envelope>> {
        self.off_thread(move |journal| {
            let mut held = journal.lock();
            journal.read(&mut held, cnj)
        })
        .await
    }

    /// Forgets an answer that is stored now, unless another version has been kept meanwhile.
    ///
    /// # Errors
    /// What the disk says; the answer then stays.
    pub async fn remove(&self, cnj: Cnj, version: Version) -> io::Result<()> {
        self.off_thread(move |journal| {
            let mut held = journal.lock();
            if journal.read(&mut held, cnj)?.is_some_and(|kept| kept.header.version == version) {
                journal.forget(&mut held, cnj)?;
            }
            Ok(())
        })
        .await
    }

    /// How many processes wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.shared.pending.load(Ordering::Relaxed)
    }

    /// How many damaged files were moved aside since the journal was opened.
    #[must_use]
    pub fn corrupt(&self) -> u64 {
        self.shared.corrupt.load(Ordering::Relaxed)
    }

    /// The processes that wait, at this moment; read each with [`Journal::get`].
    #[must_use]
    pub fn waiting(&self) -> Vec<Cnj> {
        self.lock().iter().copied().collect()
    }

    fn keep_blocking(&self, cnj: Cnj, envelope: &Bytes) -> io::Result<()> {
        let version = version_of(envelope)?;
        let mut held = self.lock();
        if held.contains(&cnj) {
            if self.read(&mut held, cnj)?.is_some_and(|kept| kept.header.version >= version) {
                return Ok(());
            }
        } else if held.len() >= self.shared.capacity {
            tracing::error!(
                waiting = held.len(),
                "journal is full: paid answers are no longer kept for postgresql; restore the database"
            );
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the journal is full"));
        }
        self.shared.folder.write(cnj, envelope)?;
        held.insert(cnj);
        self.note(&held);
        Ok(())
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let journal = self.clone();
        tokio::task::spawn_blocking(move || work(&journal)).await.map_err(io::Error::other)?
    }

    fn read(&self, held: &mut BTreeSet<Cnj>, cnj: Cnj) -> io::Result<Option<Envelope>> {
        let Some(bytes) = self.shared.folder.read(cnj)? else {
            held.remove(&cnj);
            self.note(held);
            return Ok(None);
        };
        match Envelope::open(Bytes::from(bytes)) {
            Ok(envelope) if envelope.header.kind == Kind::Process => Ok(Some(envelope)),
            opened => {
                let cause = opened.map_or_else(|error| error.as_str(), |_absence| "not-a-process");
                let moved_to = self.shared.folder.set_aside(cnj)?;
                held.remove(&cnj);
                self.note(held);
                self.shared.corrupt.fetch_add(1, Ordering::Relaxed);
                tracing::error!(cause, moved_to = %moved_to.display(), "a journal file is damaged");
                Ok(None)
            }
        }
    }

    fn forget(&self, held: &mut BTreeSet<Cnj>, cnj: Cnj) -> io::Result<()> {
        self.shared.folder.delete(cnj)?;
        held.remove(&cnj);
        self.note(held);
        Ok(())
    }

    fn note(&self, held: &BTreeSet<Cnj>) {
        self.shared.pending.store(held.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Cnj>> {
        // The set is changed only after the disk, in one step: a panic in between leaves nothing half done.
        self.shared.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder of the journal inside a data folder.
#[must_use]
pub fn folder_in(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}

fn version_of(envelope: &Bytes) -> io::Result<Version> {
    match Envelope::open(envelope.clone()) {
        Ok(envelope) if envelope.header.kind == Kind::Process => Ok(envelope.header.version),
        Ok(_absence) => Err(io::Error::new(io::ErrorKind::InvalidData, "an absence is not journaled")),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}
