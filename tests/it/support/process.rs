//! The built binary as a user runs it: its own process, its own environment, ended by force when a test says so.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use super::guard::{GuardedChild, Signal};
use super::wait::poll_for;
use super::{http, machine, ports};

const READY_WITHIN: Duration = Duration::from_secs(60);
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// How to run juscache: arguments, environment, working folder and port stay the same from one start to the next, so starting twice is
/// a restart.
#[derive(Debug, Clone)]
pub(crate) struct Juscache {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    address: SocketAddr,
    folder: Arc<TempDir>,
}

impl Juscache {
    /// `juscache serve` with nothing but a free port and a data folder of its own in the environment.
    pub(crate) fn new() -> Self {
        Self::of(PathBuf::from(env!("CARGO_BIN_EXE_juscache")), &["serve"])
    }

    fn of(program: PathBuf, arguments: &[&str]) -> Self {
        let folder = Arc::new(machine::temp_folder("jc-run-"));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_port()));
        let data = folder.path().join("data").display().to_string();
        let spec = Self { program, arguments: Vec::new(), environment: Vec::new(), address, folder };
        spec.args(arguments).env("JUSCACHE_LISTEN", &address.to_string()).env("JUSCACHE_DATA_DIR", &data)
    }

    /// Replaces the arguments.
    pub(crate) fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self
    }

    /// Sets a variable; the last value wins.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The working folder, where an `.env` and `data` go.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What all its runs have written to stderr so far: of each run the beginning and the end.
    pub(crate) fn everything_said(&self) -> String {
        let entries = std::fs::read_dir(self.folder.path()).expect("the working folder").flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.retain(|path| path.display().to_string().contains("/stderr-"));
        files.sort();
        let told = files.iter().map(|path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let (start, rest) = lines.split_at(lines.len().min(20));
            let end = rest.get(rest.len().saturating_sub(60)..).unwrap_or_default();
            format!("{}\n{}\n…\n{}\n", path.display(), start.join("\n"), end.join("\n"))
        });
        told.collect()
    }

    /// Where it will listen.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it and waits until `/health/live` answers 200; panics with what it wrote to stderr when it ends or stays silent instead.
    pub(crate) fn start(&self) -> Running {
        let running = self.spawn();
        let alive = poll_for(READY_WITHIN, || {
            let status = http::status_of(self.address, "/health/live", ANSWERS_WITHIN);
            (status == Some(200) || running.child().exited().is_some()).then_some(status == Some(200))
        });
        assert_eq!(alive, Some(true), "juscache did not come up; its stderr:\n{}", running.stderr());
        running
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(&self) -> Running {
        let number = std::fs::read_dir(self.folder.path()).expect("the working folder").count();
        let stderr = self.folder.path().join(format!("stderr-{number}"));
        let stdout = self.folder.path().join(format!("stdout-{number}"));
        let mut command = machine::clean_command(&self.program, self.folder.path());
        command.args(&self.arguments).envs(self.environment.iter().cloned()).stdin(Stdio::null());
        command.stdout(File::create(&stdout).expect("a file for stdout"));
        command.stderr(File::create(&stderr).expect("a file for stderr"));
        let child = GuardedChild::spawn(&mut command, Signal::Kill, Some(self.folder.path())).expect("juscache starts");
        Running { child: Mutex::new(child), address: self.address, stdout, stderr, _folder: self.folder.clone() }
    }
}

/// One run of juscache. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Running {
    child: Mutex<GuardedChild>,
    address: SocketAddr,
    stdout: PathBuf,
    stderr: PathBuf,
    // After `child`: the folder outlives the process.
    _folder: Arc<TempDir>,
}

impl Running {
    /// `http://…` followed by `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child().pid()
    }

    /// What it has written to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// What it has written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill9(&self) {
        self.child().kill9();
    }

    /// SIGTERM, as an orchestrator sends it; does not wait.
    pub(crate) fn terminate(&self) {
        self.child().signal(Signal::Terminate);
    }

    /// Freezes it: its sockets stay open, and nobody answers.
    pub(crate) fn pause(&self) {
        self.child().signal(Signal::Stop);
    }

    /// Ends a [`Running::pause`].
    pub(crate) fn resume(&self) {
        self.child().signal(Signal::Continue);
    }

    /// How it ended; panics with its stderr when it still runs at the deadline.
    pub(crate) fn wait_exit(&self, deadline: Duration) -> ExitStatus {
        let exit = self.child().wait_exit(deadline);
        exit.unwrap_or_else(|| panic!("still running after {deadline:?}; its stderr:\n{}", self.stderr()))
    }

    fn child(&self) -> MutexGuard<'_, GuardedChild> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Juscache {
        Juscache::of(PathBuf::from("/bin/sh"), &["-c", script])
    }

    /// Waits for a line rather than for a time.
    fn says(run: &Running, text: &str) {
        let heard = poll_for(SOON, || run.stderr().contains(text).then_some(()));
        heard.unwrap_or_else(|| panic!("never said {text}: {}", run.stderr()));
    }

    #[test]
    fn the_environment_is_what_was_given_and_a_second_start_keeps_the_folder_and_the_port() {
        let spec = shell("echo $JUSCACHE_LISTEN $EXTRA; echo once >> $JUSCACHE_DATA_DIR; exit 3").env("EXTRA", "more");
        for _ in 0..2 {
            let run = spec.spawn();
            assert_eq!(run.wait_exit(SOON).code(), Some(3));
            assert_eq!(run.stdout().trim(), format!("{} more", spec.address()));
        }
        assert_eq!(std::fs::read_to_string(spec.folder().join("data")).unwrap(), "once\nonce\n");
    }

    #[test]
    fn terminate_can_be_answered_and_kill_cannot() {
        let run = shell("trap 'exit 7' TERM; echo up >&2; while :; do sleep 0.05; done").spawn();
        says(&run, "up");
        run.terminate();
        assert_eq!(run.wait_exit(SOON).code(), Some(7));
        let run = shell("trap '' TERM; echo up >&2; while :; do sleep 0.05; done").spawn();
        says(&run, "up");
        run.terminate();
        run.kill9();
        assert_eq!(run.wait_exit(SOON).signal(), Some(9));
        assert!(run.pid() > 1);
    }

    #[test]
    fn readiness_is_the_health_route() {
        let spec = shell("exec sleep 60");
        http::tests::serve(spec.address().port(), |path| {
            (if path == "/health/live" { 200 } else { 500 }, String::new())
        });
        let run = spec.start();
        assert_eq!(run.url("/x"), format!("http://{}/x", spec.address()));
    }

    #[test]
    #[should_panic(expected = "no such setting")]
    fn a_process_that_ends_instead_says_why() {
        shell("echo no such setting >&2; exit 2").start();
    }

    #[test]
    fn the_built_binary_can_be_run() {
        let run = Juscache::new().args(&["--version"]).spawn();
        run.wait_exit(SOON);
    }
}
