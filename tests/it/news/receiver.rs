//! A subscriber: an HTTP server that writes down what it is sent.
#![expect(clippy::disallowed_methods, reason = "a server of the test's own, on threads of its own")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// One request as it came.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Names in lower case.
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Sent {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("json")
    }

    pub(super) fn cnj(&self) -> String {
        self.json()["data"]["cnj"].as_str().expect("a number").to_owned()
    }

    pub(super) fn event(&self) -> u64 {
        self.json()["data"]["id"].as_str().expect("an id").parse().expect("a number")
    }
}

/// What a subscriber says to the `n`th request (from zero): a status line's rest and further header lines, or nothing at all.
type Says = dyn Fn(usize, &Sent) -> Option<String> + Send + Sync;

/// The server; it ends with the test process.
#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Receiver {
    /// One that takes everything.
    pub(super) fn start() -> Self {
        Self::saying(|_, _| Some("204 X".to_owned()))
    }

    pub(super) fn saying(says: impl Fn(usize, &Sent) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sent, says): (Arc<Mutex<Vec<Sent>>>, Arc<Says>) = (Arc::default(), Arc::new(says));
        let receiver = Self { address, sent: Arc::clone(&sent) };
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (sent, says) = (Arc::clone(&sent), Arc::clone(&says));
                std::thread::spawn(move || serve(socket, &sent, &*says));
            }
        });
        receiver
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("no panic").clone()
    }

    pub(super) fn count(&self) -> usize {
        self.sent.lock().expect("no panic").len()
    }
}

/// Answers one request and closes.
fn serve(mut socket: TcpStream, sent: &Mutex<Vec<Sent>>, says: &Says) -> Option<()> {
    let mut reader = BufReader::new(socket.try_clone().ok()?);
    let mut headers = HashMap::new();
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 0 && line != "\r\n" {
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        line.clear();
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let request = Sent { headers, body };
    let number = {
        let mut sent = sent.lock().ok()?;
        sent.push(request.clone());
        sent.len() - 1
    };
    match says(number, &request) {
        Some(says) => write!(socket, "HTTP/1.1 {says}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok(),
        // Held open without a word, until the other side gives up.
        None => {
            let _left = reader.read(&mut [0]);
            Some(())
        }
    }
}
