//! What a stored copy brings that was not known: each movement once, in numbers that a reader can follow without missing one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use futures_util::future::join_all;
use juscache::config::postgres::PostgresSettings;
use juscache::domain::cnj::Cnj;
use juscache::domain::entry::Entry;
use juscache::domain::event::{Event, EventKind};
use juscache::domain::movement::{Classification, Movement, MovementId, Unidentified, identify};
use juscache::domain::snapshot::Provider;
use juscache::domain::version::Version;
use juscache::journal::Journal;
use juscache::postgres_tier::events::messages::{PruneEvents, ReadEvents, ReadNewestEvent};
use juscache::postgres_tier::messages::{Novelty, PostgresError, Stored};

use super::samples::{PATIENCE, Tier, cnj, copy, day, entry, movement, number, snapshot, soon};
use crate::support::fault_proxy::FaultProxy;
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

pub(super) async fn novelty(tier: &Tier, copy: &Arc<Entry>) -> Novelty {
    match tier.store(copy).await.unwrap() {
        Stored::Stored(novelty) => novelty,
        Stored::Outdated => panic!("a newer copy is stored"),
    }
}

pub(super) async fn events(tier: &Tier, after: u64, cnj: Option<Cnj>) -> Vec<Event> {
    tier.actor.ask(ReadEvents { after, cnj, most: 10_000 }, soon()).await.unwrap().unwrap()
}

async fn newest(tier: &Tier) -> u64 {
    tier.actor.ask(ReadNewestEvent, soon()).await.unwrap().unwrap()
}

/// "kind id", in order.
async fn told(tier: &Tier) -> Vec<String> {
    events(tier, 0, None).await.iter().map(|event| format!("{} {}", event.kind.as_str(), event.movement.id)).collect()
}

fn on(year: i32, movement: Movement) -> Movement {
    Movement { date: NaiveDate::from_ymd_opt(year, 6, 1), ..movement }
}

/// A copy from a provider.
fn copy_of(provider: Provider, fetched: i64, movements: Vec<Movement>) -> Arc<Entry> {
    let mut of = snapshot(cnj(), Version::new(Some(day(1)), day(fetched)), movements);
    of.provider = provider;
    Arc::new(Entry::new(of, day(fetched + 1)).unwrap())
}

fn named(id: &str, text: &str) -> Movement {
    Movement { id: MovementId::from_text(id.into()), ..movement(0, text) }
}

fn column(database: &TestDatabase<'_>, sql: &str) -> Vec<String> {
    Postgres::shared().rows(database.name(), sql).into_iter().flatten().flatten().collect()
}

/// Somebody looks a process up that has gone on for years: its three hundred movements are history, not news.
#[actix_web::test]
async fn a_first_sight_floods_nobody() {
    let database = Postgres::shared().database("first sight");
    let tier = Tier::on(&database.url).await;
    let history: Vec<Movement> = (1..=300).map(|id| movement(id, &format!("ato {id}"))).collect();
    // That the vendor did not know it before changes nothing.
    tier.store_absence(1, 2).await.unwrap();
    let said = novelty(&tier, &copy(1, 3, history.clone())).await;
    assert_eq!(said, Novelty { first_sight: true, events: 0, newest_event: None });
    assert_eq!((told(&tier).await.len(), newest(&tier).await), (0, 0));

    let again = novelty(&tier, &copy(1, 4, history.clone())).await;
    assert_eq!(again, Novelty::default(), "a second look without news");
    let one_more = [history, vec![movement(301, "Conclusos")]].concat();
    let heard = tier.bell.listen();
    let said = novelty(&tier, &copy(1, 5, one_more.clone())).await;
    assert_eq!(said, Novelty { first_sight: false, events: 1, newest_event: Some(1) });
    assert_eq!(*heard.borrow(), 1, "the bell says which");
    assert_eq!(novelty(&tier, &copy(1, 5, one_more)).await, Novelty::default(), "the same copy stored again");
    assert_eq!(told(&tier).await, ["new 301"]);
    assert_eq!(newest(&tier).await, 1);
}

