//! What reaches the scheduler from outside, whichever generation of it lives: a nudge, and the word to stop.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::ledger::call::Id;

/// Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Reins {
    nudge: Arc<Notify>,
    stop: Arc<watch::Sender<bool>>,
    node: Arc<Mutex<Option<Id>>>,
    under_way: Arc<watch::Sender<usize>>,
}

/// A refresh that is under way, until it is dropped.
pub(super) struct UnderWay<'a>(&'a Reins);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|count| *count = count.saturating_sub(1));
    }
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

    /// Waits for the refreshes under way, at most so long.
    pub async fn finished(&self, within: Duration) {
        let mut under_way = self.under_way.subscribe();
        if timeout(within, under_way.wait_for(|count| *count == 0)).await.is_err() {
            tracing::info!("refreshes under way are left to whoever leads next");
        }
    }

    pub(super) fn begin(&self) -> UnderWay<'_> {
        self.under_way.send_modify(|count| *count = count.saturating_add(1));
        UnderWay(self)
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
