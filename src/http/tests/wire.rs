//! The server on a real socket, and clients that write what they like.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::admin::Open;
use super::fixture::{DETAILED, House, SUMMARY, served};
use crate::ambient::SystemRandom;
use crate::http::admin::AdminDoor;
use crate::http::server::{ConnectionSettings, serve};

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server under test lives on a thread of its own, as in the service"
    )]
    pub(super) fn start(house: &House) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = house.state.clone();
        let (started, handle) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let settings = ConnectionSettings { stop_grace: Duration::from_secs(1), ..ConnectionSettings::new(1) };
                let (server, handle) = serve(listener, state, &settings).unwrap();
                started.send(handle).unwrap();
                server.await.unwrap();
            });
        });
        Self { address, handle: handle.recv_timeout(PATIENCE).unwrap(), thread: Some(thread) }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }

    /// Everything the server says to these bytes on a connection of their own.
    pub(super) fn shout(&self, bytes: &[u8]) -> Vec<u8> {
        let mut client = self.connect();
        // The server may close while we still write; what it said before counts.
        let _ = client.0.get_mut().write_all(bytes);
        let _ = client.0.get_mut().shutdown(std::net::Shutdown::Write);
        let mut heard = Vec::new();
        let _ = client.0.read_to_end(&mut heard);
        heard
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        futures_util::FutureExt::now_or_never(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    /// Sends one request and reads one answer: status, head in lower case, body.
    fn ask(&mut self, head: &str) -> (u16, String, Vec<u8>) {
        self.0.get_mut().write_all(format!("{head}\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
        self.answer(!head.starts_with("HEAD"))
    }

    fn answer(&mut self, has_body: bool) -> (u16, String, Vec<u8>) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "closed after {head:?}");
        }
        let head = head.to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; if has_body { length } else { 0 }];
        self.0.read_exact(&mut body).unwrap();
        (status, head, body)
    }
}

#[test]
fn one_connection_serves_get_head_and_304() {
    let running = Running::start(&House::serving(served()));
    let mut client = running.connect();
    let (status, get, body) = client.ask(&format!("GET {DETAILED} HTTP/1.1"));
    assert_eq!((status, body.len()), (200, served().entry.body(served().from, served().freshness).len()));
    let (status, head, _) = client.ask(&format!("HEAD {DETAILED} HTTP/1.1"));
    assert_eq!(status, 200);
    let length = format!("content-length: {}", body.len());
    assert!(get.contains(&length) && head.contains(&length), "{head}");
    let (status, _, body) = client.ask(&format!("GET {DETAILED} HTTP/1.1\r\nif-none-match: *"));
    assert_eq!((status, body.len()), (304, 0));
    assert_eq!(client.ask("GET /health/live HTTP/1.1").0, 200);
}

#[test]
fn the_admin_door_knows_who_is_at_the_other_end() {
    let mut house = House::serving(served());
    let (door, token) = AdminDoor::with_new_token(&SystemRandom);
    house.state.services.door = std::sync::Arc::new(door);
    house.state.services.books = std::sync::Arc::new(Open::default());
    let running = Running::start(&house);
    let mut client = running.connect();
    let right = format!("GET /api/v1/admin/ledger HTTP/1.1\r\nauthorization: Bearer {}", token.expose_secret());
    let (status, _, body) = client.ask(&right);
    assert_eq!(
        (status, &serde_json::from_slice::<serde_json::Value>(&body).unwrap()["currency"]),
        (200, &"BRL".into())
    );
    assert_eq!(client.ask(&format!("{right}\r\nx-forwarded-for: 127.0.0.1")).0, 403);
    assert_eq!(client.ask(&format!("{right}0")).0, 401);
    assert_eq!(client.ask("GET /api/v1/admin/ledger HTTP/1.1").0, 401);
    assert_eq!(client.ask(&format!("HEAD{}", right.trim_start_matches("GET"))).0, 200);
}

