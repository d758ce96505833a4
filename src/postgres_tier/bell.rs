//! Tells those who wait for news that this node has just stored some, so that they need not look all the time.

use tokio::sync::watch;

/// One for each service, older than every generation of the tier. It is a hint: what other nodes store is found by looking.
#[derive(Debug, Clone)]
pub struct NewsBell {
    newest: watch::Sender<u64>,
}

impl Default for NewsBell {
    fn default() -> Self {
        Self { newest: watch::Sender::new(0) }
    }
}

impl NewsBell {
    /// Says that the event of this number is stored.
    pub fn ring(&self, newest: u64) {
        self.newest.send_if_modified(|known| {
            let is_newer = newest > *known;
            *known = (*known).max(newest);
            is_newer
        });
    }

    /// Hears every later ring; several may become one.
    #[must_use]
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}
