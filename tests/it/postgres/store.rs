//! Storing and reading back, and which of two versions stays.

use std::sync::Arc;

use juscache::domain::entry::Entry;
use juscache::domain::version::Version;
use juscache::postgres_tier::messages::{Store, Stored};

use super::samples::{Tier, cnj, copy, day, entry, movement, soon};
use crate::support::postgres::Postgres;

async fn served(tier: &Tier) -> Option<Version> {
    let stored = tier.read(cnj()).await.unwrap()?;
    let opened = juscache::domain::codec::Envelope::open(stored.envelope?).unwrap();
    assert_eq!(opened.header.version, stored.version);
    Some(opened.header.version)
}

#[actix_web::test]
async fn what_was_stored_is_read_back_bit_by_bit() {
    let database = Postgres::shared().database("round trip");
    let tier = Tier::on(&database.url).await;
    assert!(tier.read(cnj()).await.unwrap().is_none());

    let first: Arc<Entry> = copy(1, 2, vec![movement(1, "Distribuído por sorteio")]);
    assert!(matches!(tier.store(&first).await, Ok(Stored::Stored(_))));
    let stored = tier.read(cnj()).await.unwrap().unwrap();
    assert_eq!(stored.envelope.as_ref(), Some(first.envelope().bytes()));
    assert_eq!(stored.fresh_until, first.header().fresh_until);
    assert_eq!(stored.version, first.header().version);
    assert_eq!(stored.absent_until, None);
}

#[actix_web::test]
async fn a_process_without_movements_is_stored_too() {
    let database = Postgres::shared().database("empty");
    let tier = Tier::on(&database.url).await;
    tier.store(&copy(1, 1, vec![])).await.unwrap();
    assert!(tier.read(cnj()).await.unwrap().unwrap().envelope.is_some());
}

#[actix_web::test]
async fn versions_only_go_up() {
    let database = Postgres::shared().database("versions");
    let tier = Tier::on(&database.url).await;
    let text = |text: &str| vec![movement(1, text)];
    // (verified, fetched) of what is stored next, what becomes of it, and the version that is served afterwards.
    let steps = [
        ((5, 10), true, (5, 10)),
        ((5, 10), true, (5, 10)),
        ((4, 99), false, (5, 10)),
        ((5, 9), false, (5, 10)),
        ((5, 11), true, (5, 11)),
        ((6, 7), true, (6, 7)),
    ];
    for ((verified, fetched), is_stored, (kept_verified, kept_fetched)) in steps {
        let said = tier.store(&copy(verified, fetched, text(&format!("{verified}/{fetched}")))).await;
        assert_eq!(said.map(|said| matches!(said, Stored::Stored(_))), Ok(is_stored), "storing {verified}/{fetched}");
        let kept = Version::new(Some(day(kept_verified)), day(kept_fetched));
        assert_eq!(served(&tier).await, Some(kept), "after {verified}/{fetched}");
    }
    let contents = Postgres::shared().rows(database.name(), "SELECT content FROM process_movements");
    assert_eq!(contents, [[Some("6/7".to_owned())]], "an outdated store must not touch the movements either");

    let unverified = entry(cnj(), Version::new(None, day(50)), text("null"));
    assert_eq!(tier.store(&unverified).await, Ok(Stored::Outdated), "no vendor's clock is older than any");
}

#[actix_web::test]
async fn an_operators_update_of_the_freshness_takes_effect() {
    let database = Postgres::shared().database("operator");
    let tier = Tier::on(&database.url).await;
    tier.store(&copy(1, 1, vec![])).await.unwrap();
    Postgres::shared().execute(database.name(), "UPDATE process_status_cache SET cache_valid_until = '2020-01-01Z'");
    assert_eq!(tier.read(cnj()).await.unwrap().unwrap().fresh_until.to_rfc3339(), "2020-01-01T00:00:00+00:00");
}

#[actix_web::test]
async fn the_databases_freshness_may_differ_from_the_envelopes() {
    let database = Postgres::shared().database("freshness");
    let tier = Tier::on(&database.url).await;
    let store = Store { entry: copy(1, 1, vec![]), fresh_until: day(30) };
    tier.actor.ask(store, soon()).await.unwrap().unwrap();
    assert_eq!(tier.read(cnj()).await.unwrap().unwrap().fresh_until, day(30));
}

#[actix_web::test]
async fn a_hundred_stores_of_one_process_at_once_leave_the_newest() {
    let database = Postgres::shared().database("race");
    let tier = Tier::on(&database.url).await;
    let copies: Vec<_> =
        (0..100).map(|n| copy(1, n, vec![movement(n, "x"), movement(1_000, &n.to_string())])).collect();
    let outcomes = futures_util::future::join_all(copies.iter().rev().map(|copy| tier.store(copy))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(served(&tier).await, Some(Version::new(Some(day(1)), day(99))));
    let sql = "SELECT movement_id, content FROM process_movements WHERE removed_at IS NULL ORDER BY movement_id";
    let left: Vec<String> = Postgres::shared().rows(database.name(), sql).into_iter().flatten().flatten().collect();
    assert_eq!(left, ["1000", "99", "99", "x"]);
}
