//! What the fetcher is asked about update requests: the vendor looks at the court for us (`solicitar-atualizacao`), which takes it from
//! minutes to hours, and tells how far it is (`status-atualizacao`).

use actix::Message;
use chrono::{DateTime, Utc};

use super::messages::FetchError;
use crate::domain::caller::{Caller, Lane};
use crate::domain::cnj::Cnj;
use crate::resilience::deadline::Deadline;

/// Asks how the vendor's last update request of a process stands. Documented as free.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<UpdateStatus, FetchError>")]
pub struct ReadUpdateStatus {
    /// The process.
    pub cnj: Cnj,
    /// Who waits.
    pub lane: Lane,
    /// Whose request it is.
    pub caller: Caller,
    /// When the answer stops being of use.
    pub deadline: Deadline,
}

/// Asks the vendor to look at the court. May cost money. It is sent once, whatever happens: after a timeout it may have been accepted,
/// and only [`ReadUpdateStatus`] tells.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<UpdateRequested, FetchError>")]
pub struct RequestUpdate {
    /// The process.
    pub cnj: Cnj,
    /// Whether the vendor shall call back when it is done.
    pub callback: bool,
    /// Who waits.
    pub lane: Lane,
    /// Whose request it is.
    pub caller: Caller,
    /// When the answer stops being of use.
    pub deadline: Deadline,
}

/// How a process stands at the vendor. Everything is null when the vendor does not know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateStatus {
    /// When the vendor last looked at the court.
    pub verified_at: Option<DateTime<Utc>>,
    /// The last update request, if there ever was one.
    pub update: Option<VendorUpdate>,
}

/// One update request as the vendor tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VendorUpdate {
    /// The vendor's id.
    pub id: i64,
    /// How far it is. Decided by its status, never by its dates.
    pub state: UpdateState,
    /// When it was made, by the vendor's clock.
    pub created_at: Option<DateTime<Utc>>,
    /// When it ended, by the vendor's clock; examples show it filled for open ones too.
    pub concluded_at: Option<DateTime<Utc>>,
}

/// How far an update request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpdateState {
    /// `PENDENTE`, `NA_FILA`, or a word we do not know.
    Open,
    /// `SUCESSO`.
    Succeeded,
    /// `NAO_ENCONTRADO`: physical, secret, archived…
    NotFound,
    /// `ERRO`.
    Failed,
}

/// What became of a request for an update. Neither an update nor busy: the vendor does not know the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateRequested {
    /// The request, ours or (`busy`) the one that is open already; the vendor may leave it out of a busy answer.
    pub update: Option<VendorUpdate>,
    /// An earlier request is still open: nothing new was asked, and nothing charged.
    pub busy: bool,
    /// What it cost, in centavos.
    pub cost_centavos: u64,
}
