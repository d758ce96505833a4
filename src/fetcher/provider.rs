//! What a vendor must be able to do.

use std::fmt::Debug;

use futures_util::future::BoxFuture;

use super::messages::{Fetch, FetchError, Fetched};
use crate::domain::snapshot;

/// A vendor of processes.
///
/// It keeps its own account: how fast it may be asked, what it charges, what its answers mean. Whoever asks sees only the closed
/// types of [`messages`](super::messages).
pub trait Provider: Debug + Send + Sync {
    /// Which vendor this is.
    fn id(&self) -> snapshot::Provider;

    /// Brings one whole process: its cover and every movement.
    ///
    /// # Errors
    /// [`FetchError`] with what was spent before the failure. A process of which a part could not be had is a failure: there is no
    /// partial answer.
    fn process(&self, fetch: Fetch) -> BoxFuture<'_, Result<Fetched, FetchError>>;
}