#[test]
fn a_connection_survives_a_panicking_handler() {
    let running = Running::start(&House::answering(|_| panic!("on purpose")));
    let mut client = running.connect();
    for _ in 0..3 {
        let (status, head, body) = client.ask(&format!("GET {DETAILED} HTTP/1.1\r\nx-request-id: mine"));
        assert_eq!(status, 500);
        assert!(head.contains("application/problem+json") && head.contains("x-request-id: mine"), "{head}");
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["instance"], "mine");
    }
    assert_eq!(client.ask("GET /health/live HTTP/1.1").0, 200);
}

#[test]
fn what_is_too_large_is_refused_and_the_service_goes_on() {
    let running = Running::start(&House::serving(served()));
    let (status, _, body) = running.connect().ask(&format!("POST {DETAILED} HTTP/1.1\r\ncontent-length: 100000000"));
    assert_eq!(status, 413, "{}", String::from_utf8_lossy(&body));
    for (length, statuses) in
        [(10_000, &[422][..]), (60_000, &[422]), (100_000, &[400, 414, 431]), (300_000, &[400, 414, 431])]
    {
        let uri = format!("/api/v1/process-movements/{}/detailed", "1".repeat(length));
        let heard = running.shout(format!("GET {uri} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes());
        let text = String::from_utf8_lossy(&heard);
        assert!(statuses.iter().any(|status| text.starts_with(&format!("HTTP/1.1 {status} "))), "{length}: {text:.60}");
    }
    assert_eq!(running.connect().ask(&format!("GET {SUMMARY} HTTP/1.1")).0, 200);
}

#[test]
fn a_stop_lets_the_request_in_flight_finish() {
    let (entered, waits) = mpsc::channel();
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let opened = std::sync::Arc::clone(&gate);
    let answer = move |_: &_| -> futures_util::future::BoxFuture<'static, _> {
        entered.send(()).unwrap();
        let gate = std::sync::Arc::clone(&gate);
        Box::pin(async move {
            gate.notified().await;
            Ok(served())
        })
    };
    let house = House::new(Box::new(answer), true, crate::http::state::HttpSettings::default());
    let running = Running::start(&house);
    let mut client = running.connect();
    client.0.get_mut().write_all(format!("GET {DETAILED} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
    waits.recv_timeout(PATIENCE).unwrap();
    let stopping = running.handle.stop(true);
    futures_util::FutureExt::now_or_never(stopping);
    opened.notify_one();
    assert_eq!(client.answer(true).0, 200);
}

/// Whatever bytes are written, no answer begins with a status above 499.
fn assert_no_5xx(running: &Running, request: &[u8]) {
    let heard = running.shout(request);
    let failed = heard.windows(10).any(|window| window.starts_with(b"HTTP/1.1 5"));
    assert!(!failed, "{} answered with {}", String::from_utf8_lossy(request), String::from_utf8_lossy(&heard));
}

#[test]
fn nothing_a_client_sends_is_our_error() {
    let running = Running::start(&House::serving(served()));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 300, ..ProptestConfig::default() });
    let bytes = || prop::collection::vec(any::<u8>(), 0..60);
    let visible = || "[!-~]{0,60}";
    let name = "cache-control|if-none-match|accept-encoding|accept|pragma|x-request-id|traceparent|content-length|range|expect";
    runner
        .run(&(visible(), visible(), name, bytes(), bytes(), bytes()), |(segment, query, name, value, raw, noise)| {
            let mut wild = b"GET /".to_vec();
            wild.extend(raw);
            wild.extend(b" HTTP/1.1\r\nhost: x\r\n");
            wild.extend(&noise);
            wild.extend(b"\r\nconnection: close\r\n\r\n");
            assert_no_5xx(&running, &wild);
            for path in [format!("/api/v1/process-movements/{segment}/detailed?{query}"), format!("{DETAILED}?{query}")]
            {
                let mut tame = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{name}: ").into_bytes();
                tame.extend(value.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
                tame.extend(b"\r\n\r\n");
                assert_no_5xx(&running, &tame);
            }
            Ok(())
        })
        .unwrap();
}
