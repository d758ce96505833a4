//! A paid copy that cannot be renewed, with the newer movements that are public for free. Pure.

use std::collections::HashSet;

use super::datajud::ID_PREFIX;
use crate::domain::movement::{Movement, newest_first};
use crate::domain::snapshot::Snapshot;
use crate::domain::version::Version;

/// All of Escavador's, and DataJud's movements of later days than Escavador's last one. `None` when none of them is new.
///
/// Days decide, because the two name the same act in different words: of a day that Escavador has seen, nothing of DataJud's can be
/// told from what is there. It stays Escavador's copy, verified when Escavador verified it; what an earlier complement added is replaced.
pub(super) fn complement(escavador: &Snapshot, datajud: &Snapshot) -> Option<Snapshot> {
    let own = || escavador.movements.iter().filter(|movement| !is_datajuds(movement));
    let last = own().filter_map(|movement| movement.date).max().or(escavador.cover.last_movement);
    let later = |movement: &&Movement| movement.date.is_some_and(|date| last.is_none_or(|last| date > last));
    let held: HashSet<&str> = escavador.movements.iter().map(|movement| movement.id.as_str()).collect();
    let added: Vec<&Movement> = datajud.movements.iter().filter(later).collect();
    if added.iter().all(|movement| held.contains(movement.id.as_str())) {
        return None;
    }
    let mut movements: Vec<Movement> = added.into_iter().chain(own()).cloned().collect();
    movements.sort_by(newest_first);
    let mut cover = escavador.cover.clone();
    cover.sealed |= datajud.cover.sealed;
    let fetched_at = datajud.version.fetched_at.max(escavador.version.fetched_at);
    let version = Version::new(escavador.version.verified_at, fetched_at);
    Some(Snapshot { cnj: escavador.cnj, provider: escavador.provider, version, cover, movements })
}

fn is_datajuds(movement: &Movement) -> bool {
    movement.id.as_str().starts_with(ID_PREFIX)
}

#[cfg(test)]
mod tests {
    use chrono::{Days, NaiveDate};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::movement::MovementId;
    use crate::domain::sample::{instant, process};
    use crate::domain::snapshot::Provider;

    fn day(offset: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2024, 1, 1).unwrap().checked_add_days(Days::new(offset)).unwrap()
    }

    /// A copy of DataJud's with a movement on each of these days (none: undated).
    fn datajud(days: &[Option<u64>]) -> Snapshot {
        let mut snapshot = process(1, 500);
        let template = snapshot.movements.remove(0);
        snapshot.provider = Provider::Datajud;
        snapshot.version = Version::new(None, instant(500));
        let movements = days.iter().enumerate().map(|(index, offset)| Movement {
            id: MovementId::from_text(format!("{ID_PREFIX}{index}-{offset:?}")),
            date: offset.map(day),
            ..template.clone()
        });
        snapshot.movements = movements.collect();
        snapshot.movements.sort_by(newest_first);
        snapshot
    }

    fn ids(snapshot: &Snapshot) -> Vec<&str> {
        snapshot.movements.iter().map(|movement| movement.id.as_str()).collect()
    }

    #[test]
    fn only_later_days_are_added_and_the_copy_stays_escavadors() {
        let held = process(3, 100);
        let whole = complement(&held, &datajud(&[Some(0), Some(2), Some(3), Some(4), None])).unwrap();
        assert_eq!(ids(&whole), ["dj3-Some(4)", "dj2-Some(3)", "1002", "1001", "1000"]);
        assert_eq!((whole.provider, whole.version.verified_at), (Provider::Escavador, held.version.verified_at));
        assert_eq!((whole.version.fetched_at, &whole.cover), (instant(500), &held.cover));
        assert!(whole.version > held.version);
        assert_eq!((whole.total_movements(), whole.last_update()), (5, Some(day(4))));
    }

    #[test]
    fn without_news_there_is_nothing_to_do() {
        let held = process(3, 100);
        assert_eq!(complement(&held, &datajud(&[Some(0), Some(2), None])), None);
        assert_eq!(complement(&held, &datajud(&[])), None);
        let once = complement(&held, &datajud(&[Some(3)])).unwrap();
        assert_eq!(complement(&once, &datajud(&[Some(3)])), None, "it is there already");
    }

    #[test]
    fn an_earlier_complement_is_replaced_and_hides_nothing() {
        let once = complement(&process(3, 100), &datajud(&[Some(5)])).unwrap();
        let twice = complement(&once, &datajud(&[Some(4), Some(5)])).unwrap();
        assert_eq!(ids(&twice), ["dj1-Some(5)", "dj0-Some(4)", "1002", "1001", "1000"]);
    }

    #[test]
    fn secrecy_is_kept_from_either_side() {
        let mut secret = datajud(&[Some(9)]);
        secret.cover.sealed = true;
        assert!(complement(&process(1, 100), &secret).unwrap().cover.sealed);
        let empty = process(0, 100);
        assert_eq!(complement(&empty, &datajud(&[Some(0)])).unwrap().movements.len(), 1, "nothing was before it");
    }

    proptest! {
        #[test]
        fn nothing_of_escavadors_is_lost(count in 0_u32..20, days in prop::collection::vec(prop::option::of(0_u64..40), 0..20)) {
            let held = process(count, 100);
            if let Some(whole) = complement(&held, &datajud(&days)) {
                let kept: Vec<Movement> = whole.movements.iter().filter(|m| !is_datajuds(m)).cloned().collect();
                prop_assert_eq!(kept, held.movements.clone());
                prop_assert!(whole.movements.len() > held.movements.len());
                let distinct: HashSet<&str> = ids(&whole).into_iter().collect();
                prop_assert_eq!(distinct.len(), whole.movements.len());
            }
        }
    }
}
