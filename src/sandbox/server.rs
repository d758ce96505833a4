//! The running server: one port, one worker, stopped when asked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::net::TcpListener;
use actix_web::web::{self, Data, PayloadConfig};
use actix_web::{App, HttpServer};

use super::callback::sender;
use super::control::Control;
use super::serve::{self, Line};
use super::settings::SandboxSettings;
use super::switches;
use crate::ambient::SharedClock;

/// The largest request body the sandbox reads.
const LARGEST_BODY: usize = 1024 * 1024;

/// As long as web servers usually do. What a client sends at the very end of it gets no answer, which is a fault nobody switched on.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A simulated vendor that listens.
pub struct Sandbox {
    control: Control,
    address: SocketAddr,
    handle: ServerHandle,
    running: actix_web::rt::task::JoinHandle<io::Result<()>>,
    sender: actix_web::rt::task::JoinHandle<()>,
}

impl Sandbox {
    /// Starts a vendor on `listen` (port 0: a free one). Needs an actix `System`.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(settings: SandboxSettings, listen: SocketAddr, clock: SharedClock) -> io::Result<Self> {
        Self::resume(Control::new(settings, clock), listen).await
    }

    /// Opens a port for a vendor that exists already, after [`Sandbox::stop`] for instance.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn resume(control: Control, listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?.into_std()?;
        let address = listener.local_addr()?;
        let data = Data::new(control.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(PayloadConfig::new(LARGEST_BODY))
                .configure(switches::routes)
                .default_service(web::to(serve::vendor))
        })
        .workers(1)
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        // A client that leaves must end the wait of a fault that never answers.
        .h1_allow_half_closed(false)
        .on_connect(|stream, data| {
            if let Some(Ok(line)) = stream.downcast_ref().map(Line::of) {
                data.insert(line);
            }
        })
        .listen(listener)?
        .run();
        let handle = server.handle();
        #[expect(clippy::disallowed_methods, reason = "this struct owns the server and ends it in `stop`")]
        let running = actix_web::rt::spawn(server);
        #[expect(clippy::disallowed_methods, reason = "this struct owns the sender and ends it in `stop`")]
        let sender = actix_web::rt::spawn(sender::run(control.clone()));
        Ok(Self { control, address, handle, running, sender })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.reachable())
    }

    /// The bound address, with loopback in place of "every interface".
    #[must_use]
    pub fn reachable(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        SocketAddr::new(ip, self.address.port())
    }

    /// The switchboard.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Closes the port and every connection at once, without waiting for answers under way.
    pub async fn stop(self) {
        self.sender.abort();
        self.handle.stop(false).await;
        // The server has stopped; how its task ended changes nothing.
        let _ = self.running.await;
    }
}
