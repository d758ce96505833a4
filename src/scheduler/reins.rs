//! What reaches the scheduler from outside, whichever generation of it lives: a nudge, and the word to stop.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use crate::ledger::call::Id;

/// Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Reins {
    nudge: Arc<Notify>,
    stop: Arc<watch::Sender<bool>>,
    node: Arc<Mutex<Option<Id>>>,
}

impl Reins {
    /// There is something to do: look now.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// The service ends: nothing new is begun, what is under way is finished, and the lead is given up.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Who the living generation is; none before the first.
    #[must_use]
    pub fn node(&self) -> Option<Id> {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn born(&self, node: Id) {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner) = Some(node);
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Resolves once the service ends.
    pub(super) async fn stopped(&self) {
        // An error would mean that the sender is gone, but `self` holds it.
        let _stops = self.stop.subscribe().wait_for(|stop| *stop).await.is_ok();
    }

    /// Resolves at the next nudge.
    pub(super) async fn nudged(&self) {
        self.nudge.notified().await;
    }
}
