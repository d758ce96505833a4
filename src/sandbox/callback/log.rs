//! The callbacks of the account: what is to be delivered, when, and how it went. Pure: time and results come from outside.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::sandbox::dice::Dice;
use crate::sandbox::settings::CallbackSandbox;

/// How many callbacks are kept; the oldest go first, delivered or not.
pub(super) const KEPT_CALLBACKS: usize = 10_000;

/// The first attempt and ten more.
pub(super) const MOST_ATTEMPTS: u32 = 11;

/// An event before it is written down.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) struct Payload {
    pub(in crate::sandbox) event: &'static str,
    /// About a monitor; otherwise about a request of ours.
    pub(in crate::sandbox) monitor: bool,
    pub(in crate::sandbox) object: u64,
    /// Without `uuid`.
    pub(in crate::sandbox) body: Value,
}

/// A callback as a test sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCallback {
    /// Its id in the log.
    pub id: u64,
    /// `nova_movimentacao`…
    pub event: &'static str,
    /// How often it was sent.
    pub attempts: u32,
    /// Whether somebody answered with 2xx.
    pub delivered: bool,
    /// Whether it will be sent (again).
    pub waiting: bool,
}

/// One callback.
#[derive(Debug, Clone)]
pub(super) struct Callback {
    pub(super) id: u64,
    pub(super) created_at: DateTime<Utc>,
    payload: Payload,
    uuid: String,
    url: Option<String>,
    attempts: u32,
    next_run_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    on_its_way: bool,
}

/// What the log's filter and JSON call a callback's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Trying,
    Delivered,
    Failed,
}

impl Status {
    /// The word of the filter.
    pub(super) fn as_filter(self) -> &'static str {
        match self {
            Self::Trying => "em_tentativa",
            Self::Delivered => "sucesso",
            Self::Failed => "erro",
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Trying => "Em tentativa",
            Self::Delivered => "Sucesso",
            Self::Failed => "Erro",
        }
    }
}

/// One attempt, to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delivery {
    pub(super) id: u64,
    pub(super) url: String,
    /// The `Authorization` header as it is to be sent.
    pub(super) authorization: String,
    pub(super) body: Value,
}

/// All of them, and how they are sent.
pub(in crate::sandbox) struct Callbacks {
    pub(super) settings: CallbackSandbox,
    all: VecDeque<Callback>,
    last: u64,
    dice: Dice,
}

impl Callbacks {
    /// An empty log.
    pub(in crate::sandbox) fn new(settings: CallbackSandbox, seed: u64) -> Self {
        Self { settings, all: VecDeque::new(), last: 0, dice: Dice::new(seed, "callbacks") }
    }

    /// Writes an event down, to be delivered at once; now and then twice, where that is switched on.
    pub(in crate::sandbox) fn push(&mut self, payload: Payload, now: DateTime<Utc>) {
        let twice = self.dice.chance(self.settings.duplicate_percent);
        for _ in 0..if twice { 2 } else { 1 } {
            self.last += 1;
            if self.all.len() >= KEPT_CALLBACKS {
                self.all.pop_front();
            }
            let uuid = self.uuid();
            self.all.push_back(Callback {
                id: self.last,
                created_at: now,
                payload: payload.clone(),
                uuid,
                url: None,
                attempts: 0,
                next_run_at: Some(now),
                delivered_at: None,
                updated_at: now,
                on_its_way: false,
            });
        }
    }

    fn uuid(&mut self) -> String {
        format!("{:016x}{:016x}", self.dice.bits(), self.dice.bits())
    }

