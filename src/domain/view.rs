//! What part of a process a reader wants: filters, order and pages, cut when answering and never in what is cached.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::NaiveDate;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::classify::MovementType;
use super::movement::{Movement, MovementId, position};
use super::snapshot::Snapshot;

/// The smallest `limit`.
pub const MIN_LIMIT: u16 = 1;
/// The largest `limit`.
pub const MAX_LIMIT: u16 = 500;
/// The `limit` of a reader who names none.
pub const DEFAULT_LIMIT: u16 = 50;

/// Reading direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Newest first.
    #[default]
    Desc,
    /// Oldest first.
    Asc,
}

impl Order {
    /// The parameter's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Desc => "desc",
            Self::Asc => "asc",
        }
    }
}

/// A reader's cut of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// How many movements, [`MIN_LIMIT`] to [`MAX_LIMIT`].
    pub limit: u16,
    /// Reading direction.
    pub order: Order,
    /// Only these types; empty means all.
    pub types: Vec<MovementType>,
    /// First day, inclusive.
    pub since: Option<NaiveDate>,
    /// Last day, inclusive.
    pub until: Option<NaiveDate>,
    /// Where the page before this one ended.
    pub cursor: Option<Cursor>,
}

impl Default for View {
    fn default() -> Self {
        Self { limit: DEFAULT_LIMIT, order: Order::Desc, types: Vec::new(), since: None, until: None, cursor: None }
    }
}

/// The last movement of a page, and the filters it was cut with.
///
/// It names a movement and not a count, so a movement that arrives between two pages shifts nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    date: Option<NaiveDate>,
    id: MovementId,
    filters: u64,
}

/// Why a cursor cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CursorError {
    /// Not one of ours, or cut off.
    #[error("the cursor is not one that this service issued")]
    Malformed,
    /// Issued for other filters or another order.
    #[error("the cursor belongs to other filters")]
    OtherFilters,
}

/// The movements of one page.
#[derive(Debug)]
pub struct Page<'a> {
    /// In reading order.
    pub movements: Vec<&'a Movement>,
    /// Where the next page starts, if there is one.
    pub next_cursor: Option<String>,
}

impl View {
    /// Whether this is the cut whose rendering every copy carries along.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Adopts a reader's cursor.
    ///
    /// # Errors
    /// When it is not ours or was issued for another cut; set the filters first.
    pub fn follow(&mut self, cursor: &str) -> Result<(), CursorError> {
        let cursor = Cursor::parse(cursor)?;
        if cursor.filters != self.filters() {
            return Err(CursorError::OtherFilters);
        }
        self.cursor = Some(cursor);
        Ok(())
    }

    /// Cuts one page out of a process.
    #[must_use]
    pub fn cut<'a>(&self, snapshot: &'a Snapshot) -> Page<'a> {
        let mut matching: Vec<&Movement> = snapshot.movements.iter().filter(|movement| self.wants(movement)).collect();
        if self.order == Order::Asc {
            matching.reverse();
        }
        let start = self.cursor.as_ref().map_or(0, |cursor| cursor.resume(&matching, self.order));
        let mut rest = matching.into_iter().skip(start);
        let movements: Vec<&Movement> = rest.by_ref().take(usize::from(self.limit)).collect();
        let more = rest.next().is_some();
        let next_cursor = movements.last().filter(|_| more).map(|last| self.cursor_after(last));
        Page { movements, next_cursor }
    }

    fn wants(&self, movement: &Movement) -> bool {
        let in_range = match movement.date {
            Some(date) => self.since.is_none_or(|since| date >= since) && self.until.is_none_or(|until| date <= until),
            None => self.since.is_none() && self.until.is_none(),
        };
        in_range && (self.types.is_empty() || self.types.contains(&movement.verdict().kind))
    }

    fn cursor_after(&self, last: &Movement) -> String {
        Cursor { date: last.date, id: last.id.clone(), filters: self.filters() }.encode()
    }

    fn filters(&self) -> u64 {
        let mut types: Vec<&str> = self.types.iter().map(|kind| kind.as_str()).collect();
        types.sort_unstable();
        xxh3_64(format!("{}|{}|{:?}|{:?}", self.order.as_str(), types.join(","), self.since, self.until).as_bytes())
    }
}

impl Cursor {
    /// The opaque text a reader gets.
    fn encode(&self) -> String {
        let date = self.date.map(|date| date.to_string()).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(format!("1|{:016x}|{date}|{}", self.filters, self.id))
    }

    fn parse(text: &str) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
        let text = String::from_utf8(bytes).map_err(|_| CursorError::Malformed)?;
        let mut parts = text.splitn(4, '|');
        let mut part = || parts.next().ok_or(CursorError::Malformed);
        if part()? != "1" {
            return Err(CursorError::Malformed);
        }
        let filters = u64::from_str_radix(part()?, 16).map_err(|_| CursorError::Malformed)?;
        let date = match part()? {
            "" => None,
            date => Some(date.parse().map_err(|_| CursorError::Malformed)?),
        };
        match part()? {
            "" => Err(CursorError::Malformed),
            id => Ok(Self { date, id: MovementId::from_text(id.to_owned()), filters }),
        }
    }

    /// Where to go on: behind the named movement, or, if the court has removed it since, at the place it had. Movements that
    /// share a place may be shown twice then; none is lost.
    fn resume(&self, matching: &[&Movement], order: Order) -> usize {
        if let Some(index) = matching.iter().position(|movement| movement.id == self.id) {
            return index + 1;
        }
        let place = position(self.date, &self.id);
        matching
            .iter()
            .position(|movement| {
                let other = position(movement.date, &movement.id);
                match order {
                    Order::Desc => other >= place,
                    Order::Asc => other <= place,
                }
            })
            .unwrap_or(matching.len())
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
