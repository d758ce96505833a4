//! The rows themselves: what is kept, and for how long.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use juscache::callbacks::event::Malformed;
use juscache::callbacks::{Receipt, Via};
use juscache::domain::callback::CallbackState;
use juscache::postgres_tier::callbacks::messages::{
    ClaimCallbacks, MOST_MALFORMED, PruneCallbacks, SettleCallback, Settlement,
};

use super::fixture::{Node, count, monitor_found, new_movement, rows};
use crate::postgres::samples::{cnj, number, soon};
use crate::support::postgres::Postgres;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[actix_web::test]
async fn what_cannot_be_read_is_kept_and_bounded() {
    let postgres = Postgres::shared();
    let database = postgres.database("callbacks_malformed");
    let node = Node::on(&database.url).await;
    let large = Bytes::from(vec![b'x'; 1_000_000]);
    let taken = node.intake.take(large, Via::Delivery).await;
    assert_eq!(taken, Ok(Receipt::Malformed(Malformed::NotJson)));
    let sizes = postgres.rows(database.name(), "SELECT octet_length(body), body_bytes FROM vendor_callbacks");
    assert_eq!(sizes, [[Some("65536".to_owned()), Some("1000000".to_owned())]]);

    // The same twice is one row, and still refused.
    for _ in 0..2 {
        let taken = node.intake.take(Bytes::from_static(b"[]"), Via::Delivery).await;
        assert_eq!(taken, Ok(Receipt::Malformed(Malformed::NoObject)));
    }
    assert_eq!(rows(postgres, database.name()), ["malformed not-json 1 0", "malformed no-object 2 0"]);

    let fill = format!(
        "INSERT INTO vendor_callbacks (content_hash, event, state, body, body_bytes)
         SELECT sha256(n::text::bytea), '', 'malformed', '', 0 FROM generate_series(1, {MOST_MALFORMED}) AS n"
    );
    postgres.execute(database.name(), &fill);
    node.intake.take(Bytes::from_static(b"{}"), Via::Delivery).await.unwrap();
    assert_eq!(count(postgres, database.name(), "malformed"), usize::try_from(MOST_MALFORMED).unwrap());
    let report = node.intake.report(Some(CallbackState::Malformed), 1).await.unwrap();
    assert_eq!(report.callbacks[0].body.as_deref(), Some(b"{}".as_ref()), "the newest stays");
    assert_eq!(node.take(&new_movement(&cnj().masked(), 1, "a")).await, Ok(Receipt::Accepted), "nothing is broken");
    let report = node.intake.report(Some(CallbackState::Received), 10).await.unwrap();
    assert_eq!((report.waiting, report.callbacks.len(), &report.callbacks[0].body), (1, 1, &None));
}

/// An upgrade may understand what an older version refused.
#[actix_web::test]
async fn what_can_be_read_by_now_is_taken_up() {
    let postgres = Postgres::shared();
    let database = postgres.database("callbacks_upgrade");
    let node = Node::on(&database.url).await;
    node.take(&monitor_found(&cnj().masked(), "a")).await.unwrap();
    let malformed =
        "UPDATE vendor_callbacks SET state = 'malformed', outcome = 'no-number', next_attempt_at = NULL, body = ''";
    postgres.execute(database.name(), malformed);
    node.take(&monitor_found(&cnj().masked(), "b")).await.unwrap();
    assert_eq!(rows(postgres, database.name()), ["received 2 0"]);
    let claimed = node.tier.actor.ask(ClaimCallbacks { most: 9, lease: HOUR }, soon()).await.unwrap().unwrap();
    assert!(!claimed[0].body.is_empty());
}

#[actix_web::test]
async fn of_many_takers_each_callback_has_one_and_only_he_settles_it() {
    let postgres = Postgres::shared();
    let database = postgres.database("callbacks_claims");
    let node = Node::on(&database.url).await;
    for n in 0..20 {
        node.take(&new_movement(&number(0).masked(), n, "a")).await.unwrap();
    }
    let claims = join_all((0..10).map(|_| node.tier.actor.ask(ClaimCallbacks { most: 3, lease: HOUR }, soon()))).await;
    let mut taken: Vec<i64> = claims.into_iter().flat_map(|claim| claim.unwrap().unwrap()).map(|one| one.id).collect();
    taken.sort_unstable();
    let unique = {
        let mut unique = taken.clone();
        unique.dedup();
        unique
    };
    assert_eq!(taken, unique, "nobody shares one");

    let settle = |attempts, settlement| {
        let settle = SettleCallback { id: taken[0], attempts, settlement, outcome: "added" };
        let actor = node.tier.actor.clone();
        async move { actor.ask(settle, soon()).await.unwrap().unwrap() }
    };
    assert!(!settle(2, Settlement::Over(CallbackState::Done)).await, "a lease of another time");
    assert!(settle(1, Settlement::Again(HOUR)).await);
    assert!(settle(1, Settlement::Over(CallbackState::Done)).await);
    assert!(!settle(1, Settlement::Again(HOUR)).await, "what is over stays over");
    assert_eq!(count(postgres, database.name(), "done added"), 1);
}

#[actix_web::test]
async fn what_is_over_is_forgotten_in_its_time_and_in_batches() {
    let postgres = Postgres::shared();
    let database = postgres.database("callbacks_prune");
    let node = Node::on(&database.url).await;
    let fill = "INSERT INTO vendor_callbacks (content_hash, event, state, body, body_bytes, last_received_at, next_attempt_at)
        SELECT sha256((state || age)::bytea), '', state, '', 0, now() - age * interval '1 day',
               CASE WHEN state = 'received' THEN now() END
        FROM unnest(ARRAY['received', 'done', 'ignored', 'malformed', 'failed']) AS state, unnest(ARRAY[1, 31, 91]) AS age";
    postgres.execute(database.name(), fill);
    let prune = PruneCallbacks { keep: DAY * 30, keep_failed: DAY * 90, most: 3 };
    let mut gone = Vec::new();
    for _ in 0..3 {
        gone.push(node.tier.actor.ask(prune.clone(), soon()).await.unwrap().unwrap());
    }
    assert_eq!(gone, [3, 2, 0]);
    let left =
        ["received", "done", "ignored", "malformed", "failed"].map(|state| count(postgres, database.name(), state));
    assert_eq!(left, [3, 1, 1, 3, 2]);
}