/// An event says all that its readers need, and the movement as it was when it had gone.
#[actix_web::test]
async fn an_event_is_read_back_whole() {
    let database = Postgres::shared().database("whole");
    let tier = Tier::on(&database.url).await;
    let class = Classification { nome: "Despacho".into(), descricao: None, hierarquia: Some("A > B".into()) };
    let full =
        Movement { classification: Some(class), publication: Some("Ato".into()), ..movement(7, "á \"b\" \\ c") };
    novelty(&tier, &copy(1, 1, vec![])).await;
    novelty(&tier, &copy(1, 2, vec![full.clone()])).await;
    novelty(&tier, &copy(1, 3, vec![])).await;
    let heard = events(&tier, 0, None).await;
    for (event, (id, kind)) in heard.iter().zip([(1, EventKind::New), (2, EventKind::Removed)]) {
        assert_eq!((event.id, event.kind, event.cnj), (id, kind, cnj()));
        assert_eq!((&event.movement, event.provider, event.sealed), (&full, Provider::Escavador, false));
        assert_eq!(event.first_seen_at, day(2));
    }
    assert_eq!(heard.len(), 2);
}

/// A court enters in November what happened in March, and the vendor's ids of a later import are lower than those of an earlier one:
/// "later than the last" by day or by id would miss both.
#[actix_web::test]
async fn an_old_day_and_a_low_id_are_news_like_any_other() {
    let database = Postgres::shared().database("old days");
    let tier = Tier::on(&database.url).await;
    let known = || vec![on(2018, movement(853_881, "b")), on(2018, movement(853_879, "a"))];
    novelty(&tier, &copy(1, 1, known())).await;
    let late = [vec![on(2026, movement(12, "novo"))], known(), vec![on(2011, movement(849_990, "velho"))]].concat();
    novelty(&tier, &copy(1, 2, late.clone())).await;
    assert_eq!(told(&tier).await, ["new 849990", "new 12"], "the oldest first");
    let undated = Movement { date: None, ..movement(3, "sem data") };
    novelty(&tier, &copy(1, 3, [late, vec![undated]].concat())).await;
    assert_eq!(told(&tier).await.last().unwrap(), "new 3");
}

/// The vendor's documentation has the same certificate twice on one day, with two ids; where it gives no ids we make them.
#[actix_web::test]
async fn equal_texts_on_one_day_are_counted() {
    let database = Postgres::shared().database("equal texts");
    let tier = Tier::on(&database.url).await;
    let certificate = |id| movement(id, "CERTIDAO DE CARTORIO EXPEDIDA");
    novelty(&tier, &copy(1, 1, vec![certificate(853_877)])).await;
    novelty(&tier, &copy(1, 2, vec![certificate(853_879), certificate(853_877)])).await;
    assert_eq!(told(&tier).await, ["new 853879"]);
    novelty(&tier, &copy(1, 3, vec![certificate(853_879)])).await;
    assert_eq!(told(&tier).await.last().unwrap(), "removed 853877");

    let nameless = |count| {
        identify(vec![Unidentified { vendor_id: None, movement: Movement { date: None, ..movement(0, "x") } }; count])
    };
    let before = newest(&tier).await;
    for (fetched, count) in [(4, 0), (5, 2), (6, 3)] {
        novelty(&tier, &copy(1, fetched, nameless(count))).await;
    }
    let kinds: Vec<_> = events(&tier, before, None).await.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Removed, EventKind::New, EventKind::New, EventKind::New]);
}

