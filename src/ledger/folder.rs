//! The ledger's folder: who owns which file, told by locks that the system takes away from a process that ends, however it ends.
//!
//! Of each process there are two files: `<id>.lock`, locked as long as the process lives, and `<id>.ledger`. The lock comes first
//! and goes last, and it is locked before it has its name: whoever sees it unlocked sees the leavings of a dead process.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use super::call::Id;
use super::file::LogFile;
use super::record::Contents;
use crate::ambient::SharedRandom;
use crate::journal::folder::{private_folder, private_options};

const LEDGER: &str = "ledger";
const LOCK: &str = "lock";
const STARTING: &str = "starting";
pub(super) const UNFINISHED: &str = "tmp";
const ASIDE: &str = "corrupt";

/// Only a neighbour that tidies up at the very moment can spoil an attempt.
const ATTEMPTS: u32 = 8;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// A file of the ledger that belongs to this process now.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) node: Id,
    pub(super) log: LogFile,
    /// It has lines that could not be read.
    is_damaged: bool,
    /// Locked until this is dropped.
    _lock: File,
}

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        private_folder(path)?;
        private_folder(&path.join(ASIDE))?;
        Ok(Self { path: path.to_owned() })
    }

    /// A new file, of a process that starts.
    pub(super) fn start(&self, random: &SharedRandom) -> io::Result<Claim> {
        for _ in 0..ATTEMPTS {
            let node = Id::new(random.bits());
            let starting = self.file(node, STARTING);
            let lock = match private_options().create_new(true).open(&starting) {
                Ok(lock) => lock,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            if !try_lock(&lock)? {
                continue;
            }
            match fs::rename(&starting, self.file(node, LOCK)) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                renamed => renamed?,
            }
            let log = LogFile::create(&self.file(node, LEDGER))?;
            return Ok(Claim { node, log, is_damaged: false, _lock: lock });
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "no free name for this process's ledger"))
    }

    /// The processes that have something in the folder, dead or alive.
    pub(super) fn nodes(&self) -> io::Result<Vec<Id>> {
        let mut nodes = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let node = path.file_stem().and_then(|stem| stem.to_str()?.parse::<Id>().ok());
            match (node, path.extension().and_then(|extension| extension.to_str())) {
                (Some(node), Some(LOCK | LEDGER)) => nodes.push(node),
                (Some(_), Some(STARTING)) => remove_if_unlocked(&path)?,
                _ => {}
            }
        }
        nodes.sort_unstable();
        nodes.dedup();
        Ok(nodes)
    }

    /// Takes over what a process left behind. `None` when it lives, when another one has taken it over, or nothing is left.
    pub(super) fn adopt(&self, node: Id) -> io::Result<Option<(Claim, Contents)>> {
        let (lock, ledger) = (self.file(node, LOCK), self.file(node, LEDGER));
        let opened = match private_options().open(&lock) {
            // A ledger without a lock: its process must be dead, since its lock would have been there before.
            Err(error) if error.kind() == ErrorKind::NotFound && ledger.exists() => {
                private_options().create_new(true).open(&lock)
            }
            opened => opened,
        };
        let held = match opened {
            Ok(held) => held,
            // Another process was faster.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !try_lock(&held)? {
            return Ok(None);
        }
        let contents = match File::open(&ledger) {
            Ok(file) => Contents::read(BufReader::new(file))?,
            // It was killed before it had a ledger, or when it had just done away with it.
            Err(error) if error.kind() == ErrorKind::NotFound => return remove(&lock).map(|()| None),
            Err(error) => return Err(error),
        };
        remove(&self.file(node, UNFINISHED))?;
        let log = LogFile::resume(&ledger, contents.whole)?;
        let claim = Claim { node, log, is_damaged: contents.damaged > 0, _lock: held };
        Ok(Some((claim, contents)))
    }

    /// Removes an adopted process's files; a damaged one goes to `corrupt/`, for a person to look at.
    pub(super) fn forget(&self, claim: &Claim) -> io::Result<()> {
        let ledger = self.file(claim.node, LEDGER);
        if claim.is_damaged {
            let aside = self.path.join(ASIDE).join(format!("{}.{LEDGER}", claim.node));
            fs::rename(&ledger, &aside)?;
            tracing::warn!(moved_to = %aside.display(), "a damaged ledger file is dealt with and was set aside");
        } else {
            remove(&ledger)?;
        }
        remove(&self.file(claim.node, LOCK))
    }

    fn file(&self, node: Id, extension: &str) -> PathBuf {
        self.path.join(format!("{node}.{extension}"))
    }
}

/// A process killed between making its lock and naming it leaves this; one that starts at this moment has it locked, or finds it
/// gone and takes another name.
fn remove_if_unlocked(path: &Path) -> io::Result<()> {
    match private_options().open(path) {
        Ok(lock) if try_lock(&lock)? => remove(path),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
