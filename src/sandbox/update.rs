//! An update request's life: open until its time has come, then concluded with its outcome.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};

use super::wire::instant;

/// How an update request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// `SUCESSO`: the vendor looked at the court; `data_ultima_verificacao` moves.
    Success,
    /// `NAO_ENCONTRADO`: physical, secret, archived…
    NotFound,
    /// `ERRO`.
    Failed,
}

/// What the next update request of a process leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatePlan {
    /// How it ends; a process that does not exist ends as [`UpdateOutcome::NotFound`] whatever is planned.
    pub outcome: UpdateOutcome,
    /// What it brings on success, old days included.
    pub movements: Vec<(NaiveDate, String)>,
}

/// One accepted request.
#[derive(Debug, Clone)]
pub(super) struct Update {
    pub(super) id: u64,
    pub(super) concluded_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    plan: UpdatePlan,
    pub(super) callback: bool,
}

impl Update {
    /// A request accepted at `now`. Without a plan it finds one joined petition of that day.
    pub(super) fn open(id: u64, now: DateTime<Utc>, delay: Duration, plan: Option<UpdatePlan>, callback: bool) -> Self {
        let delay = TimeDelta::from_std(delay).unwrap_or(TimeDelta::days(1));
        let due_at = now + delay;
        let plan = plan.unwrap_or_else(|| UpdatePlan {
            outcome: UpdateOutcome::Success,
            movements: vec![(due_at.date_naive(), "Juntada de petição".to_owned())],
        });
        Self { id, concluded_at: None, created_at: now, due_at, plan, callback }
    }

    /// Concludes the request if it is due and still open; what it brings, then.
    pub(super) fn conclude(&mut self, now: DateTime<Utc>, exists: bool) -> Option<Vec<(NaiveDate, String)>> {
        if self.concluded_at.is_some() || now < self.due_at {
            return None;
        }
        self.concluded_at = Some(self.due_at);
        if !exists {
            self.plan.outcome = UpdateOutcome::NotFound;
        }
        (self.plan.outcome == UpdateOutcome::Success).then(|| std::mem::take(&mut self.plan.movements))
    }

    /// Whether a second request would be refused.
    pub(super) fn is_open(&self) -> bool {
        self.concluded_at.is_none()
    }

    /// The vendor's word for its state.
    pub(super) fn status(&self) -> &'static str {
        match (self.concluded_at, self.plan.outcome) {
            (None, _) => "PENDENTE",
            (_, UpdateOutcome::Success) => "SUCESSO",
            (_, UpdateOutcome::NotFound) => "NAO_ENCONTRADO",
            (_, UpdateOutcome::Failed) => "ERRO",
        }
    }

    /// The object of the update answer and of the status answer's `ultima_verificacao`.
    pub(super) fn to_json(&self, masked: &str, status: &str) -> Value {
        let reason = (status == "ERRO").then_some("ERRO_TRIBUNAL");
        json!({
            "id": self.id, "status": status, "numero_cnj": masked, "criado_em": instant(self.created_at),
            "concluido_em": self.concluded_at.map(instant), "enviar_callback": if self.callback { "SIM" } else { "NAO" },
            "motivo_erro": reason, "opcoes": [],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_stays_open_until_due_and_concludes_once() {
        let now = DateTime::UNIX_EPOCH;
        let mut update = Update::open(1, now, Duration::from_secs(60), None, false);
        assert_eq!(update.conclude(now + TimeDelta::seconds(59), true), None);
        assert_eq!(update.status(), "PENDENTE");
        let due = now + TimeDelta::seconds(60);
        assert_eq!(update.conclude(due + TimeDelta::hours(1), true).unwrap().len(), 1);
        assert_eq!((update.status(), update.concluded_at), ("SUCESSO", Some(due)));
        assert_eq!(update.conclude(due + TimeDelta::hours(2), true), None);
    }

    #[test]
    fn an_unknown_process_is_not_found_whatever_was_planned() {
        let mut update = Update::open(1, DateTime::UNIX_EPOCH, Duration::ZERO, None, true);
        assert_eq!(update.conclude(DateTime::UNIX_EPOCH, false), None);
        assert_eq!(update.status(), "NAO_ENCONTRADO");
    }
}