/// A court takes a movement back, or the vendor loses it for a day: readers hear that it went and that it is back, and it stays the
/// movement that first came in March.
#[actix_web::test]
async fn what_vanishes_and_comes_back_is_told_both_times_and_is_new_once() {
    let database = Postgres::shared().database("vanishes");
    let tier = Tier::on(&database.url).await;
    let (one, two) = (movement(1, "a"), movement(2, "b"));
    novelty(&tier, &copy(1, 1, vec![one.clone()])).await;
    for fetched in [2, 4, 6] {
        novelty(&tier, &copy(1, fetched, vec![two.clone(), one.clone()])).await;
        novelty(&tier, &copy(1, fetched + 1, vec![one.clone()])).await;
    }
    assert_eq!(told(&tier).await, ["new 2", "removed 2", "changed 2", "removed 2", "changed 2", "removed 2"]);
    assert!(events(&tier, 0, None).await.iter().all(|event| event.first_seen_at == day(2)));
}

/// The vendor imports a court anew and numbers everything afresh, and once more, back to the old numbers: nobody hears anything, and
/// what first reached us when stays known.
#[actix_web::test]
async fn renumbering_is_no_news() {
    let database = Postgres::shared().database("renumbered");
    let tier = Tier::on(&database.url).await;
    let import =
        |base: i64, texts: &[&str]| (base..).zip(texts).map(|(id, text)| movement(id, text)).collect::<Vec<_>>();
    let texts = ["a", "b", "b", "c"];
    novelty(&tier, &copy(1, 1, import(100, &texts))).await;
    for (fetched, base) in [(2, 500), (3, 300), (4, 100)] {
        assert_eq!(novelty(&tier, &copy(1, fetched, import(base, &texts))).await, Novelty::default(), "to {base}");
        let sql = "SELECT movement_id || ' ' || extract(day FROM first_seen_at) FROM process_movements
                   WHERE removed_at IS NULL ORDER BY movement_id";
        let expected: Vec<String> = (base..base + 4).map(|id| format!("{id} 2")).collect();
        assert_eq!(column(&database, sql), expected);
    }
    let said = novelty(&tier, &copy(1, 5, import(700, &["a", "b", "b", "c", "d"]))).await;
    assert_eq!((said.events, told(&tier).await), (1, vec!["new 704".to_owned()]));
}

/// The vendor begins to tell its class, or corrects accents: the movement is the same. A corrected text is another one.
#[actix_web::test]
async fn a_change_is_what_the_court_changed() {
    let database = Postgres::shared().database("changed");
    let tier = Tier::on(&database.url).await;
    let class = Classification { nome: "x".into(), descricao: None, hierarquia: None };
    let versions = [
        movement(1, "Sentenca proferida"),
        Movement { classification: Some(class), category: Some("y".into()), ..movement(1, "Sentença  PROFERIDA") },
        movement(1, "Sentença proferida"),
        movement(1, "Sentença anulada"),
        Movement { kind: Some("PUBLICACAO".into()), ..movement(1, "Sentença anulada") },
    ];
    let mut told_by = Vec::new();
    for (fetched, version) in (1..).zip(versions) {
        told_by.push(novelty(&tier, &copy(1, fetched, vec![version])).await.events);
    }
    assert_eq!(told_by, [0, 0, 0, 1, 1]);
    assert_eq!(events(&tier, 0, None).await[0].movement.text, "Sentença anulada");
}

/// Rows from before this version do not know what their movements said: nothing is claimed, and the next store makes it known.
#[actix_web::test]
async fn rows_from_before_are_not_called_changed() {
    let database = Postgres::shared().database("from before");
    let tier = Tier::on(&database.url).await;
    novelty(&tier, &copy(1, 1, vec![movement(1, "a")])).await;
    Postgres::shared().execute(database.name(), "UPDATE process_movements SET identity = NULL");
    let fetched = "SELECT extract(day FROM fetched_from_api_at) FROM process_movements";
    let before = column(&database, fetched);
    assert_eq!(novelty(&tier, &copy(1, 2, vec![movement(1, "a")])).await.events, 0);
    assert_eq!(column(&database, fetched), before, "nothing new was fetched");
    assert_eq!(column(&database, "SELECT 1 FROM process_movements WHERE identity IS NULL").len(), 0);
    Postgres::shared().execute(database.name(), "UPDATE process_movements SET identity = '0-of another way'");
    assert_eq!(novelty(&tier, &copy(1, 3, vec![movement(1, "b")])).await.events, 0);
    assert_eq!(novelty(&tier, &copy(1, 4, vec![movement(1, "c")])).await.events, 1);
}

