//! Monitors of processes: an account's wish to hear of a process's news.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::court::Court;
use super::number::Number;
use super::wire::instant;

/// More than this an account cannot have here.
pub(super) const MOST_MONITORS: usize = 10_000;

/// Whether the vendor found the process it is to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorStatus {
    /// `PENDENTE`.
    Pending,
    /// `ENCONTRADO`: followed from now on.
    Found,
    /// `NAO_ENCONTRADO`: neither followed nor charged.
    NotFound,
}

impl MonitorStatus {
    /// The vendor's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDENTE",
            Self::Found => "ENCONTRADO",
            Self::NotFound => "NAO_ENCONTRADO",
        }
    }
}

/// A monitor as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMonitor {
    /// Its id.
    pub id: u64,
    /// The process, masked.
    pub number: String,
    /// `DIARIA` or `SEMANAL`.
    pub frequency: &'static str,
    /// Its state.
    pub status: MonitorStatus,
}

/// One monitor.
#[derive(Debug, Clone)]
pub(super) struct Monitor {
    pub(super) id: u64,
    pub(super) number: Number,
    pub(super) status: MonitorStatus,
    pub(super) verified_at: Option<DateTime<Utc>>,
    frequency: &'static str,
    created_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
}

impl Monitor {
    /// The object of the answers and of the callbacks.
    pub(super) fn to_json(&self) -> Value {
        let courts: Vec<Value> = Court::of(&self.number)
            .map(|court| json!({"id": court.id, "nome": court.name, "sigla": court.sigla, "categoria": null}))
            .into_iter()
            .collect();
        json!({
            "id": self.id, "numero": self.number.masked(), "criado_em": instant(self.created_at),
            "data_ultima_verificacao": self.verified_at.map(instant), "tribunais": courts,
            "frequencia": self.frequency, "status": self.status.as_str(),
        })
    }

    /// What a test sees of it.
    pub(super) fn seen(&self) -> SeenMonitor {
        SeenMonitor { id: self.id, number: self.number.masked(), frequency: self.frequency, status: self.status }
    }
}

/// The account's monitors, by id.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    by_id: BTreeMap<u64, Monitor>,
    last: u64,
}

impl Monitors {
    /// Adds one that is decided `delay` from now; `None` if there is no room for another.
    pub(super) fn create(
        &mut self,
        number: Number,
        frequency: &'static str,
        now: DateTime<Utc>,
        delay: Duration,
    ) -> Option<&Monitor> {
        if self.by_id.len() >= MOST_MONITORS {
            return None;
        }
        self.last += 1;
        let due_at = now + TimeDelta::from_std(delay).unwrap_or(TimeDelta::days(1));
        let status = MonitorStatus::Pending;
        let monitor = Monitor { id: self.last, number, status, verified_at: None, frequency, created_at: now, due_at };
        Some(self.by_id.entry(self.last).or_insert(monitor))
    }

    /// The monitor of that id.
    pub(super) fn get(&self, id: u64) -> Option<&Monitor> {
        self.by_id.get(&id)
    }

    /// Removes it; `false` when there was none.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        self.by_id.remove(&id).is_some()
    }

    /// All of them, the newest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Monitor> {
        self.by_id.values().rev()
    }

    /// Whether a second one for `number` would be refused: one that found nothing is not in the way.
    pub(super) fn has(&self, number: &Number) -> bool {
        self.all().any(|monitor| monitor.number == *number && monitor.status != MonitorStatus::NotFound)
    }

    /// Those who follow the process of `digits`.
    pub(super) fn followers(&mut self, digits: &str) -> impl Iterator<Item = &mut Monitor> {
        self.by_id
            .values_mut()
            .filter(move |monitor| monitor.status == MonitorStatus::Found && monitor.number.digits() == digits)
    }

    /// Those whose process is to be looked for now.
    pub(super) fn due(&self, now: DateTime<Utc>) -> Vec<(u64, Number)> {
        let is_due = |monitor: &&Monitor| monitor.status == MonitorStatus::Pending && monitor.due_at <= now;
        self.by_id.values().filter(is_due).map(|monitor| (monitor.id, monitor.number.clone())).collect()
    }

    /// Writes down whether the process was found; the monitor as it is then.
    pub(super) fn decide(&mut self, id: u64, found: bool) -> Option<&Monitor> {
        let monitor = self.by_id.get_mut(&id)?;
        monitor.status = if found { MonitorStatus::Found } else { MonitorStatus::NotFound };
        Some(monitor)
    }
}

/// The vendor's word for a frequency, if it has one of that name.
pub(super) fn frequency(word: &str) -> Option<&'static str> {
    ["DIARIA", "SEMANAL"].into_iter().find(|known| *known == word)
}
