//! From the bytes of a callback to what it says. Pure, and as tolerant as the vendor's documentation is vague (facts of 2026-03): unknown
//! keys and unknown events are passed over, a number may have wrong check digits. Only without a part that its effect needs is a known
//! event malformed.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::canonical;
use crate::domain::callback::EventName;
use crate::domain::cnj::Cnj;
use crate::domain::movement::Movement;
use crate::fetcher::escavador::{moment_of_callback, movement_of_callback};

/// Characters of an event's name that are kept: the longest documented one has 31.
const LONGEST_NAME: usize = 100;

/// A callback as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// What tells its content from another's.
    pub content_hash: [u8; 32],
    /// The vendor's name for the event, cut to what can be stored; empty if there is none.
    pub event: String,
    /// The process, masked, as the vendor wrote it.
    pub number: Option<String>,
    /// What it says.
    pub news: Result<News, Malformed>,
}

impl Arrived {
    /// The event by its closed name; none where no name can be read.
    #[must_use]
    pub fn name(&self) -> Option<EventName> {
        (!self.event.is_empty()).then(|| EventName::of(&self.event))
    }
}

/// What a callback says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A process has a new movement.
    Movement(Cnj, Box<Movement>),
    /// The vendor looked at the court then, and nothing was new.
    Verified(Cnj, DateTime<Utc>),
    /// An update request ended, in whatever way.
    UpdateConcluded(Cnj),
    /// A new monitor found its process, or did not.
    Monitor {
        /// The process.
        cnj: Cnj,
        /// The vendor's id of the monitor.
        id: Option<i64>,
        /// Whether it found the process.
        found: bool,
    },
    /// A known event about a number that cannot be a process's: none with it is ever held or watched.
    ForeignNumber,
    /// An event that means nothing here.
    UnknownEvent,
}

/// Why a callback cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Not JSON.
    NotJson,
    /// JSON, but not an object.
    NoObject,
    /// Neither `event` nor `event_type`.
    NoEvent,
    /// A known event without a process number.
    NoNumber,
    /// A new movement without a movement.
    NoMovement,
    /// A verification without its moment.
    NoMoment,
}

impl Malformed {
    /// The word for table, logs and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not-json",
            Self::NoObject => "no-object",
            Self::NoEvent => "no-event",
            Self::NoNumber => "no-number",
            Self::NoMovement => "no-movement",
            Self::NoMoment => "no-moment",
        }
    }
}

/// Reads a callback.
#[must_use]
pub fn read(bytes: &[u8]) -> Arrived {
    let malformed = |reason| Arrived {
        content_hash: canonical::hash_of_bytes(bytes),
        event: String::new(),
        number: None,
        news: Err(reason),
    };
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(content)) => of_object(&content),
        Ok(_) => malformed(Malformed::NoObject),
        Err(_) => malformed(Malformed::NotJson),
    }
}

fn of_object(content: &Map<String, Value>) -> Arrived {
    // Version 1 of the API writes `event_type` in several examples.
    let name = ["event", "event_type"].iter().find_map(|key| content.get(*key)?.as_str());
    let event = name.map(str::trim).map(storable).unwrap_or_default();
    let number = number_of(content);
    let news = if event.is_empty() {
        Err(Malformed::NoEvent)
    } else {
        news(EventName::of(&event), content, number.as_deref())
    };
    Arrived { content_hash: canonical::hash_of(content), event, number, news }
}

fn news(name: EventName, content: &Map<String, Value>, number: Option<&str>) -> Result<News, Malformed> {
    if name == EventName::Other {
        return Ok(News::UnknownEvent);
    }
    let number = number.ok_or(Malformed::NoNumber)?;
    let monitor = content.get("monitoramento");
    // Everything is asked for before the number is judged: what is malformed is malformed whoever it is about.
    let news = |cnj| {
        Ok(match name {
            EventName::NewMovement => {
                let movement = content.get("movimentacao").ok_or(Malformed::NoMovement)?;
                let movement = movement_of_callback(movement).map_err(|_none| Malformed::NoMovement)?;
                News::Movement(cnj, Box::new(movement))
            }
            EventName::Verified => {
                let told = [content.get("verificado_em"), monitor.and_then(|it| it.get("data_ultima_verificacao"))];
                let at = told.into_iter().flatten().find_map(moment_of_callback).ok_or(Malformed::NoMoment)?;
                News::Verified(cnj, at)
            }
            EventName::UpdateConcluded => News::UpdateConcluded(cnj),
            EventName::MonitorFound | EventName::MonitorNotFound => {
                let id = monitor.and_then(|monitor| monitor.get("id")).and_then(as_id);
                News::Monitor { cnj, id, found: name == EventName::MonitorFound }
            }
            EventName::Other => News::UnknownEvent,
        })
    };
    match Cnj::parse(number) {
        Ok(cnj) => news(cnj),
        Err(_) => news(placeholder()?).map(|_readable| News::ForeignNumber),
    }
}

/// A number to read the rest with when the callback's own is none.
fn placeholder() -> Result<Cnj, Malformed> {
    Cnj::parse("0000001-39.2024.8.26.0100").map_err(|_it_is_valid| Malformed::NoNumber)
}

/// The process number, masked, wherever the event has it. Its check digits are not looked at: the vendor's own examples have wrong ones.
fn number_of(content: &Map<String, Value>) -> Option<String> {
    let holders = ["monitoramento", "atualizacao", "processo"];
    let inside = holders
        .iter()
        .filter_map(|holder| content.get(*holder))
        .flat_map(|holder| ["numero", "numero_cnj", "numero_unico"].iter().filter_map(|key| holder.get(*key)));
    inside.chain(content.get("numero_cnj")).filter_map(Value::as_str).find_map(masked)
}

/// The mask over exactly twenty digits.
fn masked(text: &str) -> Option<String> {
    let is_number = text.trim().bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).take(21).collect();
    if !is_number || digits.len() != 20 {
        return None;
    }
    let mut digits = digits.into_iter();
    Some(
        "NNNNNNN-DD.AAAA.J.TR.OOOO"
            .chars()
            .map(|mark| if mark.is_ascii_punctuation() { mark } else { digits.next().unwrap_or('0') })
            .collect(),
    )
}

fn as_id(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// What PostgreSQL's `text` takes, and no more than anybody reads.
fn storable(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(LONGEST_NAME).collect()
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
