//! One file that only grows, until it is replaced by a shorter one.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::folder::UNFINISHED;
use super::record::Record;
use crate::journal::folder::{private_options, sync_folder};

/// A file shorter than this is not worth replacing: it is read in a few milliseconds.
const WORTH_REPLACING: u64 = 4 * 1024 * 1024;

/// About what a call that must stay takes in a new file, in bytes.
const CALL_BYTES: u64 = 512;

#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// As far as it consists of whole lines, in bytes.
    whole: u64,
    /// There may be a piece of a line after that, which must go before anything else is written.
    is_torn: bool,
    /// From this length on a shorter file is made, in bytes.
    replace_at: u64,
}

impl LogFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = private_options().append(true).create_new(true).open(path)?;
        Ok(Self::new(path, file, 0))
    }

    /// Goes on after the last whole line of a file.
    pub(super) fn resume(path: &Path, whole: u64) -> io::Result<Self> {
        let file = private_options().append(true).open(path)?;
        file.set_len(whole)?;
        Ok(Self::new(path, file, whole))
    }

    fn new(path: &Path, file: File, whole: u64) -> Self {
        Self { path: path.to_owned(), file, whole, is_torn: false, replace_at: WORTH_REPLACING }
    }

    /// Adds whole lines: all of them, or none. What is written survives the death of the process by any signal at once, but a
    /// power cut only once the system has written it out, some seconds later.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.whole)?;
            self.is_torn = false;
        }
        let added = u64::try_from(lines.len()).map_err(io::Error::other)?;
        match self.file.write_all(lines) {
            Ok(()) => {
                self.whole += added;
                Ok(())
            }
            Err(error) => {
                self.is_torn = self.file.set_len(self.whole).is_err();
                Err(error)
            }
        }
    }

    /// Whether the file is long, and three quarters of it are about what is stored. So the work of replacing it is a fraction of
    /// the work of having written it.
    pub(super) fn is_worth_replacing(&self, calls: usize) -> bool {
        let needed = u64::try_from(calls).unwrap_or(u64::MAX).saturating_mul(CALL_BYTES);
        self.whole >= self.replace_at && needed.saturating_mul(4) <= self.whole
    }

    /// Puts a file of these records in the place of this one, in one step: whenever the process is killed, one of the two is
    /// there, and whole.
    pub(super) fn replace(&mut self, records: &[Record]) -> io::Result<()> {
        match self.write_anew(records) {
            Ok((file, whole)) => {
                *self = Self::new(&self.path, file, whole);
                Ok(())
            }
            Err(error) => {
                // Not again with every line.
                self.replace_at = self.whole.saturating_add(WORTH_REPLACING);
                Err(error)
            }
        }
    }

    fn write_anew(&self, records: &[Record]) -> io::Result<(File, u64)> {
        let unfinished = self.path.with_extension(UNFINISHED);
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut writer = BufWriter::new(private_options().append(true).create_new(true).open(&unfinished)?);
        for record in records {
            writer.write_all(&record.line()?)?;
        }
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let whole = file.metadata()?.len();
        fs::rename(&unfinished, &self.path)?;
        // The new file is in its place whatever the folder says; if a power cut brings the old one back, what it says is stored
        // already is offered to PostgreSQL again.
        if let Err(error) = sync_folder(self.path.parent().unwrap_or(Path::new("."))) {
            tracing::warn!(%error, "the ledger's folder could not be synced");
        }
        Ok((file, whole))
    }
}

#[cfg(test)]
impl LogFile {
    /// From now on the file can neither be written nor cut off. Gives what [`LogFile::mend_it`] needs.
    pub(super) fn break_it(&mut self) -> File {
        std::mem::replace(&mut self.file, File::open(&self.path).unwrap())
    }

    /// The opposite.
    pub(super) fn mend_it(&mut self, good: File) {
        self.file = good;
    }
}
