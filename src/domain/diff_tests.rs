use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;
use crate::domain::movement::Source;
use crate::domain::sample::instant;

const HERE: Provider = Provider::Escavador;

fn said(text: &str) -> Identity {
    Identity::stored(format!("{REVISION}{text}")).unwrap()
}

/// A snapshot of (id, what it says), newest first.
fn listed(movements: &[(&str, &str)]) -> Vec<Listed> {
    movements
        .iter()
        .map(|(id, text)| Listed { id: MovementId::from_text((*id).into()), identity: said(text) })
        .collect()
}

/// What is known after a snapshot was seen at a moment.
fn seen(movements: &[(&str, &str)], at: i64) -> Vec<Known> {
    let known = |listed: Listed| Known {
        id: listed.id,
        identity: Some(listed.identity),
        is_removed: false,
        first_seen: instant(at),
    };
    listed(movements).into_iter().map(known).collect()
}

/// What is known after the comparison: what a store writes.
fn applied(known: &[Known], listed: &[Listed], diff: &Diff<'_>, at: i64) -> Vec<Known> {
    let gone: HashSet<&MovementId> = diff.gone().collect();
    let inherited = |id: &MovementId| diff.renumbered.iter().find(|one| one.id == id).map(|one| one.first_seen);
    let mut after: Vec<Known> = known.to_vec();
    for one in &mut after {
        one.is_removed |= gone.contains(&one.id);
    }
    for now in listed {
        match after.iter_mut().find(|known| known.id == now.id) {
            Some(known) => {
                known.identity = Some(now.identity.clone());
                known.is_removed = false;
            }
            None => after.push(Known {
                id: now.id.clone(),
                identity: Some(now.identity.clone()),
                is_removed: false,
                first_seen: inherited(&now.id).unwrap_or_else(|| instant(at)),
            }),
        }
    }
    after
}

/// The events in words, as they are told.
fn told(diff: &Diff<'_>) -> Vec<String> {
    diff.events().map(|(kind, id)| format!("{} {id}", kind.as_str())).collect()
}

#[test]
fn what_is_told_case_by_case() {
    let gone = |id: &str, text: &str| Known { is_removed: true, ..seen(&[(id, text)], 0).remove(0) };
    // What was known, what is listed now, what is told.
    type Case<'a> = (&'a str, Vec<Known>, &'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [Case<'_>; 14] = [
        ("nothing", vec![], &[], &[]),
        ("the first movements of a process that had none", vec![], &[("2", "b"), ("1", "a")], &["new 1", "new 2"]),
        ("a lower id than any known", seen(&[("9", "a")], 0), &[("9", "a"), ("3", "b")], &["new 3"]),
        ("another text", seen(&[("1", "a")], 0), &[("1", "b")], &["changed 1"]),
        ("gone", seen(&[("2", "b"), ("1", "a")], 0), &[("2", "b")], &["removed 1"]),
        ("back again", vec![gone("1", "a")], &[("1", "a")], &["changed 1"]),
        ("still gone", vec![gone("1", "a")], &[], &[]),
        ("another id", seen(&[("1", "a")], 0), &[("7", "a")], &[]),
        ("another id and one more of the same", seen(&[("1", "a")], 0), &[("8", "a"), ("7", "a")], &["new 7"]),
        ("two of the same, and one goes", seen(&[("2", "a"), ("1", "a")], 0), &[("7", "a")], &["removed 1"]),
        ("a third of the same", seen(&[("2", "a"), ("1", "a")], 0), &[("3", "a"), ("2", "a"), ("1", "a")], &["new 3"]),
        ("what went long ago names nothing", vec![gone("1", "a")], &[("7", "a")], &["new 7"]),
        (
            "the old id again, as the new one goes",
            [vec![gone("1", "a")], seen(&[("7", "a")], 5)].concat(),
            &[("1", "a")],
            &[],
        ),
        (
            "what went is told first, then the oldest of each kind",
            seen(&[("3", "c"), ("2", "b"), ("1", "a")], 0),
            &[("5", "e"), ("4", "d"), ("3", "C")],
            &["removed 1", "removed 2", "changed 3", "new 4", "new 5"],
        ),
    ];
    for (story, known, now, expected) in cases {
        let now = listed(now);
        assert_eq!(told(&Diff::between(Some(HERE), &known, HERE, &now)), expected, "{story}");
    }
}

