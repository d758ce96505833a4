use proptest::prelude::*;

use super::*;
use crate::domain::sample::process;

fn walk(snapshot: &Snapshot, mut view: View) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = view.cut(snapshot);
        ids.extend(page.movements.iter().map(|movement| movement.id.to_string()));
        match page.next_cursor {
            Some(cursor) => view.follow(&cursor).unwrap(),
            None => return ids,
        }
    }
}

proptest! {
    #[test]
    fn pages_show_every_movement_exactly_once(count in 0u32..120, limit in 1u16..60, asc in any::<bool>()) {
        let snapshot = process(count, 0);
        let order = if asc { Order::Asc } else { Order::Desc };
        let mut ids = walk(&snapshot, View { limit, order, ..View::default() });
        if asc {
            ids.reverse();
        }
        let all: Vec<_> = snapshot.movements.iter().map(|movement| movement.id.to_string()).collect();
        prop_assert_eq!(ids, all);
    }

    #[test]
    fn arbitrary_cursors_are_refused(text in ".{0,200}") {
        prop_assert!(View::default().follow(&text).is_err());
    }
}

#[test]
fn a_movement_that_arrives_between_two_pages_shifts_nothing() {
    let mut view = View { limit: 10, ..View::default() };
    let cursor = view.cut(&process(30, 0)).next_cursor.unwrap();
    view.follow(&cursor).unwrap();
    assert_eq!(view.cut(&process(33, 0)).movements[0].id.as_str(), "1019");
}

#[test]
fn a_cursor_goes_on_where_a_removed_movement_was() {
    let mut view = View { limit: 10, ..View::default() };
    let cursor = view.cut(&process(30, 0)).next_cursor.unwrap();
    view.follow(&cursor).unwrap();
    let mut without = process(30, 0);
    without.movements.retain(|movement| movement.id.as_str() != "1020");
    assert_eq!(view.cut(&without).movements[0].id.as_str(), "1019");
}

#[test]
fn a_cursor_of_other_filters_is_refused() {
    let cursor = View { limit: 10, ..View::default() }.cut(&process(30, 0)).next_cursor.unwrap();
    let mut other = View { order: Order::Asc, ..View::default() };
    assert_eq!(other.follow(&cursor), Err(CursorError::OtherFilters));
}

#[test]
fn days_are_inclusive() {
    let day = NaiveDate::from_ymd_opt(2024, 1, 5);
    let view = View { since: day, until: day, ..View::default() };
    assert_eq!(view.cut(&process(30, 0)).movements.len(), 1);
    let view = View { types: vec![MovementType::Decisao], ..View::default() };
    assert!(view.cut(&process(30, 0)).movements.is_empty());
}