/// The free vendor stands in until the paid one answers: the two name every act differently, so the change of hands tells nothing. What
/// it adds to a paid copy is news when it comes and none when the paid vendor's next copy does without it.
#[actix_web::test]
async fn another_provider_is_like_a_first_sight() {
    let database = Postgres::shared().database("providers");
    let tier = Tier::on(&database.url).await;
    let (dj, paid) = (Provider::Datajud, Provider::Escavador);
    assert!(novelty(&tier, &copy_of(dj, 1, vec![named("dj1", "Distribuição")])).await.first_sight);
    assert_eq!(
        novelty(&tier, &copy_of(dj, 2, vec![named("dj2", "Conclusão"), named("dj1", "Distribuição")])).await.events,
        1
    );
    let taken_over = novelty(&tier, &copy_of(paid, 3, vec![movement(2, "b"), movement(1, "a")])).await;
    assert_eq!(taken_over, Novelty { first_sight: true, events: 0, newest_event: None });
    let left = column(&database, "SELECT movement_id FROM process_movements WHERE removed_at IS NULL ORDER BY 1");
    assert_eq!(left, ["1", "2"]);

    let bare = || vec![movement(2, "b"), movement(1, "a")];
    let filled = || [vec![named("dj9", "Juntada")], bare()].concat();
    let mut told_by = Vec::new();
    for (fetched, movements) in [(4, filled()), (5, bare()), (6, filled()), (7, bare())] {
        told_by.push(novelty(&tier, &copy_of(paid, fetched, movements)).await.events);
    }
    assert_eq!(told_by, [1, 0, 0, 0]);
    assert_eq!(told(&tier).await, ["new dj2", "new dj9"]);
}

/// A hundred refreshes of one process end at the same moment, each having seen one movement more than another.
#[actix_web::test]
async fn a_hundred_stores_of_one_process_at_once_tell_each_movement_once() {
    let database = Postgres::shared().database("hundred");
    let tier = Tier::on(&database.url).await;
    let up_to = |n: i64| copy(1, n, (0..=n).rev().map(|id| movement(id, &format!("ato {id}"))).collect());
    novelty(&tier, &up_to(0)).await;
    let mut copies: Vec<Arc<Entry>> = (1..=100).map(up_to).collect();
    // Neither rising nor falling: some come too late, some bring many at once.
    copies.sort_by_key(|copy| (copy.header().version.fetched_at.timestamp() / 86_400 * 37) % 101);
    let outcomes = join_all(copies.iter().map(|copy| tier.store(copy))).await;
    let brought: u32 = outcomes
        .into_iter()
        .map(|outcome| match outcome.unwrap() {
            Stored::Stored(novelty) => novelty.events,
            Stored::Outdated => 0,
        })
        .sum();
    assert_eq!(brought, 100);
    let heard = events(&tier, 0, None).await;
    let ids: Vec<u64> = heard.iter().map(|event| event.id).collect();
    assert!(ids.is_sorted() && heard.iter().all(|event| event.kind == EventKind::New));
    let movements: BTreeSet<i64> = heard.iter().map(|event| event.movement.id.as_str().parse().unwrap()).collect();
    assert_eq!((heard.len(), movements), (100, (1..=100).collect()));
    assert_eq!(newest(&tier).await, *ids.last().unwrap());
}

