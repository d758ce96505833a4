//! Row: an entry in Redis or PostgreSQL is corrupt. It is noticed by its checksum, counted, and fetched again.

use std::time::Duration;

use crate::support::house::{Plan, number};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(10);

#[actix_web::test]
async fn in_redis_the_database_answers_and_the_entry_is_replaced() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("corrupt_redis"));
    let house = Plan::new(&database.url).redis(&redis).without_near().build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    let load = house.steady_requests(&cnj);
    let key = redis.copies().remove(0);
    let mut bytes = redis.get_raw(&key).expect("an entry");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    for (damaged, cause) in [(bytes.as_slice(), "corrupt"), (b"not an envelope", "not-an-envelope")] {
        redis.set_raw(&key, damaged);
        let noticed = format!("juscache_corrupt_copies_total{{tier=\"redis\",cause=\"{cause}\"}}");
        eventually(PATIENCE, "it is noticed", async || house.metrics().await.contains(&noticed)).await;
        eventually(PATIENCE, "it is whole again", async || house.lookup(&cnj).await.source() == "redis").await;
    }
    let report = load.stop().await;
    assert!(report.failures(Duration::ZERO..Duration::MAX).is_empty());
    let sources = report.sources(Duration::ZERO..Duration::MAX);
    assert!(sources.keys().all(|source| ["redis", "database"].contains(source)), "{sources:?}");
    assert_eq!(house.fetches(), 1);
    house.close().await;
}

#[actix_web::test]
async fn in_the_database_it_is_fetched_again_and_replaced() {
    let database = Postgres::shared().database("corrupt_database");
    let house = Plan::new(&database.url).without_near().build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    let load = house.steady_requests(&cnj);
    let damage = "UPDATE process_status_cache SET snapshot = set_byte(snapshot, 70, get_byte(snapshot, 70) # 1)";
    Postgres::shared().execute(database.name(), damage);
    let noticed = "juscache_corrupt_copies_total{tier=\"postgres\",cause=\"corrupt\"}";
    eventually(PATIENCE, "it is noticed", async || house.metrics().await.contains(noticed)).await;
    eventually(PATIENCE, "it is whole again", async || house.lookup(&cnj).await.source() == "database").await;
    let report = load.stop().await;
    assert!(report.failures(Duration::ZERO..Duration::MAX).is_empty());
    let sources = report.sources(Duration::ZERO..Duration::MAX);
    assert!(sources.keys().all(|source| ["database", "api"].contains(source)), "{sources:?}");
    assert_eq!(house.fetches(), 2, "fetched again once");
    house.close().await;
}
