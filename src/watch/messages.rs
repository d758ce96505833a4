//! What the watcher is told.

use actix::Message;

use crate::domain::cnj::Cnj;

/// A process is watched and not stored: it is bought once, in the background. Answered at once; false if too many are being bought, and
/// the synchronisation will get to it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "bool")]
pub struct Learn {
    /// The process.
    pub cnj: Cnj,
}
