//! A TCP proxy that breaks on command: what a server looks like when the network to it is cut, swallows packets or is slow.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::ports;

const OBEYS_WITHIN: Duration = Duration::from_secs(10);
const MOST_COMMANDS: usize = 16;
const CHUNK: usize = 64 * 1024;

/// What the network does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Every chunk is passed on after this delay, in each direction.
    Forward(Duration),
    /// Live sockets are gone, new ones are refused.
    Cut,
    /// Sockets open and stay open, nothing arrives.
    Blackhole,
}

/// A new condition, and whom to tell when it holds.
type Command = (Condition, SyncSender<()>);

/// A proxy on a port of its own in front of one address. It runs on its own thread, so a test that blocks does not slow it down, and
/// ends when dropped.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    address: SocketAddr,
    commands: mpsc::Sender<Command>,
}

impl FaultProxy {
    /// A proxy in front of 127.0.0.1:`target_port`, forwarding.
    pub(crate) fn start(target_port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_port()));
        let (commands, inbox) = mpsc::channel(MOST_COMMANDS);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(run(address, SocketAddr::from((Ipv4Addr::LOCALHOST, target_port)), inbox));
        });
        let proxy = Self { address, commands };
        proxy.restore();
        proxy
    }

    /// Where clients connect to. It stays the same over [`FaultProxy::cut`] and [`FaultProxy::restore`].
    pub(crate) fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Drops live sockets and refuses new ones.
    pub(crate) fn cut(&self) {
        self.command(Condition::Cut);
    }

    /// Accepts and never forwards, as when packets vanish. What was sent meanwhile arrives after [`FaultProxy::restore`], as TCP would
    /// send it again.
    pub(crate) fn blackhole(&self) {
        self.command(Condition::Blackhole);
    }

    /// Holds every chunk back for `delay` in each direction: a question and its answer take twice that.
    pub(crate) fn delay(&self, delay: Duration) {
        self.command(Condition::Forward(delay));
    }

    /// The network works again, at full speed.
    pub(crate) fn restore(&self) {
        self.command(Condition::Forward(Duration::ZERO));
    }

    /// Returns once the condition holds for every socket.
    fn command(&self, condition: Condition) {
        let (done, when_done) = sync_channel(1);
        self.commands.try_send((condition, done)).expect("the proxy's thread runs");
        when_done.recv_timeout(OBEYS_WITHIN).expect("the proxy obeys");
    }
}

async fn run(address: SocketAddr, target: SocketAddr, mut inbox: mpsc::Receiver<Command>) {
    let (conditions, condition) = watch::channel(Condition::Cut);
    let mut live = JoinSet::new();
    let mut listener: Option<TcpListener> = None;
    loop {
        tokio::select! {
            // A command is obeyed before another socket is let in.
            biased;
            command = inbox.recv() => {
                let Some((wanted, done)) = command else { return };
                conditions.send_replace(wanted);
                if wanted == Condition::Cut {
                    listener = None;
                    live.shutdown().await;
                } else if listener.is_none() {
                    listener = Some(TcpListener::bind(address).await.expect("the proxy's own port"));
                }
                let _test_gave_up = done.send(());
            }
            Some(_) = live.join_next(), if !live.is_empty() => {}
            accepted = accept(listener.as_ref()) => {
                live.spawn(relay(accepted, target, condition.clone()));
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    match listener {
        Some(listener) => listener.accept().await.expect("accepting a socket").0,
        None => std::future::pending().await,
    }
}

async fn relay(client: TcpStream, target: SocketAddr, mut condition: watch::Receiver<Condition>) {
    forwarding(&mut condition).await;
    // A target that refuses shows as a socket that closes at once.
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let _nagle_stays_on = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    tokio::join!(
        pump(client_reads, server_writes, condition.clone()),
        pump(server_reads, client_writes, condition.clone())
    );
}

/// Passes bytes on until the reader's end, and passes that end on too.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut condition: watch::Receiver<Condition>,
) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let delay = forwarding(&mut condition).await;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
            forwarding(&mut condition).await;
        }
        let Some(chunk) = buffer.get(..read) else { return };
        if to.write_all(chunk).await.is_err() {
            return;
        }
    }
    forwarding(&mut condition).await;
    let _already_closed = to.shutdown().await;
}

/// Waits until the network forwards, and says with which delay.
async fn forwarding(condition: &mut watch::Receiver<Condition>) -> Duration {
    let now = condition.wait_for(|now| matches!(now, Condition::Forward(_))).await.map(|now| *now);
    match now {
        Ok(Condition::Forward(delay)) => delay,
        // The proxy is going away, and this socket with it.
        _ => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpStream;
    use std::time::Instant;

    use super::*;

    /// An echo server's port.
    fn echo() -> u16 {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                std::thread::spawn(move || std::io::copy(&mut &socket, &mut &socket));
            }
        });
        port
    }

    fn ask(socket: &mut TcpStream) -> std::io::Result<Duration> {
        let started = Instant::now();
        socket.write_all(b"ping")?;
        let mut answer = [0; 4];
        socket.read_exact(&mut answer)?;
        assert_eq!(&answer, b"ping");
        Ok(started.elapsed())
    }

    fn connect(proxy: &FaultProxy) -> std::io::Result<TcpStream> {
        let socket = TcpStream::connect(proxy.addr())?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(socket)
    }

    #[test]
    fn a_cut_breaks_live_sockets_and_refuses_new_ones_until_restored() {
        let proxy = FaultProxy::start(echo());
        let mut live = connect(&proxy).unwrap();
        ask(&mut live).unwrap();
        for _ in 0..3 {
            proxy.cut();
            assert!(ask(&mut live).is_err());
            assert_eq!(connect(&proxy).unwrap_err().kind(), ErrorKind::ConnectionRefused);
            proxy.restore();
            live = connect(&proxy).unwrap();
            ask(&mut live).unwrap();
        }
    }

    #[test]
    fn a_black_hole_accepts_and_says_nothing_until_restored() {
        let proxy = FaultProxy::start(echo());
        let mut live = connect(&proxy).unwrap();
        ask(&mut live).unwrap();
        proxy.blackhole();
        let mut fresh = connect(&proxy).unwrap();
        for socket in [&mut live, &mut fresh] {
            socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            assert!(matches!(ask(socket).unwrap_err().kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        }
        proxy.restore();
        for mut socket in [live, fresh] {
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut late = [0; 4];
            socket.read_exact(&mut late).unwrap();
            assert_eq!(&late, b"ping");
        }
    }

    #[test]
    fn a_delay_is_paid_in_each_direction_and_ends_when_restored() {
        let proxy = FaultProxy::start(echo());
        let mut socket = connect(&proxy).unwrap();
        proxy.delay(Duration::from_millis(60));
        assert!(ask(&mut socket).unwrap() >= Duration::from_millis(120));
        proxy.restore();
        ask(&mut socket).unwrap();
    }

    #[test]
    fn a_target_that_refuses_and_a_dropped_proxy_close_the_socket() {
        let proxy = FaultProxy::start(ports::free_port());
        assert!(ask(&mut connect(&proxy).unwrap()).is_err());
        let proxy = FaultProxy::start(echo());
        let mut live = connect(&proxy).unwrap();
        ask(&mut live).unwrap();
        drop(proxy);
        assert!(ask(&mut live).is_err());
    }
}
