//! What a new snapshot brings that was not known: set difference by identity, never by id order or by day. Pure.
//!
//! The vendor's ids are not ordered by date, equal texts on one day are several movements, a court adds movements with old days, an
//! id may vanish and come back, and a new import may number everything anew. So a movement is news if its id is not known, unless
//! it says what a movement said whose id has gone at the same moment.

use std::collections::{HashMap, HashSet, VecDeque};

use chrono::{DateTime, Utc};

use super::event::EventKind;
use super::movement::{Movement, MovementId, content_hash};
use super::snapshot::Provider;

/// Which way of making identities this is. Raise it when [`content_hash`] or the folding of texts changes: identities of another
/// way are then made anew, and nothing is called changed because we read it differently.
const REVISION: &str = "1-";

/// What a movement says, whatever it is called: its source, day, kind and folded text, as a hash. Equal movements share it. What the
/// vendor adds of its own (class, kind of publication, category) is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(String);

impl Identity {
    /// The identity of a movement.
    #[must_use]
    pub fn of(movement: &Movement) -> Self {
        let hex: String = content_hash(movement).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{REVISION}{hex}"))
    }

    /// A stored one, unless it was made in another way than they are now and says nothing any more.
    #[must_use]
    pub fn stored(text: String) -> Option<Self> {
        text.starts_with(REVISION).then_some(Self(text))
    }

    /// The written form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A movement that is known from before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: MovementId,
    /// What it said; none if that was not kept, and then no change is claimed.
    pub identity: Option<Identity>,
    /// The vendor did not list it any more when we last looked.
    pub is_removed: bool,
    /// When it first reached us.
    pub first_seen: DateTime<Utc>,
}

/// A movement of the new snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: MovementId,
    /// What it says.
    pub identity: Identity,
}

impl Listed {
    /// A movement as the comparison takes it.
    #[must_use]
    pub fn of(movement: &Movement) -> Self {
        Self { id: movement.id.clone(), identity: Identity::of(movement) }
    }
}

/// A movement that has another id now. That is no news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renumbered<'a> {
    /// Its id now.
    pub id: &'a MovementId,
    /// The id that it had.
    pub from: &'a MovementId,
    /// When it first reached us, under whichever id.
    pub first_seen: DateTime<Utc>,
}

/// What became of the movements between what was known and a snapshot. Each list is in the order of what it was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff<'a> {
    /// Nothing was known of the process, or from another provider only, which names everything differently: nobody is told anything.
    pub first_sight: bool,
    /// Not known before.
    pub new: Vec<&'a MovementId>,
    /// Known, and said differently now.
    pub changed: Vec<&'a MovementId>,
    /// Gone before, and listed again.
    pub restored: Vec<&'a MovementId>,
    /// Not listed any more.
    pub removed: Vec<&'a MovementId>,
    /// Known under another id.
    pub renumbered: Vec<Renumbered<'a>>,
    /// DataJud's in a copy of Escavador's: not listed any more, which nobody is told, because they only fill in for what Escavador
    /// has not seen yet.
    pub withdrawn: Vec<&'a MovementId>,
    /// The same, listed again.
    pub returned: Vec<&'a MovementId>,
    /// How many are listed of which it was not known what they said.
    pub unclaimed: usize,
}

impl<'a> Diff<'a> {
    /// Compares what is `known`, of a copy `before` from that provider (none: there was no copy), with the movements that `now` lists.
    #[must_use]
    pub fn between(before: Option<Provider>, known: &'a [Known], now: Provider, listed: &'a [Listed]) -> Self {
        let mut diff = Self { first_sight: before != Some(now), ..Self::default() };
        let by_id: HashMap<&MovementId, &Known> = known.iter().map(|known| (&known.id, known)).collect();
        let listed_ids: HashSet<&MovementId> = listed.iter().map(|listed| &listed.id).collect();
        let is_quiet = |id: &MovementId| now == Provider::Escavador && id.is_datajuds();

        let mut departed =
            Departed::new(known.iter().filter(|known| !known.is_removed && !listed_ids.contains(&known.id)));
        for listed in listed {
            let earlier = by_id.get(&listed.id).copied();
            diff.unclaimed += usize::from(earlier.is_some_and(|earlier| earlier.identity.is_none()));
            match earlier {
                Some(earlier) if !earlier.is_removed => {
                    if earlier.identity.as_ref().is_some_and(|identity| *identity != listed.identity) {
                        diff.changed.push(&listed.id);
                    }
                }
                absent => match (departed.take(&listed.identity), absent) {
                    (Some(from), _) => {
                        let first_seen = absent.map_or(from.first_seen, |own| own.first_seen.min(from.first_seen));
                        diff.renumbered.push(Renumbered { id: &listed.id, from: &from.id, first_seen });
                    }
                    (None, Some(_)) if is_quiet(&listed.id) => diff.returned.push(&listed.id),
                    (None, Some(_)) => diff.restored.push(&listed.id),
                    (None, None) => diff.new.push(&listed.id),
                },
            }
        }
        let gone = departed.left(known);
        (diff.withdrawn, diff.removed) = gone.into_iter().partition(|id| is_quiet(id));
        diff
    }

    /// What readers are told: what went, then what changed, came back and came, each with the oldest first if the snapshot's newest
    /// came first.
    pub fn events(&self) -> impl Iterator<Item = (EventKind, &'a MovementId)> {
        let kinds = [
            (EventKind::Removed, &self.removed),
            (EventKind::Changed, &self.changed),
            (EventKind::Changed, &self.restored),
            (EventKind::New, &self.new),
        ];
        let is_told = !self.first_sight;
        let told = kinds.into_iter().filter(move |_| is_told);
        told.flat_map(|(kind, ids)| ids.iter().rev().map(move |id| (kind, *id)))
    }

    /// Every id that is not listed any more, news or not.
    pub fn gone(&self) -> impl Iterator<Item = &'a MovementId> {
        let renumbered = self.renumbered.iter().map(|renumbered| renumbered.from);
        self.removed.iter().chain(&self.withdrawn).copied().chain(renumbered)
    }
}

/// The known movements whose ids are gone, to be found again by what they say: as many times as they said it.
struct Departed<'a> {
    by_identity: HashMap<&'a Identity, VecDeque<&'a Known>>,
    /// Of which nobody knows what they said.
    silent: Vec<&'a MovementId>,
}

impl<'a> Departed<'a> {
    fn new(gone: impl Iterator<Item = &'a Known>) -> Self {
        let mut departed = Self { by_identity: HashMap::new(), silent: Vec::new() };
        for known in gone {
            match &known.identity {
                Some(identity) => departed.by_identity.entry(identity).or_default().push_back(known),
                None => departed.silent.push(&known.id),
            }
        }
        departed
    }

    fn take(&mut self, identity: &Identity) -> Option<&'a Known> {
        self.by_identity.get_mut(identity)?.pop_front()
    }

    /// Those that nobody took, in the order of `known`.
    fn left(self, known: &'a [Known]) -> Vec<&'a MovementId> {
        let taken = self.by_identity.into_values().flatten().map(|known| &known.id);
        let left: HashSet<&MovementId> = taken.chain(self.silent).collect();
        known.iter().map(|known| &known.id).filter(|id| left.contains(id)).collect()
    }
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