/// Two nodes see a process for the first time at the same moment, one a movement more than the other. There is no row to lock yet, and
/// still exactly one of them is first: the movement is history or news, never neither.
#[actix_web::test]
async fn of_two_first_sights_one_is_first() {
    let database = Postgres::shared().database("two first");
    let (here, there) = (Tier::on(&database.url).await, Tier::on(&database.url).await);
    let mut expected = Vec::new();
    for n in 0..15 {
        let of = |fetched, movements| entry(number(n), Version::new(Some(day(1)), day(fetched)), movements);
        let (less, more) = (of(1, vec![movement(1, "a")]), of(2, vec![movement(2, "b"), movement(1, "a")]));
        let (less, more) = futures_util::future::join(here.store(&less), there.store(&more)).await;
        let (less, more) = (less.unwrap(), more.unwrap());
        let first = [less, more]
            .iter()
            .filter(|said| matches!(said, Stored::Stored(Novelty { first_sight: true, .. })))
            .count();
        assert_eq!(first, 1, "process {n}: {less:?} {more:?}");
        if matches!(less, Stored::Stored(_)) {
            assert_eq!(
                more,
                Stored::Stored(Novelty { first_sight: false, events: 1, newest_event: Some(newest(&here).await) })
            );
            expected.push(number(n));
        }
    }
    let heard: Vec<Cnj> = events(&here, 0, None).await.iter().map(|event| event.cnj).collect();
    assert_eq!(heard, expected);
}

/// A subscriber asks again and again for what came after the last number it saw, while eight refreshes at a time store news of different
/// processes. Numbers from a sequence would become visible out of order, and it would step over some for ever.
#[actix_web::test]
async fn a_reader_who_follows_the_numbers_misses_none() {
    const WRITERS: u32 = 8;
    const ROUNDS: i64 = 25;
    let database = Postgres::shared().database("follows");
    let (tier, reader) = (Tier::on(&database.url).await, Tier::on(&database.url).await);
    // Commits that take their time, some longer than others: otherwise they overtake each other too seldom to be seen.
    let linger = "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
                      $$ BEGIN PERFORM pg_sleep(random() * 0.02); RETURN NULL; END $$;
                  CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON process_events DEFERRABLE INITIALLY DEFERRED
                  FOR EACH ROW EXECUTE FUNCTION linger()";
    Postgres::shared().execute(database.name(), linger);
    let numbers: Vec<Cnj> = (0..WRITERS).map(number).collect();
    let writer = async |cnj: Cnj| {
        for round in 0..=ROUNDS {
            let movements = (0..round * 2).rev().map(|id| movement(id, &format!("ato {id}"))).collect();
            novelty(&tier, &entry(cnj, Version::new(Some(day(1)), day(round)), movements)).await;
        }
    };
    let are_done = std::cell::Cell::new(false);
    let write = async {
        join_all(numbers.iter().map(|cnj| writer(*cnj))).await;
        are_done.set(true);
    };
    // Always at the edge, where numbers become visible.
    let follow = async {
        let mut seen: Vec<Event> = Vec::new();
        loop {
            let is_last = are_done.get();
            let page = events(&reader, seen.last().map_or(0, |event| event.id), None).await;
            if is_last && page.is_empty() {
                return seen;
            }
            seen.extend(page);
        }
    };
    let (seen, ()) = futures_util::future::join(follow, write).await;
    assert!(seen.is_sorted_by(|one, next| one.id < next.id));
    let stored: Vec<u64> =
        column(&database, "SELECT id FROM process_events ORDER BY id").iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(seen.iter().map(|event| event.id).collect::<Vec<_>>(), stored);

    let mut by_process: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in &seen {
        by_process.entry(event.cnj.masked()).or_default().push(event.id);
    }
    for cnj in numbers {
        let own: Vec<u64> = events(&reader, 0, Some(cnj)).await.iter().map(|event| event.id).collect();
        assert_eq!(by_process.get(&cnj.masked()), Some(&own));
        assert_eq!(i64::try_from(own.len()).unwrap(), ROUNDS * 2);
    }
}

