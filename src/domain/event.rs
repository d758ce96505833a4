//! What is new about a process: the events that its readers hear of.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::cnj::Cnj;
use super::movement::Movement;
use super::render;
use super::snapshot::Provider;

/// What happened to a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// It was not there before.
    New,
    /// The vendor tells it differently, or lists it again after it had gone.
    Changed,
    /// The vendor does not list it any more.
    Removed,
}

impl EventKind {
    /// The word for JSON, logs, metrics and the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }

    /// The kind that a stored word names.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::New, Self::Changed, Self::Removed].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One piece of news, as every reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number: unique, and rising in the order in which events became visible.
    pub id: u64,
    /// The process.
    pub cnj: Cnj,
    /// What happened.
    pub kind: EventKind,
    /// The movement: as it is now, or, if it was removed, as it was.
    pub movement: Movement,
    /// Who told us.
    pub provider: Provider,
    /// The process is under secrecy of justice: only for those who may see such ones.
    pub sealed: bool,
    /// When the movement first reached us.
    pub first_seen_at: DateTime<Utc>,
    /// When this piece of news was stored, by the database's clock.
    pub recorded_at: DateTime<Utc>,
}

impl Event {
    /// The JSON that readers and subscribers get, the same for all of them and every time.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let body = Body {
            id: self.id.to_string(),
            r#type: self.kind.as_str(),
            cnj: self.cnj.masked(),
            movement: render::lone_movement(&self.movement, self.cnj),
            provider: self.provider.as_str(),
            first_seen_at: render::stamp(self.first_seen_at),
            recorded_at: render::stamp(self.recorded_at),
        };
        // Serializing plain data of ours cannot fail; should it ever, an empty object is left.
        Bytes::from(serde_json::to_vec(&body).unwrap_or_else(|_| b"{}".to_vec()))
    }
}

#[derive(Serialize)]
struct Body<M> {
    /// A number beyond 2^53 is not safe in JSON.
    id: String,
    r#type: &'static str,
    cnj: String,
    movement: M,
    provider: &'static str,
    first_seen_at: String,
    recorded_at: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::Entry;
    use crate::domain::sample::{instant, process};
    use crate::domain::served::{Freshness, ServedFrom};

    #[test]
    fn a_body_shows_the_movement_as_the_detailed_answer_does() {
        let snapshot = process(1, 5);
        let event = Event {
            id: u64::MAX,
            cnj: snapshot.cnj,
            kind: EventKind::New,
            movement: snapshot.movements[0].clone(),
            provider: Provider::Escavador,
            sealed: false,
            first_seen_at: instant(0),
            recorded_at: instant(1),
        };
        let text = String::from_utf8(event.body().to_vec()).unwrap();
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        let detailed = Entry::new(snapshot, instant(9)).unwrap().body(ServedFrom::Memory, Freshness::Fresh);
        let detailed: serde_json::Value = serde_json::from_slice(&detailed).unwrap();
        let mut shown = detailed["movements"][0].clone();
        for of_the_timeline in ["is_completed", "is_current", "completed_at"] {
            assert!(shown.as_object_mut().unwrap().remove(of_the_timeline).is_some());
        }
        // The detailed answer takes the degree from the cover, which an event does not have.
        shown["source"]["grau"] = serde_json::Value::Null;
        assert_eq!(body["movement"], shown);
        let places = ["id", "type", "cnj", "movement", "provider", "first_seen_at", "recorded_at"]
            .map(|key| text.find(&format!("\"{key}\":")).unwrap());
        assert!(places.is_sorted(), "{text}");
        assert_eq!((&body["id"], &body["type"]), (&"18446744073709551615".into(), &"new".into()));
        assert_eq!(body["cnj"], "0000001-39.2024.8.26.0100");
        assert_eq!(body["first_seen_at"], "2023-11-14T22:13:20.000Z");
    }

    #[test]
    fn every_kind_is_found_by_its_word() {
        for kind in [EventKind::New, EventKind::Changed, EventKind::Removed] {
            assert_eq!(EventKind::of_word(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::of_word("NEW"), None);
    }
}
