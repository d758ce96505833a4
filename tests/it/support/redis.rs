//! A real Redis for one test, which may kill it, pause it and start it again.

use std::fs::File;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use super::guard::{GuardedChild, Signal};
use super::wait::poll_for;
use super::{machine, ports};

const STARTS_WITHIN: Duration = Duration::from_secs(30);
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// A private server on a free port of 127.0.0.1 that keeps nothing on disk.
#[derive(Debug)]
pub(crate) struct Redis {
    port: u16,
    server: Mutex<GuardedChild>,
    // After `server`, so that the server is dead before its folder goes.
    folder: TempDir,
}

impl Redis {
    /// A running, empty server.
    pub(crate) fn start() -> Self {
        let port = ports::free_port();
        let folder = machine::temp_folder("jc-redis-");
        let server = Mutex::new(launch(port, &folder));
        Self { port, server, folder }
    }

    /// `redis://…`, as `REDIS_URL` takes it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The TCP port, for a proxy in front of the server. It stays the same over restarts.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `kill -9`: sockets break, connections are refused, and all it held is lost.
    pub(crate) fn kill(&self) {
        self.server().kill9();
    }

    /// Freezes the server: connections are accepted by the kernel, and nothing is ever answered.
    pub(crate) fn pause(&self) {
        self.server().signal(Signal::Stop);
    }

    /// Ends a [`Redis::pause`].
    pub(crate) fn resume(&self) {
        self.server().signal(Signal::Continue);
    }

    /// Kills the server if it runs and starts an empty one on the same port.
    pub(crate) fn restart(&self) {
        let mut server = self.server();
        server.kill9();
        *server = launch(self.port, &self.folder);
    }

    /// Removes every key.
    pub(crate) fn flush(&self) {
        let () = redis::cmd("FLUSHALL").query(&mut self.connection()).expect("FLUSHALL");
    }

    /// The bytes under `key`.
    pub(crate) fn get_raw(&self, key: &str) -> Option<Vec<u8>> {
        redis::cmd("GET").arg(key).query(&mut self.connection()).expect("GET")
    }

    /// Puts `bytes` under `key`, keeping the time to live that the key has.
    pub(crate) fn set_raw(&self, key: &str, bytes: &[u8]) {
        let () = redis::cmd("SET").arg(key).arg(bytes).arg("KEEPTTL").query(&mut self.connection()).expect("SET");
    }

    /// Every key, in order.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut self.connection()).expect("KEYS");
        keys.sort_unstable();
        keys
    }

    /// The keys of copies, in order: the nodes' pace has keys of its own.
    pub(crate) fn copies(&self) -> Vec<String> {
        let mut keys = self.keys();
        keys.retain(|key| key.starts_with("juscache:process:"));
        keys
    }

    fn server(&self) -> MutexGuard<'_, GuardedChild> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> redis::Connection {
        connect(self.port, ANSWERS_WITHIN).expect("a connection to the test's Redis")
    }
}

fn connect(port: u16, timeout: Duration) -> redis::RedisResult<redis::Connection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let connection = client.get_connection_with_timeout(timeout)?;
    connection.set_read_timeout(Some(timeout))?;
    Ok(connection)
}

fn launch(port: u16, folder: &TempDir) -> GuardedChild {
    let program = machine::find_program("redis-server")
        .expect("no redis-server on this machine; `bash tests/run.sh` installs it");
    let log = folder.path().join("log");
    let mut command = machine::clean_command(program, folder.path());
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"]);
    command.args(["--save", "", "--appendonly", "no"]).arg("--dir").arg(folder.path());
    command.stdin(Stdio::null()).stdout(File::create(&log).expect("a log file")).stderr(Stdio::null());
    let mut server = GuardedChild::spawn(&mut command, Signal::Kill, Some(folder.path())).expect("redis-server");
    let answers = poll_for(STARTS_WITHIN, || {
        let up = connect(port, Duration::from_secs(1)).is_ok();
        (up || server.exited().is_some()).then_some(up)
    });
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    assert_eq!(answers, Some(true), "redis-server did not start: {}", said());
    server
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping(redis: &Redis, timeout: Duration) -> redis::RedisResult<String> {
        redis::cmd("PING").query(&mut connect(redis.port, timeout)?)
    }

    #[test]
    fn raw_bytes_are_kept_until_flushed() {
        let redis = Redis::start();
        assert!(redis.url().ends_with(&redis.port().to_string()));
        redis.set_raw("b", &[0, 159, 146, 150]);
        redis.set_raw("a", b"1");
        assert_eq!(redis.keys(), ["a", "b"]);
        assert_eq!(redis.get_raw("b").unwrap(), [0, 159, 146, 150]);
        redis.flush();
        assert_eq!(redis.get_raw("b"), None);
    }

    #[test]
    fn a_killed_server_refuses_and_a_restarted_one_is_empty_on_the_same_port() {
        let redis = Redis::start();
        redis.set_raw("k", b"v");
        redis.kill();
        assert!(ping(&redis, ANSWERS_WITHIN).unwrap_err().is_connection_refusal());
        redis.restart();
        assert_eq!(ping(&redis, ANSWERS_WITHIN).unwrap(), "PONG");
        assert_eq!(redis.get_raw("k"), None);
    }

    #[test]
    fn a_paused_server_is_silent_and_a_resumed_one_answers_with_what_it_held() {
        let redis = Redis::start();
        redis.set_raw("k", b"v");
        redis.pause();
        assert!(ping(&redis, Duration::from_millis(200)).unwrap_err().is_timeout());
        redis.resume();
        assert_eq!(redis.get_raw("k").unwrap(), b"v");
    }
}
