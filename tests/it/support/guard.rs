//! A child process that cannot outlive the test process, and signals for it.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::machine;
use super::wait::poll_for;

/// How long a killed process may take to be gone. Generous: the machine may be building something else.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// Waits on its stdin. A line means that the parent has ended the child itself; end of file means that the parent died: then the
/// child is asked with the given signal, killed when it stays, and its folder removed.
const WATCHDOG: &str = r#"
read -r line && exit 0
kill -CONT "$1" && kill "-$2" "$1"
tries=0
while kill -0 "$1" && [ "$tries" -lt 50 ]; do tries=$((tries + 1)); sleep 0.1; done
kill -KILL "$1"
[ -z "$3" ] || rm -rf "$3"
"#;

/// The signals that tests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Gone at once, nothing flushed.
    Kill,
    /// Asks for an orderly end.
    Terminate,
    /// PostgreSQL's "fast shutdown"; Ctrl-C elsewhere.
    Interrupt,
    /// PostgreSQL's "immediate shutdown".
    Quit,
    /// Stops being scheduled: sockets stay open and silent.
    Stop,
    /// Goes on after [`Signal::Stop`].
    Continue,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }

    /// Sends this signal to processes this test has started. One that is already gone is no mistake.
    pub(crate) fn send(self, pids: &[u32]) {
        // The shell's own `kill`: a small machine has no such program.
        let script = r#"signal=$1; shift; for pid; do kill "-$signal" "$pid"; done"#;
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", self.name()]).args(pids.iter().map(u32::to_string));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("sh");
    }
}

/// A child process and its watchdog. Dropping it kills the child.
#[derive(Debug)]
pub(crate) struct GuardedChild {
    child: Child,
    watchdog: Child,
    exit: Option<ExitStatus>,
}

impl GuardedChild {
    /// Starts `command`. When this process dies without having ended it, the watchdog sends `polite`, then kills it, and removes
    /// `folder` if there is one.
    pub(crate) fn spawn(command: &mut Command, polite: Signal, folder: Option<&Path>) -> std::io::Result<Self> {
        use std::os::unix::process::CommandExt;
        // Its own group: Ctrl-C in a terminal reaches the test process, and only through it the child.
        let child = command.process_group(0).spawn()?;
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", WATCHDOG, "juscache-test-watchdog", &child.id().to_string(), polite.name()]);
        watchdog.arg(folder.unwrap_or(Path::new(""))).current_dir("/").process_group(0);
        watchdog.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { child, watchdog: watchdog.spawn()?, exit: None })
    }

    /// The child's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, or `None` while it runs.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.child.try_wait().expect("the state of a child");
        }
        self.exit
    }

    /// Sends `signal` to the child alone.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.exited().is_none() {
            signal.send(&[self.pid()]);
        }
    }

    /// Sends `signal` to the child and all its descendants, parents first, so that a stopped parent starts no new child unseen.
    pub(crate) fn signal_family(&mut self, signal: Signal) {
        if self.exited().is_none() {
            signal.send(&[self.pid()]);
            signal.send(&machine::family(self.pid()));
        }
    }

    /// Waits for the child's end; `None` when it still runs at the deadline.
    pub(crate) fn wait_exit(&mut self, deadline: Duration) -> Option<ExitStatus> {
        poll_for(deadline, || self.exited())
    }

    /// Kills the child and its descendants as `kill -9` does and waits until they are gone.
    pub(crate) fn kill9(&mut self) -> ExitStatus {
        if self.exited().is_none() {
            let family = machine::family(self.pid());
            Signal::Kill.send(&family);
        }
        self.wait_exit(GONE_WITHIN).expect("a killed process is gone")
    }
}

impl Drop for GuardedChild {
    fn drop(&mut self) {
        if self.exited().is_none() {
            self.kill9();
        }
        if let Some(mut stdin) = self.watchdog.stdin.take() {
            let _already_gone = stdin.write_all(b"done\n");
        }
        let _already_gone = self.watchdog.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn alive(pid: u32) -> bool {
        Command::new("sh").args(["-c", "kill -0 $0 2>/dev/null", &pid.to_string()]).status().unwrap().success()
    }

    #[test]
    fn a_dropped_child_is_dead_and_so_is_its_watchdog() {
        let child = GuardedChild::spawn(Command::new("sleep").arg("60"), Signal::Kill, None).unwrap();
        let (pid, watchdog) = (child.pid(), child.watchdog.id());
        assert!(alive(pid) && alive(watchdog));
        drop(child);
        assert!(!alive(pid) && !alive(watchdog));
    }

    #[test]
    fn the_watchdog_ends_a_child_whose_parent_died() {
        let folder = machine::temp_folder("jc-guard-").keep();
        let mut child = GuardedChild::spawn(Command::new("sleep").arg("60"), Signal::Terminate, Some(&folder)).unwrap();
        child.signal(Signal::Stop);
        // What the kernel does to the pipe when this process dies.
        drop(child.watchdog.stdin.take());
        assert_eq!(child.wait_exit(Duration::from_secs(20)).expect("ended by the watchdog").signal(), Some(15));
        poll_for(Duration::from_secs(20), || (!folder.exists()).then_some(())).expect("the folder is removed");
    }

    #[test]
    fn the_exit_code_is_told_once_it_has_ended() {
        let mut command = Command::new("sh");
        command.args(["-c", "trap 'exit 7' INT; echo ready; while :; do sleep 0.05; done"]).stdout(Stdio::piped());
        let mut child = GuardedChild::spawn(&mut command, Signal::Kill, None).unwrap();
        let mut line = String::new();
        let output = child.child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
        assert_eq!(child.wait_exit(Duration::from_millis(20)), None);
        child.signal(Signal::Interrupt);
        assert_eq!(child.wait_exit(Duration::from_secs(20)).unwrap().code(), Some(7));
    }
}
