//! What kind of machine the tests run on: who we are, where programs are, which processes have which children.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A user other than root, for servers that refuse to run as root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainUser {
    uid: u32,
    gid: u32,
}

impl PlainUser {
    /// The user to step down to when this process is root: `postgres`, or else `nobody`. `None` when it is not root.
    pub(crate) fn when_root() -> Option<Self> {
        (user_id() == 0).then(|| {
            ["postgres", "nobody"]
                .iter()
                .find_map(|name| Some(Self { uid: numeric_id("-u", name)?, gid: numeric_id("-g", name)? }))
                .expect("running as root, and neither a user `postgres` nor `nobody` to run PostgreSQL as")
        })
    }

    /// Makes `command` run as this user; the standard library drops root's supplementary groups with it.
    pub(crate) fn runs(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives `folder` to this user.
    pub(crate) fn owns(self, folder: &Path) -> io::Result<()> {
        chown(folder, Some(self.uid), Some(self.gid))
    }
}

fn numeric_id(flag: &str, name: &str) -> Option<u32> {
    let answer = Command::new("id").args([flag, name]).output().ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
}

/// The user this process runs as: the owner of a file it has just made.
pub(crate) fn user_id() -> u32 {
    static UID: OnceLock<u32> = OnceLock::new();
    *UID.get_or_init(|| tempfile::tempfile().and_then(|file| file.metadata()).expect("a temporary file").uid())
}

/// Where temporary folders go. Root's own `TMPDIR` may be closed to the user that PostgreSQL runs as, so root takes `/tmp`.
pub(crate) fn temp_root() -> PathBuf {
    if user_id() == 0 { PathBuf::from("/tmp") } else { std::env::temp_dir() }
}

/// A fresh folder that is removed when dropped. The name is short: a unix socket's path has room for about 100 bytes.
pub(crate) fn temp_folder(prefix: &str) -> tempfile::TempDir {
    tempfile::Builder::new().prefix(prefix).tempdir_in(temp_root()).expect("a temporary folder")
}

/// The folders that hold programs: `PATH`, and where package managers put what `PATH` often lacks.
pub(crate) fn program_folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin", "/usr/sbin"];
    std::env::split_paths(&path).chain(usual.iter().map(PathBuf::from)).collect()
}

/// The first `name` in [`program_folders`].
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    program_folders().into_iter().map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// A command that inherits nothing of the developer's environment but `PATH`, so that no `PG…` or proxy setting leaks in.
pub(crate) fn clean_command(program: impl Into<OsString>, home: &Path) -> Command {
    let path = std::env::join_paths(program_folders()).expect("folders of PATH");
    let mut command = Command::new(program.into());
    command.env_clear().env("PATH", path).env("LC_ALL", "C").env("HOME", home).current_dir(home);
    command
}

/// The process and all that descend from it, parents first.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let pairs = if Path::new("/proc/self/stat").exists() { parents_from_proc() } else { parents_from_ps() };
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(pairs.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        next += 1;
    }
    family
}

fn parents_from_proc() -> Vec<(u32, u32)> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name in the second field may hold spaces and brackets; state and parent follow its last bracket.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect()
}

fn parents_from_ps() -> Vec<(u32, u32)> {
    let answer = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output().expect("ps");
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_belongs_to_the_family() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let family = family(std::process::id());
        let known = family.contains(&child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(known, "{family:?}");
    }

    #[test]
    fn a_clean_command_sees_only_what_it_was_given() {
        let home = temp_folder("jc-env-");
        let output = clean_command(find_program("env").unwrap(), home.path()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut names: Vec<_> = text.lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["HOME", "LC_ALL", "PATH"]);
    }
}
