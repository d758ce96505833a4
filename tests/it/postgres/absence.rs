//! "No such process", remembered beside or instead of a copy.

use super::samples::{Tier, cnj, copy, day, movement};
use crate::support::postgres::Postgres;

fn status(database: &str) -> String {
    let rows = Postgres::shared().rows(database, "SELECT sync_status FROM process_status_cache");
    rows.into_iter().flatten().flatten().collect::<Vec<_>>().join(",")
}

#[actix_web::test]
async fn an_absence_is_remembered_and_a_later_one_replaces_it() {
    let database = Postgres::shared().database("absent");
    let tier = Tier::on(&database.url).await;
    for (since, until, expected) in [(3, 4, 4), (5, 6, 6), (1, 2, 6)] {
        tier.store_absence(since, until).await.unwrap();
        let stored = tier.read(cnj()).await.unwrap().unwrap();
        assert!(stored.envelope.is_none());
        assert_eq!(stored.absent_until, Some(day(expected)), "after the absence of day {since}");
    }
    assert_eq!(tier.read(cnj()).await.unwrap().unwrap().version.fetched_at, day(5));
    assert_eq!(status(database.name()), "absent");
}

#[actix_web::test]
async fn a_copy_ends_an_absence() {
    let database = Postgres::shared().database("discovered");
    let tier = Tier::on(&database.url).await;
    tier.store_absence(1, 2).await.unwrap();
    tier.store(&copy(1, 3, vec![movement(1, "x")])).await.unwrap();
    let stored = tier.read(cnj()).await.unwrap().unwrap();
    assert_eq!((stored.absent_until, stored.envelope.is_some()), (None, true));
    assert_eq!(status(database.name()), "success");
}

#[actix_web::test]
async fn an_absence_leaves_the_copy_where_it_is() {
    let database = Postgres::shared().database("kept");
    let tier = Tier::on(&database.url).await;
    let kept = copy(1, 1, vec![movement(1, "x")]);
    tier.store(&kept).await.unwrap();
    tier.store_absence(5, 6).await.unwrap();
    let stored = tier.read(cnj()).await.unwrap().unwrap();
    assert_eq!(stored.envelope.as_ref(), Some(kept.envelope().bytes()));
    assert_eq!((stored.absent_until, stored.version.fetched_at), (Some(day(6)), day(5)));
    let movements =
        Postgres::shared().rows(database.name(), "SELECT 1 FROM process_movements WHERE removed_at IS NULL");
    assert_eq!((movements.len(), status(database.name()).as_str()), (1, "absent"));

    // A slow fill that was fetched before the vendor said so is stored, and does not contradict it.
    tier.store(&copy(2, 4, vec![])).await.unwrap();
    assert_eq!(tier.read(cnj()).await.unwrap().unwrap().absent_until, Some(day(6)));
}

#[actix_web::test]
async fn an_absence_older_than_the_copy_is_a_thing_of_the_past() {
    let database = Postgres::shared().database("old absence");
    let tier = Tier::on(&database.url).await;
    tier.store(&copy(1, 5, vec![])).await.unwrap();
    tier.store_absence(4, 9).await.unwrap();
    assert_eq!(tier.read(cnj()).await.unwrap().unwrap().absent_until, None);
    assert_eq!(status(database.name()), "success");
}
