//! A process as the rows that storing it writes.

use std::borrow::Cow;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::codec::CodecError;
use crate::domain::diff::Listed;
use crate::domain::entry::Entry;
use crate::domain::movement::Movement;
use crate::domain::phase::Phase;
use crate::domain::render;
use crate::domain::rhythm::Rhythm;
use crate::domain::snapshot::{Provider, Snapshot};
use crate::domain::version::Version;

/// Everything that storing one process writes.
#[derive(Debug)]
pub(in crate::postgres_tier) struct ProcessRows {
    pub(super) cnj: String,
    pub(super) version: Version,
    pub(super) fresh_until: DateTime<Utc>,
    pub(super) provider: Provider,
    pub(super) total_movements: i64,
    pub(super) current_phase: &'static str,
    pub(super) description: &'static str,
    pub(super) progress: i16,
    pub(super) outcome: &'static str,
    pub(super) last_movement: Option<NaiveDate>,
    pub(super) tribunal: String,
    pub(super) grau: Option<String>,
    pub(super) sealed: bool,
    pub(super) envelope: Bytes,
    /// How many days with news are expected for each business day.
    pub(super) change_rate: f64,
    pub(super) movements: MovementColumns,
    /// The same movements, as they are compared with what is known.
    pub(super) listed: Vec<Listed>,
}

/// What is stored of the movements besides their ids, column by column, as one statement takes them.
#[derive(Debug, Default)]
pub(super) struct MovementColumns {
    pub(super) types: Vec<&'static str>,
    pub(super) rules: Vec<&'static str>,
    pub(super) confidences: Vec<f32>,
    pub(super) dates: Vec<Option<NaiveDate>>,
    pub(super) contents: Vec<String>,
    pub(super) tribunals: Vec<String>,
    pub(super) graus: Vec<Option<String>>,
    pub(super) data: Vec<String>,
}

impl ProcessRows {
    /// Takes a copy apart. Decoding and classifying a large process takes a while: not on an arbiter.
    ///
    /// # Errors
    /// When the copy does not decode.
    pub(in crate::postgres_tier) fn of(entry: &Entry, fresh_until: DateTime<Utc>) -> Result<Self, CodecError> {
        let snapshot = entry.snapshot()?;
        let header = entry.header();
        let phases = render::phase_report(&snapshot);
        Ok(Self {
            cnj: snapshot.cnj.masked(),
            version: header.version,
            fresh_until,
            provider: header.provider,
            total_movements: i64::try_from(snapshot.total_movements()).unwrap_or(i64::MAX),
            current_phase: phases.current.as_str(),
            description: Phase::description_pt(phases.current),
            progress: i16::from(phases.progress),
            outcome: render::process_outcome(&snapshot).as_str(),
            last_movement: snapshot.last_update(),
            tribunal: storable(&snapshot.cover.tribunal).into_owned(),
            grau: snapshot.cover.grau.as_deref().map(|grau| storable(grau).into_owned()),
            sealed: header.sealed,
            envelope: entry.envelope().bytes().clone(),
            change_rate: Rhythm::of(&snapshot, header.version.fetched_at).changes_per_business_day,
            movements: MovementColumns::of(&snapshot)?,
            listed: snapshot.movements.iter().map(Listed::of).collect(),
        })
    }

    /// The movements' ids, in the order of the columns.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.listed.iter().map(|listed| listed.id.as_str()).collect()
    }

    /// What they say.
    pub(super) fn identities(&self) -> Vec<&str> {
        self.listed.iter().map(|listed| listed.identity.as_str()).collect()
    }
}

impl MovementColumns {
    fn of(snapshot: &Snapshot) -> Result<Self, CodecError> {
        let mut columns = Self::default();
        for movement in &snapshot.movements {
            let verdict = movement.verdict();
            let source = &movement.source;
            let tribunal = source.tribunal.as_ref().unwrap_or(&snapshot.cover.tribunal);
            let grau = source.grau.as_ref().or(snapshot.cover.grau.as_ref());
            columns.types.push(verdict.kind.as_str());
            columns.rules.push(verdict.rule);
            columns.confidences.push(verdict.confidence);
            columns.dates.push(movement.date);
            columns.contents.push(storable(&movement.text).into_owned());
            columns.tribunals.push(storable(tribunal).into_owned());
            columns.graus.push(grau.map(|grau| storable(grau).into_owned()));
            columns.data.push(storable_json(movement)?);
        }
        Ok(columns)
    }
}

/// PostgreSQL's `text` holds every character but NUL; the envelope keeps the original.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// As [`storable`], for `jsonb`, which refuses the escape as well.
fn storable_json(movement: &Movement) -> Result<String, CodecError> {
    let json = serde_json::to_string(movement).map_err(|_plain_data| CodecError::Undecodable)?;
    if !json.contains("\\u0000") {
        return Ok(json);
    }
    let mut value = serde_json::from_str(&json).map_err(|_plain_data| CodecError::Undecodable)?;
    replace_nul(&mut value);
    Ok(value.to_string())
}

fn replace_nul(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = storable(text).into_owned(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(replace_nul),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(replace_nul),
        _ => {}
    }
}
