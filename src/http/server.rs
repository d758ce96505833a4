//! The server around the pages: sockets, workers, time limits. It starts no actor; workers hold references only.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::KeepAlive;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use socket2::{Domain, Socket, Type};

use super::boundary::boundary;
use super::routes;
use super::shortcut::Shortcut;
use super::state::HttpState;

/// How connections are kept and let go.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// Workers, one thread each.
    pub workers: usize,
    /// How long an idle connection is kept: above a load balancer's usual 60 s, so that it is the one to close.
    pub keep_alive: Duration,
    /// How long a client may take to send a request's head.
    pub head_timeout: Duration,
    /// How long a client may take to read the rest when we close.
    pub disconnect_timeout: Duration,
    /// How long requests in flight may go on after a stop; whole seconds.
    pub stop_grace: Duration,
    /// Connections of one worker; more wait in the kernel's queue.
    pub max_connections: usize,
}

impl ConnectionSettings {
    /// The defaults for a number of workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self {
            workers: workers.max(1),
            keep_alive: Duration::from_secs(75),
            head_timeout: Duration::from_secs(10),
            disconnect_timeout: Duration::from_secs(2),
            stop_grace: Duration::from_secs(10),
            max_connections: 25_000,
        }
    }
}

/// Connections that may wait to be accepted. The standard library's 128 would make a burst of clients wait for a retransmission.
const BACKLOG: i32 = 4096;

/// Binds an address; port 0 takes a free one.
///
/// # Errors
/// When it is taken, or not ours to take.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restarted service gets its port although connections of the last one are still being forgotten.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Starts serving `state` on a bound listener; port 0 was replaced by a real one when it was bound. Must be called inside an
/// actix system. The server runs while the returned [`Server`] is awaited; `handle.stop(true)` ends it after the requests in
/// flight, at the latest after [`ConnectionSettings::stop_grace`]. Signals are the caller's.
///
/// A request's head may have 128 KiB and 96 header lines (fixed in actix-http 3): more is 431 or 400.
///
/// # Errors
/// When the listener cannot be handed over to the workers.
pub fn serve(
    listener: TcpListener,
    state: HttpState,
    settings: &ConnectionSettings,
) -> io::Result<(Server, ServerHandle)> {
    let state = Data::new(state);
    let app = move || {
        App::new()
            .app_data(Data::clone(&state))
            .wrap(Compress::default())
            .wrap(from_fn(boundary))
            .wrap(Shortcut(Data::clone(&state)))
            .configure(routes::mount)
    };
    let server = HttpServer::new(app)
        .workers(settings.workers)
        .keep_alive(KeepAlive::Timeout(settings.keep_alive))
        .client_request_timeout(settings.head_timeout)
        .client_disconnect_timeout(settings.disconnect_timeout)
        .shutdown_timeout(settings.stop_grace.as_secs())
        .max_connections(settings.max_connections)
        .tcp_nodelay(true)
        // A client that closes its side has left: whoever waits for it stops waiting.
        .h1_allow_half_closed(false)
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    Ok((server, handle))
}
