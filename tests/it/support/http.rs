//! HTTP as tests speak it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A client that ignores the machine's proxy settings, follows no redirect and gives every request `timeout` in all.
pub(crate) fn client(timeout: Duration) -> reqwest::Client {
    // Only the first caller in a process installs it; every later one finds it there.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .build()
        .expect("an HTTP client")
}

/// The status that `GET path` answers, without any client library; `None` when nothing answered within `timeout`.
pub(crate) fn status_of(address: SocketAddr, path: &str, timeout: Duration) -> Option<u16> {
    let mut socket = TcpStream::connect_timeout(&address, timeout).ok()?;
    socket.set_read_timeout(Some(timeout)).ok()?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut head = [0; 12];
    socket.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()
}

/// A server of a few lines, so that the harness can be tested without the service.
#[cfg(test)]
pub(crate) mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    /// Serves on `port` (0: any) until the test process ends: whatever `answer` gives for a path, as status and JSON body.
    pub(crate) fn serve(port: u16, answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = std::sync::Arc::new(answer);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let answer = answer.clone();
                std::thread::spawn(move || serve_socket(socket, &*answer));
            }
        });
        address
    }

    fn serve_socket(mut socket: TcpStream, answer: &dyn Fn(&str) -> (u16, String)) {
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let mut path = String::new();
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            if let Some(rest) = line.strip_prefix("GET ") {
                path = rest.split(' ').next().unwrap_or_default().to_owned();
            }
            if line == "\r\n" {
                let (status, body) = answer(&path);
                let length = body.len();
                let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}");
                if write!(socket, "{head}\r\n\r\n{body}").is_err() {
                    return;
                }
            }
            line.clear();
        }
    }

    #[test]
    fn a_status_is_read_and_silence_is_none() {
        let address = serve(0, |path| (if path == "/there" { 204 } else { 404 }, String::new()));
        assert_eq!(status_of(address, "/there", Duration::from_secs(5)), Some(204));
        assert_eq!(status_of(address, "/elsewhere", Duration::from_secs(5)), Some(404));
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert_eq!(status_of(silent.local_addr().unwrap(), "/", Duration::from_millis(50)), None);
    }
}
