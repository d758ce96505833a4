//! The answers' JSON. A body is a head, which depends on the process and the reader's cut only, and a short tail with the
//! freshness fields, which depends on who serves it; so the head of the default cut is rendered once, when a copy is made.

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::Serialize;

use super::classify::{MovementType, Verdict};
use super::cnj::Cnj;
use super::codec::Header;
use super::movement::{Classification, Movement};
use super::outcome::{Outcome, outcome};
use super::phase::{PhaseReport, Step, phases};
use super::served::{Freshness, ServedFrom};
use super::snapshot::Snapshot;
use super::view::View;

/// Revision of this rendering and of the classifier behind it. A stored head of another revision is rendered anew; raise it
/// with every change that can alter a body.
pub const REVISION: u32 = 1;

const DESCRIPTION_CHARS: usize = 200;
const NAME_CHARS: usize = 80;

#[derive(Serialize)]
struct Detailed<'a> {
    cnj: String,
    total_movements: u64,
    shown_movements: usize,
    current_phase: &'static str,
    progress_percentage: u8,
    outcome: &'static str,
    last_update: Option<NaiveDate>,
    tribunal_info: Tribunal<'a>,
    movements: Vec<MovementLine<'a>>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Tribunal<'a> {
    name: &'a str,
    grau: Option<&'a str>,
}

#[derive(Serialize)]
struct MovementLine<'a> {
    id: &'a str,
    name: &'a str,
    description: &'a str,
    full_content: &'a str,
    r#type: MovementType,
    icon: &'static str,
    color: &'static str,
    date: Option<NaiveDate>,
    source: SourceLine<'a>,
    classification: Option<&'a Classification>,
    #[serde(flatten)]
    place: Option<Place>,
    documents: [(); 0],
}

/// Where a movement stands in the timeline of its process; one that is shown alone stands nowhere.
#[derive(Serialize)]
struct Place {
    is_completed: bool,
    is_current: bool,
    completed_at: Option<NaiveDate>,
}

#[derive(Serialize)]
struct SourceLine<'a> {
    tribunal: &'a str,
    grau: Option<&'a str>,
}

#[derive(Serialize)]
struct Summary<'a> {
    current_phase: &'static str,
    description: &'static str,
    progress_percentage: u8,
    phases: Vec<PhaseStep>,
    cnj: String,
    tribunal: Tribunal<'a>,
    total_movements: u64,
    last_update: Option<NaiveDate>,
    outcome: &'static str,
}

#[derive(Serialize)]
struct PhaseStep {
    name: &'static str,
    description: &'static str,
    is_completed: bool,
    is_current: bool,
    completed_at: Option<NaiveDate>,
    documents: [(); 0],
}

/// The phases of a process, derived from its latest decisive movement.
#[must_use]
pub fn phase_report(snapshot: &Snapshot) -> PhaseReport {
    let verdicts: Vec<Verdict> = snapshot.movements.iter().map(Movement::verdict).collect();
    let steps = snapshot.movements.iter().zip(&verdicts).map(|(movement, verdict)| Step {
        date: movement.date,
        verdict,
        grau: movement.source.grau.as_deref(),
    });
    phases(&steps.collect::<Vec<_>>())
}

/// How the process ended, as far as it can be told without knowing which side is ours.
#[must_use]
pub fn process_outcome(snapshot: &Snapshot) -> Outcome {
    outcome(snapshot.movements.iter().map(|movement| (movement.text.as_str(), movement.source.grau.as_deref())), None)
}

/// The name of a movement: the vendor's class, or the beginning of its text.
#[must_use]
pub fn name(movement: &Movement) -> &str {
    match &movement.classification {
        Some(class) if !class.nome.is_empty() => &class.nome,
        _ => {
            let line = movement.text.trim_start().lines().next().unwrap_or_default();
            let sentence = line.split_once(". ").map_or(line, |(first, _)| first);
            first_chars(sentence, NAME_CHARS).trim_end_matches(['.', ' '])
        }
    }
}

/// A detailed body up to its freshness fields, for one cut.
#[must_use]
pub fn detailed_head(snapshot: &Snapshot, view: &View) -> Bytes {
    let report = phase_report(snapshot);
    let page = view.cut(snapshot);
    let newest = snapshot.movements.first().map(|movement| &movement.id);
    let movements: Vec<_> =
        page.movements.iter().map(|movement| line(movement, newest == Some(&movement.id), snapshot)).collect();
    head(&Detailed {
        cnj: snapshot.cnj.masked(),
        total_movements: snapshot.total_movements(),
        shown_movements: movements.len(),
        current_phase: report.current.as_str(),
        progress_percentage: report.progress,
        outcome: process_outcome(snapshot).as_str(),
        last_update: snapshot.last_update(),
        tribunal_info: tribunal(snapshot),
        movements,
        next_cursor: page.next_cursor,
    })
}