#[test]
fn a_first_sight_and_another_provider_tell_nobody_anything() {
    let (known, now) = (seen(&[("dj1", "a"), ("dj2", "b")], 0), listed(&[("9", "c"), ("8", "a")]));
    for (before, known) in [(None, &[][..]), (Some(Provider::Datajud), &known)] {
        let diff = Diff::between(before, known, HERE, &now);
        assert!(diff.first_sight && told(&diff).is_empty());
        assert_eq!(diff.new.len() + diff.renumbered.len(), 2, "what is there is known nevertheless");
    }
    let diff = Diff::between(Some(Provider::Datajud), &known, HERE, &now);
    assert_eq!(diff.gone().count(), 2);
}

/// DataJud only fills in for what Escavador has not seen: that Escavador's next copy is without it says nothing about the process.
#[test]
fn what_datajud_filled_in_comes_as_news_and_goes_without() {
    let escavador = Some(Provider::Escavador);
    let (bare, filled) = (listed(&[("1", "a")]), listed(&[("dj5", "x"), ("1", "a")]));
    let before = seen(&[("1", "a")], 0);
    let came = Diff::between(escavador, &before, Provider::Escavador, &filled);
    assert_eq!(told(&came), ["new dj5"]);
    let with = applied(&before, &filled, &came, 1);
    let went = Diff::between(escavador, &with, Provider::Escavador, &bare);
    assert!(told(&went).is_empty() && went.gone().count() == 1);
    let without = applied(&with, &bare, &went, 2);
    assert!(told(&Diff::between(escavador, &without, Provider::Escavador, &filled)).is_empty(), "it was told once");

    let datajud = Some(Provider::Datajud);
    let gone = Diff::between(datajud, &with, Provider::Datajud, &bare);
    assert_eq!(told(&gone), ["removed dj5"], "in DataJud's own copies it is what the court published");
}

#[test]
fn a_movement_of_which_is_not_known_what_it_said_is_not_called_changed() {
    let known = Known { identity: None, ..seen(&[("1", "")], 0).remove(0) };
    let now = listed(&[("1", "whatever")]);
    let diff = Diff::between(Some(HERE), std::slice::from_ref(&known), HERE, &now);
    assert_eq!((told(&diff).len(), diff.unclaimed), (0, 1));
    assert_eq!(Identity::stored("0-of an earlier way of folding".into()), None);
}

#[test]
fn a_renumbered_movement_keeps_its_first_moment() {
    let mut known = seen(&[("1", "a")], 0);
    for (at, id) in [(5, "7"), (6, "3"), (7, "1")] {
        let now = listed(&[(id, "a")]);
        let diff = Diff::between(Some(HERE), &known, HERE, &now);
        assert_eq!((told(&diff).len(), diff.renumbered[0].first_seen), (0, instant(0)), "as {id}");
        known = applied(&known, &now, &diff, at);
    }
}

/// The vendor gives the class, the kind of publication and the category in callbacks and leaves them out in lists.
#[test]
fn what_the_vendor_adds_of_its_own_is_not_what_a_movement_says() {
    let plain = Movement {
        id: MovementId::vendor(1),
        date: NaiveDate::from_ymd_opt(2018, 7, 25),
        kind: Some("ANDAMENTO".into()),
        text: "Certidão de cartório expedida".into(),
        publication: None,
        category: None,
        classification: None,
        source: Source { id: Some(3), ..Source::default() },
    };
    let class = crate::domain::movement::Classification { nome: "x".into(), descricao: None, hierarquia: None };
    let same = [
        Movement { id: MovementId::vendor(2), ..plain.clone() },
        Movement { publication: Some("Despacho".into()), category: Some("Atos".into()), ..plain.clone() },
        Movement { classification: Some(class), ..plain.clone() },
        Movement { text: " CERTIDAO  DE CARTORIO EXPEDIDA".into(), ..plain.clone() },
        Movement {
            source: Source { name: Some("x".into()), tribunal: Some("TJSP".into()), ..plain.source.clone() },
            ..plain.clone()
        },
    ];
    for other in same {
        assert_eq!(Identity::of(&other), Identity::of(&plain), "{other:?}");
    }
    let different = [
        Movement { date: NaiveDate::from_ymd_opt(2018, 7, 26), ..plain.clone() },
        Movement { date: None, ..plain.clone() },
        Movement { kind: Some("PUBLICACAO".into()), ..plain.clone() },
        Movement { text: "Certidão expedida".into(), ..plain.clone() },
        Movement { source: Source { id: Some(6), ..Source::default() }, ..plain.clone() },
    ];
    for other in different {
        assert_ne!(Identity::of(&other), Identity::of(&plain), "{other:?}");
    }
    let stored = Identity::of(&plain).as_str().to_owned();
    assert_eq!(Identity::stored(stored), Some(Identity::of(&plain)));
}

