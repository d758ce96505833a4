//! A real PostgreSQL for tests: one cluster that all tests share, each with a database of its own, and private clusters that a test
//! may stop, kill and pause.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::guard::{GuardedChild, Signal};
use super::wait::poll_for;
use super::{machine, ports};

/// Long enough for a crashed cluster to replay its log on a machine that is building something else.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A cluster on a free port of 127.0.0.1 and on a unix socket in its folder. Its superuser is `postgres`, no password is asked.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    user: Option<machine::PlainUser>,
    port: u16,
    shared: bool,
    server: Mutex<Option<GuardedChild>>,
    // After `server`, so that the server is dead before its folder goes.
    folder: TempDir,
}

/// A database of one test, dropped with this value (as far as the cluster still answers).
#[derive(Debug)]
pub(crate) struct TestDatabase<'a> {
    cluster: &'a Postgres,
    name: String,
    /// `postgres://…`, as `DATABASE_URL` takes it.
    pub(crate) url: String,
}

impl Postgres {
    /// The cluster of this test process, started by the first test that asks. Nobody may stop or pause it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self { shared: true, ..Self::own() })
    }

    /// A private cluster, running.
    pub(crate) fn own() -> Self {
        let programs = newest_programs();
        let user = machine::PlainUser::when_root();
        let folder = machine::temp_folder("jc-pg-");
        if let Some(user) = user {
            user.owns(folder.path()).expect("the cluster's folder changes hands");
        }
        let cluster =
            Self { programs, user, port: ports::free_port(), shared: false, server: Mutex::new(None), folder };
        let mut initdb = cluster.command("initdb");
        initdb.args(["-D", "data", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        let made = cluster.spawn(&mut initdb).wait_exit(STARTS_WITHIN);
        assert!(made.is_some_and(|exit| exit.success()), "initdb failed:\n{}", cluster.log());
        cluster.start();
        cluster
    }

    /// A fresh, empty database whose name begins with `name_hint`.
    pub(crate) fn database(&self, name_hint: &str) -> TestDatabase<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let hint: String = name_hint.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        let name = format!("t_{}_{}", hint.to_ascii_lowercase(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
        let url = self.url(&name);
        TestDatabase { cluster: self, name, url }
    }

    /// The address of `database` over TCP.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The TCP port, for a proxy in front of the cluster. It stays the same over restarts.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts a stopped or killed cluster on the same port and data, and waits until it answers.
    pub(crate) fn start(&self) {
        let mut server = self.server();
        assert!(server.as_mut().is_none_or(|server| server.exited().is_some()), "the cluster runs already");
        // A killed cluster's last children may hold its shared memory for a moment: then the new one refuses to start.
        let started = poll_for(STARTS_WITHIN, || {
            let mut process = self.launch();
            poll_for(STARTS_WITHIN, || {
                let answers = self.try_query("postgres", "SELECT 1").is_ok();
                (answers || process.exited().is_some()).then_some(answers)
            })?
            .then_some(process)
        });
        *server = Some(started.unwrap_or_else(|| panic!("PostgreSQL did not start; its log:\n{}", self.log())));
    }

    /// An orderly stop that breaks off open transactions ("fast shutdown").
    pub(crate) fn stop(&self) {
        self.with_server(|server| {
            server.signal(Signal::Interrupt);
            server.wait_exit(STARTS_WITHIN).expect("PostgreSQL stops when asked");
        });
    }

    /// `kill -9` of the whole cluster: sockets break, nothing is flushed, the next start recovers from the log.
    pub(crate) fn kill9(&self) {
        self.with_server(|server| {
            server.kill9();
        });
    }

    /// Freezes every process of the cluster: connections are accepted by the kernel, and nothing is ever answered.
    pub(crate) fn pause(&self) {
        self.with_server(|server| server.signal_family(Signal::Stop));
    }

    /// Ends a [`Postgres::pause`].
    pub(crate) fn resume(&self) {
        self.with_server(|server| server.signal_family(Signal::Continue));
    }

    /// Runs statements in `database` as the superuser; panics when one fails. Must not be called while the cluster is broken.
    pub(crate) fn execute(&self, database: &str, sql: &str) {
        self.rows(database, sql);
    }

    /// The rows of the statements' answers, every value as text, NULL as `None`.
    pub(crate) fn rows(&self, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
        self.try_query(database, sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// What `psql` prints for `sql`, as a person would run it; panics with its complaint when it fails.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.command("psql");
        psql.args(["--no-psqlrc", "-v", "ON_ERROR_STOP=1", &self.url(database), "-c", sql]);
        let output = psql.output().expect("psql");
        assert!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("psql's output")
    }

    fn server(&self) -> std::sync::MutexGuard<'_, Option<GuardedChild>> {
        // A test that panicked while it held the lock has changed nothing that the next step does not check itself.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_server(&self, act: impl FnOnce(&mut GuardedChild)) {
        act(self.server().as_mut().expect("the cluster was started"));
    }

    fn launch(&self) -> GuardedChild {
        let mut command = self.command("postgres");
        command.args(["-D", "data", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-k"]).arg(self.folder.path());
        for setting in [
            // Safe against a killed process, which is all that tests do; not against a power cut.
            "fsync=off",
            "max_connections=300",
            "shared_buffers=32MB",
            "log_min_messages=warning",
            "timezone=UTC",
            "shared_memory_type=mmap",
            "dynamic_shared_memory_type=mmap",
        ] {
            command.args(["-c", setting]);
        }
        self.spawn(&mut command)
    }

    /// Runs a program of the cluster, its complaints in the log, ended with this process and the folder with it.
    fn spawn(&self, command: &mut Command) -> GuardedChild {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        GuardedChild::spawn(command, Signal::Quit, Some(self.folder.path())).expect("a program of PostgreSQL")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = machine::clean_command(self.programs.join(program), self.folder.path());
        if let Some(user) = self.user {
            user.runs(&mut command);
        }
        command
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let from = log.len().saturating_sub(2000);
        log.get(from..).unwrap_or(&log).to_owned()
    }

    /// On a thread of its own, because a test's runtime cannot be blocked on from within.
    fn try_query(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user("postgres").dbname(database);
        config.connect_timeout(Duration::from_secs(5));
        std::thread::scope(|scope| scope.spawn(|| query(&config, sql)).join().expect("the query's thread"))
    }
}

fn query(config: &tokio_postgres::Config, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = config.connect(NoTls).await?;
        // The connection ends with the runtime, and that with this function.
        runtime.spawn(connection);
        let messages = client.simple_query(sql).await?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|n| row.get(n).map(str::to_owned)).collect()),
            _ => None,
        });
        Ok(rows.collect())
    })
}