/// The commit itself fails: the copy, the movements, the events and the counter are as before, and the next try tells everything.
#[actix_web::test]
async fn a_transaction_that_fails_leaves_no_event() {
    let database = Postgres::shared().database("fails");
    let tier = Tier::on(&database.url).await;
    novelty(&tier, &copy(1, 1, vec![movement(1, "a")])).await;
    let all = "SELECT (SELECT count(*) FROM process_events) || ' ' || (SELECT count(*) FROM process_movements) || ' '
                   || (SELECT last FROM process_event_counter) || ' ' || (SELECT last_api_sync FROM process_status_cache)";
    let before = column(&database, all);
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
                  CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON process_events DEFERRABLE INITIALLY DEFERRED
                  FOR EACH ROW EXECUTE FUNCTION refuse()";
    Postgres::shared().execute(database.name(), refuse);
    let heard = tier.bell.listen();
    let more = copy(1, 2, vec![movement(2, "b"), movement(1, "a")]);
    assert_eq!(tier.store(&more).await, Err(PostgresError::Refused));
    assert_eq!((column(&database, all), *heard.borrow()), (before, 0));
    Postgres::shared().execute(database.name(), "DROP TRIGGER refuse ON process_events");
    assert_eq!(novelty(&tier, &more).await.events, 1);
    assert_eq!(told(&tier).await, ["new 2"]);
}

/// A node freezes between its last statement and its commit, with the counter locked: the server throws it out before the others lose
/// their patience, and their news go on.
#[actix_web::test]
async fn a_node_that_freezes_before_its_commit_holds_nobody_up_for_long() {
    let database = Postgres::shared().database("freezes");
    let healthy = Tier::on(&database.url).await;
    let proxy = FaultProxy::start(Postgres::shared().port());
    let behind = database.url.replace(&Postgres::shared().port().to_string(), &proxy.addr().port().to_string());
    let frozen = Tier::with(PostgresSettings::new(behind.into()));
    frozen.learns(true).await;
    let of = |n, fetched, movements| entry(number(n), Version::new(Some(day(1)), day(fetched)), movements);
    for n in [0, 1] {
        novelty(&healthy, &of(n, 1, vec![])).await;
    }
    // The last statement of the one that is to freeze takes long enough to cut it off meanwhile.
    let dawdle = format!(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$;
         CREATE TRIGGER dawdle AFTER INSERT ON process_events FOR EACH ROW WHEN (NEW.cnj = '{}')
         EXECUTE FUNCTION dawdle()",
        number(0).masked()
    );
    Postgres::shared().execute(database.name(), &dawdle);
    let (late, other) = (of(0, 2, vec![movement(1, "a")]), of(1, 2, vec![movement(1, "b")]));
    let freezing = frozen.store(&late);
    let going_on = async {
        let sleeping = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        eventually(PATIENCE, "the last statement runs", async || !column(&database, sleeping).is_empty()).await;
        proxy.blackhole();
        novelty(&healthy, &other).await
    };
    let (cut_off, said) = futures_util::future::join(freezing, going_on).await;
    assert!(cut_off.is_err(), "{cut_off:?}");
    assert_eq!(said, Novelty { first_sight: false, events: 1, newest_event: Some(1) });
    let heard: Vec<Cnj> = events(&healthy, 0, None).await.iter().map(|event| event.cnj).collect();
    assert_eq!(heard, [number(1)]);
}

/// Paid for while PostgreSQL was away, stored when it is back: that is news at that moment, like any other.
#[actix_web::test]
async fn what_the_journal_kept_is_told_when_it_is_stored() {
    let database = Postgres::shared().database("journal news");
    let before = Tier::on(&database.url).await;
    novelty(&before, &copy(1, 1, vec![movement(1, "a")])).await;
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let bought = copy(1, 2, vec![movement(2, "b"), movement(1, "a")]);
    journal.keep(cnj(), bought.envelope().bytes().clone()).await.unwrap();
    let tier = Tier::over(PostgresSettings::new(database.url.clone().into()), journal, folder);
    let mut heard = tier.bell.listen();
    tokio::time::timeout(PATIENCE, heard.wait_for(|newest| *newest > 0)).await.unwrap().unwrap();
    assert_eq!(told(&tier).await, ["new 2"]);
}

