//! A client of a stream as browsers are: it comes back, and asks for what follows the last number that it was told.
#![expect(clippy::disallowed_methods, clippy::panic, reason = "a client of the test's own, on a thread of its own")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::http;

/// Before a service that is not there is asked again.
const AWAY: Duration = Duration::from_millis(20);
/// How soon it notices that it is not needed any more.
const LOOK: Duration = Duration::from_millis(100);

/// The client; it listens until it is [`ended`](Self::end).
pub(super) struct Patient {
    heard: Arc<Mutex<Vec<u64>>>,
    opened: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Patient {
    /// From the first event there ever was.
    pub(super) fn start(url: String) -> Self {
        let (heard, opened): (Arc<Mutex<Vec<u64>>>, Arc<AtomicUsize>) = (Arc::default(), Arc::default());
        let is_over = Arc::new(AtomicBool::new(false));
        let (numbers, openings, over) = (Arc::clone(&heard), Arc::clone(&opened), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut last = "0".to_owned();
                while !over.load(Ordering::SeqCst) {
                    listen(&url, &mut last, &numbers, &openings, &over).await;
                    tokio::time::sleep(AWAY).await;
                }
            });
        });
        Self { heard, opened, is_over, thread }
    }

    /// How many events so far.
    pub(super) fn count(&self) -> usize {
        self.heard.lock().expect("no panic").len()
    }

    /// The numbers in the order in which they came, and how often a stream was opened.
    pub(super) fn end(self) -> (Vec<u64>, usize) {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().expect("the client's thread");
        let heard = self.heard.lock().expect("no panic").clone();
        (heard, self.opened.load(Ordering::SeqCst))
    }
}

/// One stream, until it breaks.
async fn listen(url: &str, last: &mut String, heard: &Mutex<Vec<u64>>, opened: &AtomicUsize, over: &AtomicBool) {
    let request = http::client(Duration::from_secs(300)).get(url).header("last-event-id", last.as_str());
    let Ok(mut response) = request.send().await else { return };
    if response.status() != 200 {
        return;
    }
    opened.fetch_add(1, Ordering::SeqCst);
    // Bytes: a chunk may end in the middle of a letter.
    let mut bytes = Vec::new();
    while !over.load(Ordering::SeqCst) {
        // What came of a block that is not whole is dropped with the stream.
        let chunk = match tokio::time::timeout(LOOK, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None) | Err(_)) => return,
            Err(_silence) => continue,
        };
        bytes.extend_from_slice(&chunk);
        while let Some(end) = bytes.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = bytes.drain(..end + 2).collect();
            let block = std::str::from_utf8(&block).expect("text");
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            // Also a block without data moves the position.
            if let Some(id) = field("id") {
                id.clone_into(last);
            }
            match field("event") {
                Some("gap") => panic!("a gap: {block}"),
                Some(_) => heard.lock().expect("no panic").push(last.parse().expect("a number")),
                None => {}
            }
        }
    }
}
