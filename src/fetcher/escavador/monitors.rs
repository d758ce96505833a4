//! Monitors and the log of callbacks: what is asked, and what an answer means.

use serde_json::{Value, json};

use super::client::{Question, Reply};
use super::wire::{callback, monitor};
use super::{Escavador, failed};
use crate::domain::caller::{Caller, Lane};
use crate::fetcher::account::Errand;
use crate::fetcher::callback_messages::{CallbackPage, ReadCallbacks};
use crate::fetcher::messages::{Failure, FetchError};
use crate::fetcher::monitor_messages::{
    CreateMonitor, FindMonitor, Frequency, MonitorCreated, ReadMonitor, RemoveMonitor, VendorMonitor,
    VendorMonitorState,
};
use crate::fetcher::setback::Setback;
use crate::fetcher::tally::Tally;
use crate::ledger::call::Endpoint;
use crate::resilience::deadline::Deadline;

const MONITORS: &str = "/api/v2/monitoramentos/processos";
const CALLBACKS: &str = "/api/v2/callbacks";

/// Pages of the list of monitors: at twenty each, ten thousand monitors, more than an account that pays for them will have.
const MOST_PAGES: u32 = 500;

impl Escavador {
    /// Creates a monitor; see [`CreateMonitor`].
    ///
    /// # Errors
    /// [`FetchError`]; after a timeout there may be one all the same.
    pub async fn create_monitor(&self, ask: &CreateMonitor) -> Result<MonitorCreated, FetchError> {
        let mut tally = Tally::default();
        let errand =
            Errand { cnj: Some(ask.cnj), lane: ask.lane, caller: ask.caller, deadline: ask.deadline, allowance: None };
        let question = Question { endpoint: Endpoint::Monitors, path: MONITORS, decode: monitor::monitor };
        let order = json!({"numero": ask.cnj.masked(), "frequencia": word_for(ask.frequency)});
        let created = match self.client.post(&question, &order, &errand, &mut tally).await {
            Ok(Reply::Found { content, .. }) => Ok((Some(content), false)),
            Ok(Reply::Busy(_)) => self.listed(ask.cnj, &errand, &mut tally).await.map(|monitor| (monitor, true)),
            Ok(Reply::Absent) => Ok((None, false)),
            Err(setback) => Err(setback),
        };
        let (monitor, adopted) = created.map_err(|setback| failed(&setback, &tally))?;
        Ok(MonitorCreated { monitor, adopted, cost_centavos: tally.cost_centavos })
    }

    /// The account's monitor of a process; see [`FindMonitor`].
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn find_monitor(&self, ask: &FindMonitor) -> Result<Option<VendorMonitor>, FetchError> {
        let mut tally = Tally::default();
        let errand = Errand { cnj: Some(ask.cnj), ..unwaited(ask.deadline) };
        self.listed(ask.cnj, &errand, &mut tally).await.map_err(|setback| failed(&setback, &tally))
    }

    /// One monitor; see [`ReadMonitor`].
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn read_monitor(&self, ask: &ReadMonitor) -> Result<Option<VendorMonitor>, FetchError> {
        let mut tally = Tally::default();
        let path = format!("{MONITORS}/{}", ask.id);
        let question = Question { endpoint: Endpoint::Monitors, path: &path, decode: monitor::monitor };
        let reply = self.client.get(&question, &unwaited(ask.deadline), &mut tally).await;
        match reply.map_err(|setback| failed(&setback, &tally))? {
            Reply::Found { content, .. } => Ok(Some(content)),
            Reply::Absent | Reply::Busy(_) => Ok(None),
        }
    }

    /// Removes a monitor; see [`RemoveMonitor`].
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn remove_monitor(&self, ask: &RemoveMonitor) -> Result<bool, FetchError> {
        let mut tally = Tally::default();
        let path = format!("{MONITORS}/{}", ask.id);
        let question = Question { endpoint: Endpoint::Monitors, path: &path, decode: |_: Value| Ok(()) };
        let reply = self.client.delete(&question, &unwaited(ask.deadline), &mut tally).await;
        Ok(matches!(reply.map_err(|setback| failed(&setback, &tally))?, Reply::Found { .. }))
    }

    /// A page of the log of callbacks; see [`ReadCallbacks`].
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn callbacks(&self, ask: &ReadCallbacks) -> Result<CallbackPage, FetchError> {
        let mut tally = Tally::default();
        // Documented without a zone, and in UTC.
        let since = ask.since.format("%Y-%m-%d%%20%H:%M:%S");
        let path = format!("{CALLBACKS}?data_minima={since}&page={}", ask.page.max(1));
        let question = Question { endpoint: Endpoint::Callbacks, path: &path, decode: callback::page };
        let reply = self.client.get(&question, &unwaited(ask.deadline), &mut tally).await;
        match reply.map_err(|setback| failed(&setback, &tally))? {
            Reply::Found { content, .. } => Ok(content),
            Reply::Absent | Reply::Busy(_) => Ok(CallbackPage { items: Vec::new(), more: false }),
        }
    }

    /// Walks the list. One that found nothing is no monitor of the process: it is neither watched nor charged.
    async fn listed(
        &self,
        cnj: crate::domain::cnj::Cnj,
        errand: &Errand,
        tally: &mut Tally,
    ) -> Result<Option<VendorMonitor>, Setback> {
        for page in 1..=MOST_PAGES {
            let path = format!("{MONITORS}?page={page}");
            let question = Question { endpoint: Endpoint::Monitors, path: &path, decode: monitor::monitors };
            let Reply::Found { content, .. } = self.client.get(&question, errand, tally).await? else {
                return Ok(None);
            };
            let own =
                |monitor: &&VendorMonitor| monitor.cnj == Some(cnj) && monitor.state != VendorMonitorState::NotFound;
            if let Some(monitor) = content.items.iter().find(own) {
                return Ok(Some(*monitor));
            }
            if !content.more {
                return Ok(None);
            }
        }
        Err(Setback::lasting(Failure::EndlessPages))
    }
}

/// What the service does by itself.
fn unwaited(deadline: Deadline) -> Errand {
    Errand { cnj: None, lane: Lane::Background, caller: Caller::Service, deadline, allowance: None }
}

/// The vendor's word for a frequency.
fn word_for(frequency: Frequency) -> &'static str {
    match frequency {
        Frequency::Daily => "DIARIA",
        Frequency::Weekly => "SEMANAL",
    }
}
