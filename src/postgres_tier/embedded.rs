//! PostgreSQL inside this process: the only file that names the crate behind it.
//!
//! What it is: PostgreSQL 17.5, compiled to WebAssembly, behind a socket on 127.0.0.1. What that means, read in its source
//! (pglite-oxide 0.5.1) and tried out in `tests/it/postgres/embedded.rs`:
//!
//! * There is **one backend**. A connection is served until it ends, and the next one waits in the kernel's queue meanwhile: a pool
//!   of one, and a `psql` beside a running juscache waits for ever. To look into the tables, stop juscache, or use a server.
//! * Everyone is the superuser `postgres`, in the database `template1`, without a password; only this machine reaches it. Roles and
//!   row-level security work (another user name is answered by `SET ROLE`), but whoever connects may set the role back.
//! * What was acknowledged survives the end of the process, SIGKILL included. It does not survive a power cut for certain: the
//!   backend runs with `-F` (no fsync), and its file system would not pass an fsync on. A server does better.
//! * It unpacks itself into the user's cache folder, so `HOME` must be writable.
//! * A client whose socket breaks in the middle of an answer ends the thread that serves (`handle_stream` returns its error through
//!   the accept loop). So a keeper looks after it, and starts it again on the same port.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use pglite_oxide::PgliteServer;
use secrecy::SecretString;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;

const LOCK_FILE: &str = "juscache.lock";
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A backend that is asked to stop finishes what it is at; a client that does not go away is not waited for any longer.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no embedded database.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// Another process uses the folder.
    #[error("{} is in use by another juscache (process {pid}); stop that one, or set JUSCACHE_DATA_DIR to another folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Who, as far as the lock file tells.
        pid: String,
    },
    /// The folder cannot be used.
    #[error("{} cannot be used for the embedded database: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It does not start.
    #[error("{0}; to do without the embedded database, set DATABASE_URL to a server")]
    Start(String),
}

/// A running embedded database. Close every connection before [`stop`](Embedded::stop): one that stays open keeps it busy.
#[derive(Debug)]
pub struct Embedded {
    url: SecretString,
    stop: Sender<()>,
    stopped: oneshot::Receiver<()>,
}

impl Embedded {
    /// Starts the database of a folder, which is made if it is missing. A folder left behind by SIGKILL is recovered.
    ///
    /// # Errors
    /// Any [`EmbeddedError`].
    pub async fn start(folder: &Path) -> Result<Self, EmbeddedError> {
        let folder = folder.to_owned();
        let started = tokio::task::spawn_blocking(move || Self::start_blocking(folder)).await;
        started.map_err(|panic| EmbeddedError::Start(panic.to_string()))?
    }

    /// The address, for a pool of one connection.
    #[must_use]
    pub fn url(&self) -> SecretString {
        self.url.clone()
    }

    /// Stops it, and returns when it has shut down in order, or when it has been waited for long enough.
    pub async fn stop(self) {
        let Self { stop, stopped, .. } = self;
        // An error means that the keeper has ended already.
        let _ = stop.send(());
        if timeout(STOP_WITHIN, stopped).await.is_err() {
            tracing::warn!("the embedded database is still busy; it recovers at its next start");
        }
    }

    fn start_blocking(folder: PathBuf) -> Result<Self, EmbeddedError> {
        let lock = lock(&folder)?;
        // Port 0 would change with every restart of the server.
        let address = free_address().map_err(|source| EmbeddedError::Folder { folder: folder.clone(), source })?;
        let server = serve(&folder, address).map_err(EmbeddedError::Start)?;
        let url = SecretString::from(server.database_url());
        let (stop, asked_to_stop) = mpsc::channel();
        let (has_stopped, stopped) = oneshot::channel();
        let keeper = std::thread::Builder::new().name("juscache-embedded".to_owned()).spawn(move || {
            keep(&folder, address, server, &asked_to_stop);
            drop(lock);
            // Nobody waits any more after a stop that took too long.
            let _ = has_stopped.send(());
        });
        keeper.map_err(|error| EmbeddedError::Start(error.to_string()))?;
        Ok(Self { url, stop, stopped })
    }
}

/// Until it is told to stop, or nobody holds the [`Embedded`] any more.
fn keep(folder: &Path, address: SocketAddr, server: PgliteServer, stop: &Receiver<()>) {
    let mut server = Some(server);
    while stop.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
        // A port that can be bound is one that nobody serves. Asking so disturbs nobody; a connection would stay in the queue.
        if TcpListener::bind(address).is_ok() {
            tracing::warn!("the embedded database lost a client in the middle of an answer; starting it again");
            // The old one holds the folder until it is dropped.
            drop(server.take());
            match serve(folder, address) {
                Ok(again) => server = Some(again),
                Err(error) => tracing::error!(error, "the embedded database does not start again"),
            }
        }
    }
    drop(server);
}

fn serve(folder: &Path, address: SocketAddr) -> Result<PgliteServer, String> {
    PgliteServer::builder().path(folder).tcp(address).start().map_err(|error| format!("{error:#}"))
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The kernel's lock goes with the process however it ends; the number inside is only for people.
fn lock(folder: &Path) -> Result<File, EmbeddedError> {
    let unusable = |source| EmbeddedError::Folder { folder: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(unusable)?;
    let mut options = File::options();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).open(folder.join(LOCK_FILE)).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
            let pid = if known { pid.trim().to_owned() } else { "unknown".to_owned() };
            return Err(EmbeddedError::InUse { folder: folder.to_owned(), pid });
        }
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    let write = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    write.map_err(unusable)?;
    Ok(file)
}