    /// Takes the next attempt that is due: the oldest, or any where the order is shuffled. `None` also while there is no address.
    pub(super) fn take_due(&mut self, now: DateTime<Utc>) -> Option<Delivery> {
        let url = self.settings.url.clone()?;
        let authorization = self.settings.authorization();
        let uuid = self.uuid();
        let is_due = |one: &Callback| !one.on_its_way && one.next_run_at.is_some_and(|at| at <= now);
        let at = if self.settings.shuffled {
            let due: Vec<usize> =
                self.all.iter().enumerate().filter(|(_, one)| is_due(one)).map(|(at, _)| at).collect();
            *self.dice.pick(&due)?
        } else {
            self.all.iter().position(is_due)?
        };
        let callback = self.all.get_mut(at)?;
        callback.on_its_way = true;
        callback.attempts += 1;
        callback.updated_at = now;
        // Seen on the real one: the same event comes again under another uuid.
        callback.uuid = uuid;
        callback.url = Some(url.clone());
        Some(Delivery { id: callback.id, url, authorization, body: callback.body() })
    }

    /// Writes down how an attempt ended: after the n-th failure the next comes 2^n units later.
    pub(super) fn finish(&mut self, id: u64, delivered: bool, now: DateTime<Utc>) {
        let unit = self.settings.retry_unit;
        let Some(callback) = self.get_mut(id) else {
            return;
        };
        callback.on_its_way = false;
        callback.updated_at = now;
        if delivered {
            callback.delivered_at = Some(now);
            callback.next_run_at = None;
        } else if callback.delivered_at.is_none() {
            let wait = unit.saturating_mul(2_u32.saturating_pow(callback.attempts));
            let again = callback.attempts < MOST_ATTEMPTS;
            callback.next_run_at = again.then(|| now + span(wait));
        }
    }

    /// What was under way when the sender stopped is sent again.
    pub(super) fn forget_ways(&mut self) {
        for callback in &mut self.all {
            callback.on_its_way = false;
        }
    }

    /// Counts a callback as received, whatever its attempts say.
    pub(super) fn mark_received(&mut self, id: u64, now: DateTime<Utc>) {
        if let Some(callback) = self.get_mut(id) {
            callback.delivered_at = callback.delivered_at.or(Some(now));
            callback.next_run_at = None;
            callback.updated_at = now;
        }
    }

    /// Sends a settled callback again, with attempts anew; `None` when there is none, `false` while it is being tried.
    pub(super) fn resend(&mut self, id: u64, now: DateTime<Utc>) -> Option<bool> {
        let callback = self.get_mut(id)?;
        if callback.status() == Status::Trying {
            return Some(false);
        }
        callback.attempts = 0;
        callback.delivered_at = None;
        callback.next_run_at = Some(now);
        callback.updated_at = now;
        Some(true)
    }

    /// All of them, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Callback> {
        self.all.iter().rev()
    }

    fn get_mut(&mut self, id: u64) -> Option<&mut Callback> {
        let first = self.all.front()?.id;
        self.all.get_mut(usize::try_from(id.checked_sub(first)?).ok()?)
    }
}

impl Callback {
    pub(super) fn status(&self) -> Status {
        match (self.delivered_at, self.next_run_at, self.on_its_way) {
            (Some(_), ..) => Status::Delivered,
            (None, None, false) => Status::Failed,
            _ => Status::Trying,
        }
    }

    pub(super) fn event(&self) -> &'static str {
        self.payload.event
    }

    pub(super) fn seen(&self) -> SeenCallback {
        SeenCallback {
            id: self.id,
            event: self.payload.event,
            attempts: self.attempts,
            delivered: self.delivered_at.is_some(),
            waiting: self.status() == Status::Trying,
        }
    }

    fn body(&self) -> Value {
        let mut body = self.payload.body.clone();
        if let Some(keys) = body.as_object_mut() {
            keys.insert("uuid".to_owned(), json!(self.uuid));
        }
        body
    }

    /// The item of the log.
    pub(super) fn to_json(&self) -> Value {
        // The callback list writes its instants without a zone; they are UTC.
        let moment = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S").to_string();
        json!({
            "id": self.id, "uuid": self.uuid, "usuario_id": 1, "objeto_id": self.payload.object,
            "objeto_type": if self.payload.monitor { "ApiMonitoramento" } else { "ApiAsync" }, "evento": self.payload.event,
            "url": self.url, "attempts": self.attempts, "next_run_at": self.next_run_at.map(moment),
            "delivered_at": self.delivered_at.map(moment), "created_at": moment(self.created_at),
            "updated_at": moment(self.updated_at), "resultado": self.body(), "status": self.status().as_str(),
        })
    }
}

