//! The server around the pages: sockets, workers, time limits. It starts no actor; workers hold references only.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::KeepAlive;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer};

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
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    Ok((server, handle))
}
