//! Whether PostgreSQL answers, readable at any time without asking the actor.

use tokio::sync::watch;

/// What the tier knows about its server. Clones share it, and it outlives the actor's generations.
#[derive(Debug, Clone)]
pub struct PostgresStatus {
    up: watch::Sender<Option<bool>>,
}

impl Default for PostgresStatus {
    fn default() -> Self {
        Self { up: watch::Sender::new(None) }
    }
}

impl PostgresStatus {
    /// Whether the server answered when it was last asked; `None` before it ever was.
    #[must_use]
    pub fn is_up(&self) -> Option<bool> {
        *self.up.borrow()
    }

    /// Waits until [`is_up`](Self::is_up) says `up`. Bound it with a deadline.
    pub async fn becomes(&self, up: bool) {
        // An error would mean that the sender is gone, but `self` holds it.
        let _ = self.up.subscribe().wait_for(|known| *known == Some(up)).await;
    }

    /// Notes what was found out, and says whether it is news.
    pub(super) fn note(&self, up: bool) -> bool {
        self.up.send_if_modified(|known| known.replace(up) != Some(up))
    }
}