impl TestDatabase<'_> {
    /// The database's own name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDatabase<'_> {
    fn drop(&mut self) {
        // A test may leave its private cluster stopped or frozen: then the folder goes as a whole, and nothing is asked here.
        if self.cluster.shared {
            let _best_effort =
                self.cluster.try_query("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// The folder with the newest `initdb` and `postgres` on this machine.
fn newest_programs() -> PathBuf {
    let mut folders = machine::program_folders();
    if let Some(pg_config) = machine::find_program("pg_config") {
        let answer = Command::new(pg_config).arg("--bindir").output().expect("pg_config");
        folders.push(PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim()));
    }
    for (root, inside) in [
        ("/usr/lib/postgresql", ""),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/usr/local", "pgsql"),
    ] {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(inside));
        folders.extend(named.map(|entry| entry.path().join("bin")));
    }
    let versions = folders.into_iter().filter_map(|folder| Some((major_version(&folder)?, folder)));
    let newest = versions.max_by_key(|(version, _)| *version);
    newest.expect("no PostgreSQL programs (initdb, postgres) on this machine; `bash tests/run.sh` installs them").1
}

/// The major version of the PostgreSQL in `folder`, if it is whole: a folder of links may hold a few of its programs.
fn major_version(folder: &Path) -> Option<u32> {
    if !["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).is_file()) {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    version.split(|digit: char| !digit.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_apart_and_go_with_their_test() {
        let cluster = Postgres::shared();
        let (one, two) = (cluster.database("Twin test!"), cluster.database("Twin test!"));
        assert_ne!(one.url, two.url);
        cluster.execute(one.name(), "CREATE TABLE only_here (n int); INSERT INTO only_here VALUES (NULL), (7)");
        assert_eq!(cluster.rows(one.name(), "SELECT n FROM only_here"), [[None], [Some("7".to_owned())]]);
        assert_eq!(cluster.rows(two.name(), "SELECT to_regclass('only_here')"), [[None::<String>]]);
        assert!(cluster.psql(one.name(), "SELECT n FROM only_here").contains("(2 rows)"));
        let name = one.name().to_owned();
        drop(one);
        let left = cluster.rows("postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"));
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn a_killed_cluster_refuses_and_comes_back_with_its_data() {
        let cluster = Postgres::own();
        let database = cluster.database("kill");
        cluster.execute(database.name(), "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)");
        for stop in [Postgres::kill9, Postgres::stop] {
            stop(&cluster);
            let socket = std::net::TcpStream::connect(("127.0.0.1", cluster.port()));
            assert_eq!(socket.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
            cluster.start();
            assert_eq!(cluster.rows(database.name(), "SELECT n FROM kept"), [[Some("7".to_owned())]]);
        }
    }

    #[test]
    fn a_paused_cluster_is_silent_even_to_an_open_session_and_goes_on_afterwards() {
        let cluster = Postgres::own();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&cluster.url("postgres"), NoTls).await.unwrap();
            runtime.spawn(connection);
            client.simple_query("SELECT 1").await.unwrap();
            cluster.pause();
            let asked = client.simple_query("SELECT 1");
            tokio::pin!(asked);
            assert!(tokio::time::timeout(Duration::from_millis(200), &mut asked).await.is_err());
            let url = cluster.url("postgres");
            let fresh = tokio_postgres::connect(&url, NoTls);
            assert!(tokio::time::timeout(Duration::from_millis(200), fresh).await.is_err());
            cluster.resume();
            tokio::time::timeout(Duration::from_secs(20), asked).await.expect("an answer after the pause").unwrap();
        });
    }
}
