//! Row: an entry in Redis or PostgreSQL is corrupt. It is noticed by its checksum, counted, and fetched again.

use crate::support::house::{Plan, number};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;

#[actix_web::test]
async fn in_redis_the_database_answers_and_the_entry_is_replaced() {
    let (redis, database) = (Redis::start(), Postgres::shared().database("corrupt_redis"));
    let house = Plan::new(&database.url).redis(&redis).without_near().build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    let key = redis.keys().remove(0);
    let mut bytes = redis.get_raw(&key).expect("an entry");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    for damaged in [bytes.as_slice(), b"not an envelope", b""] {
        redis.set_raw(&key, damaged);
        let answer = house.lookup(&cnj).await;
        assert_eq!((answer.status, answer.source()), (200, "database"), "{answer:?}");
        assert_eq!(house.lookup(&cnj).await.source(), "redis", "the entry is whole again");
    }
    assert_eq!(house.fetches(), 1);
    assert!(house.metrics().await.contains("juscache_corrupt_copies_total{tier=\"redis\",cause=\"corrupt\"} 1"));
    house.close().await;
}

#[actix_web::test]
async fn in_the_database_it_is_fetched_again_and_replaced() {
    let database = Postgres::shared().database("corrupt_database");
    let house = Plan::new(&database.url).without_near().build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    let damage = "UPDATE process_status_cache SET snapshot = set_byte(snapshot, 70, get_byte(snapshot, 70) # 1)";
    Postgres::shared().execute(database.name(), damage);
    let answer = house.lookup(&cnj).await;
    assert_eq!((answer.status, answer.source(), house.fetches()), (200, "api", 2), "{answer:?}");
    assert_eq!(house.lookup(&cnj).await.source(), "database");
    assert!(house.metrics().await.contains("juscache_corrupt_copies_total{tier=\"postgres\",cause=\"corrupt\"} 1"));
    house.close().await;
}
