//! The journal's files: each whole or not there.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::domain::cnj::Cnj;

const EXTENSION: &str = "envelope";
const UNFINISHED: &str = "tmp";
const ASIDE: &str = "corrupt";

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens a folder and says which processes have a file in it. Leftovers of writes that were cut off are deleted: whoever
    /// wrote them was never told that they are kept.
    pub(super) fn open(path: &Path) -> io::Result<(Self, BTreeSet<Cnj>)> {
        private_folder(path)?;
        private_folder(&path.join(ASIDE))?;
        let mut held = BTreeSet::new();
        for entry in fs::read_dir(path)? {
            let file = entry?.path();
            match file.extension().and_then(|extension| extension.to_str()) {
                Some(UNFINISHED) => fs::remove_file(&file)?,
                Some(EXTENSION) => held.extend(file.file_stem().and_then(|stem| stem.to_str()?.parse::<Cnj>().ok())),
                _ => {}
            }
        }
        Ok((Self { path: path.to_owned() }, held))
    }

    /// Replaces the process's file. When this returns, the new one survives a power cut.
    pub(super) fn write(&self, cnj: Cnj, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.file(cnj).with_extension(UNFINISHED);
        let mut file = private_file(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.file(cnj))?;
        sync_folder(&self.path)
    }

    pub(super) fn read(&self, cnj: Cnj) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.file(cnj)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A deletion need not survive a power cut: the answer would only be offered to PostgreSQL once more.
    pub(super) fn delete(&self, cnj: Cnj) -> io::Result<()> {
        match fs::remove_file(self.file(cnj)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Moves a damaged file out of the way, over an earlier damaged one of the same process.
    pub(super) fn set_aside(&self, cnj: Cnj) -> io::Result<PathBuf> {
        let aside = self.path.join(ASIDE).join(name(cnj));
        fs::rename(self.file(cnj), &aside)?;
        Ok(aside)
    }

    fn file(&self, cnj: Cnj) -> PathBuf {
        self.path.join(name(cnj))
    }
}

fn name(cnj: Cnj) -> String {
    format!("{}.{EXTENSION}", cnj.digits())
}

/// Makes a folder that nobody else on the machine can look into: answers may be under secrecy of justice.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// How a file is opened for writing; if that makes it, nobody else on the machine can read it.
pub(crate) fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A rename is on the disk only when its folder is; Windows has no such notion and refuses to open a folder.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn private_file(path: &Path) -> io::Result<File> {
    private_options().create(true).truncate(true).open(path)
}
