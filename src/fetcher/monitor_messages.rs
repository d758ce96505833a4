//! What the fetcher is asked about monitors: the vendor looks at the court for a process again and again, and tells of news by callback
//! (`monitoramentos/processos`). Creating one was measured as free; what is paid is its month.

use actix::Message;

use super::messages::FetchError;
use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
pub use crate::domain::watch::Frequency;
use crate::resilience::deadline::Deadline;

/// Creates a monitor, once: after an unclear end only [`FindMonitor`] tells whether there is one. If the vendor says that there is one
/// already, that one is looked up and adopted.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<MonitorCreated, FetchError>")]
pub struct CreateMonitor {
    /// The process.
    pub cnj: Cnj,
    /// How often the vendor is to look.
    pub frequency: Frequency,
    /// Who waits.
    pub lane: Lane,
    /// Whose request it is.
    pub caller: Caller,
    /// When the answer stops being of use.
    pub deadline: Deadline,
}

/// Looks for the account's monitor of a process in the vendor's list, page by page. Free.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<VendorMonitor>, FetchError>")]
pub struct FindMonitor {
    /// The process.
    pub cnj: Cnj,
    /// When the answer stops being of use.
    pub deadline: Deadline,
}

/// Reads one monitor; none if the vendor has no such one. Free.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<VendorMonitor>, FetchError>")]
pub struct ReadMonitor {
    /// The vendor's id.
    pub id: i64,
    /// When the answer stops being of use.
    pub deadline: Deadline,
}

/// Removes one monitor; false if there was none. May be repeated. Free.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, FetchError>")]
pub struct RemoveMonitor {
    /// The vendor's id.
    pub id: i64,
    /// When the answer stops being of use.
    pub deadline: Deadline,
}

/// Whether the vendor has found the process that it is to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VendorMonitorState {
    /// `PENDENTE`, or a word we do not know.
    Pending,
    /// `ENCONTRADO`: news come by callback.
    Found,
    /// `NAO_ENCONTRADO`: neither watched nor charged.
    NotFound,
}

/// One monitor as the vendor tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VendorMonitor {
    /// The vendor's id.
    pub id: i64,
    /// The process, if what the vendor wrote is a number.
    pub cnj: Option<Cnj>,
    /// How far it is.
    pub state: VendorMonitorState,
}

/// What became of a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonitorCreated {
    /// The monitor; none if the vendor says that there is one and does not list it.
    pub monitor: Option<VendorMonitor>,
    /// It was there before.
    pub adopted: bool,
    /// What it cost, in centavos.
    pub cost_centavos: u64,
}