/// A summary body up to its freshness fields.
#[must_use]
pub fn summary_head(snapshot: &Snapshot) -> Bytes {
    let report = phase_report(snapshot);
    let phases = report.phases.iter().map(|step| PhaseStep {
        name: step.phase.label_pt(),
        description: step.phase.description_pt(),
        is_completed: step.is_completed,
        is_current: step.is_current,
        completed_at: step.completed_at,
        documents: [],
    });
    head(&Summary {
        current_phase: report.current.as_str(),
        description: report.current.description_pt(),
        progress_percentage: report.progress,
        phases: phases.collect(),
        cnj: snapshot.cnj.masked(),
        tribunal: tribunal(snapshot),
        total_movements: snapshot.total_movements(),
        last_update: snapshot.last_update(),
        outcome: process_outcome(snapshot).as_str(),
    })
}

/// Closes a head with the freshness fields: a whole body.
#[must_use]
pub fn body(head: &[u8], header: &Header, from: ServedFrom, freshness: Freshness) -> Bytes {
    let (stale, reason) = match freshness {
        Freshness::Fresh => (false, None),
        Freshness::Stale(reason) => (true, reason),
    };
    let quoted = |word: Option<String>| word.map_or_else(|| "null".to_owned(), |word| format!("\"{word}\""));
    let tail = format!(
        ",\"cached_at\":\"{}\",\"cache_source\":\"{}\",\"freshness\":{{\"stale\":{stale},\"reason\":{},\
         \"fresh_until\":\"{}\",\"verified_at\":{},\"provider\":\"{}\"}}}}",
        stamp(header.version.fetched_at),
        from.as_str(),
        quoted(reason.map(|reason| reason.as_str().to_owned())),
        stamp(header.fresh_until),
        quoted(header.version.verified_at.map(stamp)),
        header.provider.as_str(),
    );
    let mut body = BytesMut::with_capacity(head.len() + tail.len());
    body.put_slice(head);
    body.put_slice(tail.as_bytes());
    body.freeze()
}

/// An instant as answers write it: UTC, milliseconds.
#[must_use]
pub fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// JSON without its closing brace. Serializing plain data of ours cannot fail; should it ever, an empty object is left.
fn head(answer: &impl Serialize) -> Bytes {
    let mut json = serde_json::to_vec(answer).unwrap_or_else(|_| b"{}".to_vec());
    json.pop();
    Bytes::from(json)
}

fn line<'a>(movement: &'a Movement, is_current: bool, snapshot: &'a Snapshot) -> MovementLine<'a> {
    let cover = &snapshot.cover;
    let place = Place { is_completed: true, is_current, completed_at: movement.date };
    MovementLine { place: Some(place), ..lone_line(movement, &cover.tribunal, cover.grau.as_deref()) }
}

/// A movement by itself, in the words of the detailed answer. Where it does not name its own court, that of the process is named.
pub(super) fn lone_movement(movement: &Movement, cnj: Cnj) -> impl Serialize {
    lone_line(movement, cnj.court().sigla, None)
}

fn lone_line<'a>(movement: &'a Movement, tribunal: &'a str, grau: Option<&'a str>) -> MovementLine<'a> {
    let kind = movement.verdict().kind;
    MovementLine {
        id: movement.id.as_str(),
        name: name(movement),
        description: first_chars(&movement.text, DESCRIPTION_CHARS),
        full_content: &movement.text,
        r#type: kind,
        icon: kind.icon(),
        color: kind.color(),
        date: movement.date,
        source: SourceLine {
            tribunal: movement.source.tribunal.as_deref().unwrap_or(tribunal),
            grau: movement.source.grau.as_deref().or(grau),
        },
        classification: movement.classification.as_ref(),
        place: None,
        documents: [],
    }
}

fn tribunal(snapshot: &Snapshot) -> Tribunal<'_> {
    Tribunal { name: &snapshot.cover.tribunal, grau: snapshot.cover.grau.as_deref() }
}

fn first_chars(text: &str, count: usize) -> &str {
    match text.char_indices().nth(count) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
