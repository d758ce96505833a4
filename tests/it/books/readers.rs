//! Clients who ask all the time, and do not mind what they hear.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::support::http;

/// How many ask at once.
const CLIENTS: usize = 32;
/// Between an answer and the next question: a service that only refuses is not asked ten thousand times a second.
const PAUSE: Duration = Duration::from_millis(10);
/// After a refusal, as a client should: or an outage would use up the run.
const REFUSED: Duration = Duration::from_millis(200);
/// Before a service that is not there is asked again.
const AWAY: Duration = Duration::from_millis(100);
/// What a patient client waits for; every tenth is not patient.
const PATIENCE: Duration = Duration::from_secs(20);
const IMPATIENCE: Duration = Duration::from_millis(30);

/// What was heard, by status; 0: the client left before there was one.
pub(super) type Heard = BTreeMap<u16, usize>;

/// Some lookups, under way.
pub(super) struct Readers {
    done: Arc<AtomicUsize>,
    thread: JoinHandle<Heard>,
}

impl Readers {
    /// Asks for `lookups` answers, each address in turn. A lookup that finds no service is made again and not counted.
    pub(super) fn start(addresses: Vec<String>, lookups: usize) -> Self {
        let client = http::client(PATIENCE);
        let done = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let next = Arc::new(AtomicUsize::new(0));
            runtime.block_on(async {
                let mut clients = JoinSet::new();
                for _ in 0..CLIENTS {
                    let (client, next, done) = (client.clone(), Arc::clone(&next), Arc::clone(&counter));
                    clients.spawn(ask(client, addresses.clone(), next, done, lookups));
                }
                clients.join_all().await.into_iter().fold(Heard::new(), |mut all, heard| {
                    heard.into_iter().for_each(|(status, times)| *all.entry(status).or_default() += times);
                    all
                })
            })
        });
        Self { done, thread }
    }

    /// How many lookups are over.
    pub(super) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Whether all are.
    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// What was heard; to be asked when all are over.
    pub(super) fn heard(self) -> Heard {
        self.thread.join().expect("the readers' thread")
    }
}

async fn ask(
    client: reqwest::Client,
    addresses: Vec<String>,
    next: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    lookups: usize,
) -> Heard {
    let mut heard = Heard::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= lookups {
            return heard;
        }
        // A stride, so that neighbours do not ask for the same process.
        let mut address = number.wrapping_mul(7_919) % addresses.len();
        let status = loop {
            let patience = if number.is_multiple_of(10) { IMPATIENCE } else { PATIENCE };
            match client.get(&addresses[address]).timeout(patience).send().await {
                Ok(answer) => break answer.status().as_u16(),
                Err(error) if error.is_timeout() => break 0,
                Err(_away) => {
                    // Perhaps another service is there.
                    address = (address + 1) % addresses.len();
                    tokio::time::sleep(AWAY).await;
                }
            }
        };
        *heard.entry(status).or_default() += 1;
        done.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(if status == 503 { REFUSED } else { PAUSE }).await;
    }
}