/// Few ids and few texts, so that equal texts, vanishing and renumbering happen often. An id is listed once.
fn snapshots() -> impl Strategy<Value = Vec<Vec<Listed>>> {
    let movement =
        (prop_oneof![(0_u8..12).prop_map(|n| n.to_string()), (0_u8..3).prop_map(|n| format!("dj{n}"))], 0_u8..5);
    let snapshot = prop::collection::btree_map(movement.prop_map(|(id, _)| id), 0_u8..5, 0..12);
    let snapshot = snapshot.prop_map(|movements| {
        let lines: Vec<(String, String)> = movements.into_iter().map(|(id, text)| (id, text.to_string())).collect();
        listed(&lines.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect::<Vec<_>>())
    });
    prop::collection::vec(snapshot, 1..6)
}

fn alive(known: &[Known]) -> Vec<(&MovementId, Option<&Identity>)> {
    let mut alive: Vec<_> =
        known.iter().filter(|one| !one.is_removed).map(|one| (&one.id, one.identity.as_ref())).collect();
    alive.sort();
    alive
}

proptest! {
    #[test]
    fn applying_a_diff_gives_the_new_set_and_then_there_is_no_difference(history in snapshots()) {
        let mut known = Vec::new();
        let mut before = None;
        for (at, now) in (0_i64..).zip(&history) {
            let diff = Diff::between(before, &known, HERE, now);
            let after = applied(&known, now, &diff, at);
            let mut expected: Vec<_> = now.iter().map(|one| (&one.id, Some(&one.identity))).collect();
            expected.sort();
            prop_assert_eq!(alive(&after), expected);

            let again = Diff::between(Some(HERE), &after, HERE, now);
            prop_assert_eq!(&again, &Diff::default());
            // Everything listed is new, known under another id, known again, or was there.
            let there = known.iter().filter(|one| !one.is_removed && now.iter().any(|now| now.id == one.id)).count();
            let came = diff.new.len() + diff.restored.len() + diff.returned.len() + diff.renumbered.len();
            prop_assert_eq!(came + there, now.len());
            prop_assert_eq!(diff.gone().count() + there, alive(&known).len());
            // No movement is told of twice.
            let told: Vec<_> = diff.events().map(|(_, id)| id).collect();
            prop_assert_eq!(told.iter().collect::<HashSet<_>>().len(), told.len());
            known = after;
            before = Some(HERE);
        }
    }

    /// Whatever the ids: a text that is listed n times and was listed m times has come n - m times, or gone m - n times.
    #[test]
    fn equal_texts_are_counted(was in prop::collection::vec(0_u8..4, 0..8), is in prop::collection::vec(0_u8..4, 0..8), shift in 0_usize..16) {
        let text = |texts: &[u8], shift: usize| -> Vec<(String, String)> {
            texts.iter().enumerate().map(|(n, text)| (format!("{}-{text}", n + shift), text.to_string())).collect()
        };
        let (was, is) = (text(&was, 0), text(&is, shift));
        let lines = |lines: &[(String, String)]| listed(&lines.iter().map(|(id, text)| (&**id, &**text)).collect::<Vec<_>>());
        let known: Vec<Known> = lines(&was).into_iter().map(|one| Known {
            id: one.id, identity: Some(one.identity), is_removed: false, first_seen: instant(0),
        }).collect();
        let now = lines(&is);
        let diff = Diff::between(Some(HERE), &known, HERE, &now);
        prop_assert!(diff.changed.is_empty() && diff.restored.is_empty());
        for text in ["0", "1", "2", "3"] {
            let count = |lines: &[(String, String)]| lines.iter().filter(|(_, said)| said == text).count();
            let of = |ids: &[&MovementId]| ids.iter().filter(|id| id.as_str().ends_with(&format!("-{text}"))).count();
            prop_assert_eq!(of(&diff.new), count(&is).saturating_sub(count(&was)));
            prop_assert_eq!(of(&diff.removed), count(&was).saturating_sub(count(&is)));
        }
    }
}