fn span(wait: Duration) -> TimeDelta {
    TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(365))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(change: impl FnOnce(&mut CallbackSandbox)) -> Callbacks {
        let mut settings = CallbackSandbox { url: Some("http://here".to_owned()), ..CallbackSandbox::default() };
        change(&mut settings);
        Callbacks::new(settings, 1)
    }

    fn payload(object: u64) -> Payload {
        Payload { event: "nova_movimentacao", monitor: true, object, body: json!({"event": "nova_movimentacao"}) }
    }

    #[test]
    fn eleven_attempts_two_to_the_n_minutes_apart_last_a_day_and_a_half() {
        let mut log = log(|_| {});
        let start = DateTime::UNIX_EPOCH;
        log.push(payload(1), start);
        let (mut now, mut uuids) = (start, std::collections::HashSet::new());
        for attempt in 1..=MOST_ATTEMPTS {
            let delivery = log.take_due(now).unwrap();
            assert!(uuids.insert(delivery.body["uuid"].as_str().unwrap().to_owned()), "attempt {attempt}");
            assert_eq!(log.take_due(now), None, "one attempt at a time");
            log.finish(1, false, now);
            if attempt < MOST_ATTEMPTS {
                assert_eq!(log.take_due(now + TimeDelta::minutes(1)), None);
                now += TimeDelta::minutes(1 << attempt);
            }
        }
        assert_eq!((now - start).num_minutes(), 2046);
        assert_eq!(log.take_due(now + TimeDelta::days(30)), None);
        assert_eq!(log.all[0].status(), Status::Failed);
        assert_eq!(log.resend(1, now), Some(true));
        assert_eq!(log.resend(1, now), Some(false));
        assert_eq!(log.resend(2, now), None);
        assert!(log.take_due(now).is_some());
        log.finish(1, true, now);
        assert_eq!(log.all[0].status(), Status::Delivered);
    }

    #[test]
    fn order_and_number_are_as_switched_on() {
        let order = |mut log: Callbacks| {
            (0..30).for_each(|id| log.push(payload(id), DateTime::UNIX_EPOCH));
            let taken = std::iter::from_fn(|| log.take_due(DateTime::UNIX_EPOCH)).map(|delivery| delivery.id);
            taken.collect::<Vec<_>>()
        };
        assert_eq!(order(log(|_| {})), (1..=30).collect::<Vec<_>>());
        let shuffled = order(log(|settings| settings.shuffled = true));
        assert_ne!(shuffled, order(log(|_| {})));
        assert_eq!(shuffled, order(log(|settings| settings.shuffled = true)), "one seed, one order");
        assert_eq!(order(log(|settings| settings.duplicate_percent = 100)).len(), 60);
        assert_eq!(order(log(|settings| settings.url = None)).len(), 0);
    }

    #[test]
    fn the_log_is_bounded_and_what_left_it_is_unknown() {
        let mut log = log(|_| {});
        (0..=KEPT_CALLBACKS).for_each(|_| log.push(payload(1), DateTime::UNIX_EPOCH));
        assert_eq!(log.all.len(), KEPT_CALLBACKS);
        assert_eq!(log.resend(1, DateTime::UNIX_EPOCH), None);
        log.mark_received(2, DateTime::UNIX_EPOCH);
        assert_eq!(log.all[0].status(), Status::Delivered);
        assert!(log.take_due(DateTime::UNIX_EPOCH).is_some_and(|delivery| delivery.id == 3));
    }
}