/// A process comes under secrecy after it was told of: its earlier events are kept from those who may not see them as well.
#[actix_web::test]
async fn secrecy_reaches_back() {
    let database = Postgres::shared().database("secrecy");
    let tier = Tier::on(&database.url).await;
    novelty(&tier, &copy(1, 1, vec![])).await;
    novelty(&tier, &copy(1, 2, vec![movement(1, "a")])).await;
    assert!(!events(&tier, 0, None).await[0].sealed);
    let mut secret = snapshot(cnj(), Version::new(Some(day(1)), day(3)), vec![movement(1, "a")]);
    secret.cover.sealed = true;
    novelty(&tier, &Arc::new(Entry::new(secret, day(4)).unwrap())).await;
    assert!(events(&tier, 0, None).await[0].sealed);
}

/// A process is cleaned away and looked up again: what was told of it can still be read, and nothing is told twice.
#[actix_web::test]
async fn events_outlive_a_cleaned_process_and_are_not_repeated() {
    let database = Postgres::shared().database("outlive");
    let tier = Tier::on(&database.url).await;
    let whole = || vec![movement(2, "b"), movement(1, "a")];
    novelty(&tier, &copy(1, 1, vec![movement(1, "a")])).await;
    novelty(&tier, &copy(1, 2, whole())).await;
    Postgres::shared().execute(database.name(), "DELETE FROM process_status_cache");
    assert_eq!(told(&tier).await, ["new 2"]);
    assert!(novelty(&tier, &copy(1, 3, vec![movement(1, "a")])).await.first_sight);
    let said = novelty(&tier, &copy(1, 4, [vec![movement(3, "c")], whole()].concat())).await;
    assert_eq!((said.events, told(&tier).await), (1, vec!["new 2".to_owned(), "new 3".to_owned()]));
}

/// Old events go, a few at a time and the oldest first, and the numbers go on rising.
#[actix_web::test]
async fn old_events_are_pruned_in_batches() {
    let database = Postgres::shared().database("pruned");
    let tier = Tier::on(&database.url).await;
    novelty(&tier, &copy(1, 1, vec![])).await;
    novelty(&tier, &copy(1, 2, (1..=10).rev().map(|id| movement(id, &id.to_string())).collect())).await;
    Postgres::shared()
        .execute(database.name(), "UPDATE process_events SET recorded_at = now() - interval '31 days' WHERE id <= 7");
    let keep = Duration::from_secs(30 * 86_400);
    let mut gone = Vec::new();
    for _ in 0..4 {
        gone.push(tier.actor.ask(PruneEvents { keep, most: 3 }, soon()).await.unwrap().unwrap());
    }
    assert_eq!(gone, [3, 3, 1, 0]);
    assert_eq!(told(&tier).await, ["new 8", "new 9", "new 10"]);
    let all = PruneEvents { keep: Duration::ZERO, most: 100 };
    assert_eq!(tier.actor.ask(all, soon()).await.unwrap().unwrap(), 3);
    assert_eq!(newest(&tier).await, 10);
    novelty(&tier, &copy(1, 3, vec![])).await;
    assert_eq!(events(&tier, 0, None).await.first().map(|event| event.id), Some(11));
}

/// Somebody emptied the counter by hand: numbers go on after the highest that is there.
#[actix_web::test]
async fn a_lost_counter_is_found_again() {
    let database = Postgres::shared().database("counter");
    let tier = Tier::on(&database.url).await;
    novelty(&tier, &copy(1, 1, vec![])).await;
    novelty(&tier, &copy(1, 2, vec![movement(1, "a")])).await;
    Postgres::shared().execute(database.name(), "TRUNCATE process_event_counter");
    assert_eq!(novelty(&tier, &copy(1, 3, vec![movement(2, "b"), movement(1, "a")])).await.newest_event, Some(2));
}
