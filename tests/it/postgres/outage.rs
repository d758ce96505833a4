//! A server that is killed, frozen or never there: one wait, then none, and back by itself.

use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection;
use juscache::config::postgres::PostgresSettings;
use juscache::postgres_tier::connect::Connector;
use juscache::postgres_tier::messages::{PostgresError, Stored};

use super::samples::{PATIENCE, Tier, cnj, copy, entry, movement, number};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

/// What "at once" may take on a machine that is building something else.
const AT_ONCE: Duration = Duration::from_millis(300);

fn up(tier: &Tier) -> bool {
    let text = tier.metrics.render();
    text.lines().any(|line| line == "juscache_tier_up{tier=\"postgres\"} 1")
}

async fn time<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    (work.await, started.elapsed())
}

async fn refuses_at_once(tier: &Tier) {
    for _ in 0..20 {
        let (said, took) = time(tier.read(cnj())).await;
        assert!(matches!(said, Err(PostgresError::Away)), "{said:?}");
        assert!(took < AT_ONCE, "being told that it is away took {took:?}");
    }
    let (said, took) = time(tier.store(&copy(9, 9, vec![]))).await;
    assert_eq!(said, Err(PostgresError::Away));
    assert!(took < AT_ONCE);
}

#[actix_web::test]
async fn a_killed_server_costs_one_failure_and_is_found_again_when_it_is_back() {
    let cluster = Postgres::own();
    let database = cluster.database("kill");
    let tier = Tier::on(&database.url).await;
    let kept = copy(1, 1, vec![movement(1, "x")]);
    // Fill the pool, so that there are dead connections to be handed out afterwards.
    tier.store(&kept).await.unwrap();
    let reads = futures_util::future::join_all((0..16).map(|_| tier.read(cnj()))).await;
    assert!(reads.iter().all(Result::is_ok) && up(&tier));

    for round in 0..3 {
        cluster.kill9();
        let (said, took) = time(tier.read(cnj())).await;
        assert!(matches!(said, Err(PostgresError::Disconnected | PostgresError::Away)), "{said:?}");
        assert!(took < Duration::from_secs(2), "a refused connection took {took:?}");
        refuses_at_once(&tier).await;
        assert!(!up(&tier));

        cluster.start();
        tier.learns(true).await;
        assert!(up(&tier));
        let reads = futures_util::future::join_all((0..16).map(|_| tier.read(cnj()))).await;
        for read in reads {
            let stored = read.unwrap_or_else(|error| panic!("round {round}: a reader got {error}"));
            assert_eq!(stored.unwrap().envelope.as_ref(), Some(kept.envelope().bytes()));
        }
    }
}

#[actix_web::test]
async fn connections_that_died_in_the_pool_are_nobodys_problem() {
    let cluster = Postgres::own();
    let database = cluster.database("restart");
    let tier = Tier::here(&database.url).await;
    tier.store(&copy(1, 1, vec![])).await.unwrap();
    for restart in [Postgres::stop, Postgres::kill9] {
        futures_util::future::join_all((0..16).map(|_| tier.read(cnj()))).await;
        // The arbiter does not run in between: every pooled connection still looks alive when it is taken.
        restart(&cluster);
        cluster.start();
        let reads = futures_util::future::join_all((0..16).map(|_| tier.read(cnj()))).await;
        assert!(reads.iter().all(Result::is_ok), "{reads:?}");
    }
}

#[actix_web::test]
async fn a_frozen_server_costs_one_timeout_and_then_nothing() {
    let cluster = Postgres::own();
    let database = cluster.database("freeze");
    let tier = Tier::on(&database.url).await;
    tier.store(&copy(1, 1, vec![])).await.unwrap();
    let reads = futures_util::future::join_all((0..16).map(|_| tier.read(cnj()))).await;
    assert!(reads.iter().all(Result::is_ok));

    cluster.pause();
    let timeout = PostgresSettings::new("".into()).read_timeout;
    let (said, took) = time(futures_util::future::join_all((0..40).map(|_| tier.read(cnj())))).await;
    assert!(said.iter().all(Result::is_err));
    assert!(took < timeout + Duration::from_millis(900), "forty readers at once waited {took:?}");
    refuses_at_once(&tier).await;

    cluster.resume();
    let (_, took) = time(tier.learns(true)).await;
    assert!(took < Duration::from_secs(4), "found again after {took:?}");
    let reads = futures_util::future::join_all((0..16).map(|_| tier.read(cnj()))).await;
    assert!(reads.iter().all(Result::is_ok), "{reads:?}");
}

#[actix_web::test]
async fn a_server_that_is_not_there_at_the_start_is_found_later() {
    let cluster = Postgres::own();
    let database = cluster.database("late");
    juscache::postgres_tier::migrations::apply(&database.url.clone().into()).await.unwrap();
    cluster.stop();
    let tier = Tier::with(PostgresSettings::new(database.url.clone().into()));
    tier.learns(false).await;
    refuses_at_once(&tier).await;
    cluster.start();
    tier.learns(true).await;
    assert!(matches!(tier.store(&copy(1, 1, vec![])).await, Ok(Stored::Stored(_))));
}

#[actix_web::test]
async fn an_idle_tier_notices_by_itself() {
    let cluster = Postgres::own();
    let database = cluster.database("idle");
    let tier = Tier::on(&database.url).await;
    tier.learns(true).await;
    cluster.kill9();
    tier.learns(false).await;
}

#[actix_web::test]
async fn an_address_that_is_none_is_a_server_that_is_away() {
    let tier = Tier::with(PostgresSettings::new("postgres://nobody@127.0.0.1:1/none?sslmode=maybe".into()));
    tier.learns(false).await;
    refuses_at_once(&tier).await;
}

#[actix_web::test]
async fn a_busy_pool_is_no_outage() {
    let cluster = Postgres::shared();
    let database = cluster.database("busy");
    juscache::postgres_tier::migrations::apply(&database.url.clone().into()).await.unwrap();
    let settings = PostgresSettings::new(database.url.clone().into());
    let tier = Tier::with(PostgresSettings { pool_size: 1, read_timeout: Duration::from_millis(200), ..settings });
    tier.learns(true).await;
    tier.store(&copy(1, 1, vec![])).await.unwrap();

    // Somebody holds the row, so the one connection waits in a store for as long as a store may take.
    let (mut holder, connection) = tokio_postgres::connect(&database.url, tokio_postgres::NoTls).await.unwrap();
    actix_web::rt::spawn(connection);
    let held = holder.transaction().await.unwrap();
    held.batch_execute("UPDATE process_status_cache SET sealed = false").await.unwrap();
    let later = copy(2, 2, vec![]);
    let store = tier.store(&later);
    let read = async {
        eventually(PATIENCE, "the store waits for the row", async || {
            let waiting =
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
            !cluster.rows(database.name(), waiting).is_empty()
        })
        .await;
        let said = tier.read(number(1)).await;
        held.rollback().await.unwrap();
        said
    };
    let (stored, read) = futures_util::future::join(store, read).await;
    assert_eq!(read.map(drop), Err(PostgresError::TimedOut));
    assert!(matches!(stored, Ok(Stored::Stored(_))), "{stored:?}");
    assert_eq!(tier.status.is_up(), Some(true));
    assert!(tier.read(number(1)).await.unwrap().is_none());
}

#[actix_web::test]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed_in_the_middle_of_writes() {
    let cluster = Postgres::own();
    let database = cluster.database("acknowledged");
    let tier = Tier::on(&database.url).await;
    let version = juscache::domain::version::Version::new(None, super::samples::day(1));
    let entries: Vec<_> =
        (0..200).map(|n| entry(number(n), version, vec![movement(1, "x"), movement(2, "y")])).collect();
    let stores = futures_util::future::join_all(entries.iter().map(|entry| tier.store(entry)));
    let killer = async {
        eventually(PATIENCE, "some are stored", async || {
            cluster.rows(database.name(), "SELECT 1 FROM process_status_cache").len() > 20
        })
        .await;
        cluster.kill9();
    };
    let (outcomes, ()) = futures_util::future::join(stores, killer).await;
    cluster.start();
    tier.learns(true).await;
    let acknowledged: Vec<_> =
        outcomes.iter().zip(0..).filter(|(said, _)| said.is_ok()).map(|(_, n)| number(n)).collect();
    assert!(acknowledged.len() > 20);
    for cnj in acknowledged {
        assert!(tier.read(cnj).await.unwrap().is_some(), "{} was acknowledged and is gone", cnj.masked());
    }
    let halves = "SELECT cnj FROM process_status_cache LEFT JOIN process_movements USING (cnj)
                  GROUP BY cnj HAVING count(movement_id) <> 2";
    assert!(cluster.rows(database.name(), halves).is_empty(), "a process was stored by half");
}

#[actix_web::test]
async fn a_node_that_freezes_in_the_middle_of_a_transaction_keeps_its_locks_for_a_moment_only() {
    let database = Postgres::shared().database("frozen");
    let tier = Tier::on(&database.url).await;
    tier.store(&copy(1, 1, vec![movement(1, "x")])).await.unwrap();
    let connector = Connector::new(database.url.clone().into(), PATIENCE, Duration::from_millis(300));
    let mut frozen = connector.connect().await.unwrap();
    frozen.batch_execute("BEGIN; SELECT FROM process_status_cache FOR UPDATE").await.unwrap();
    eventually(PATIENCE, "another node can store the process", async || {
        matches!(tier.store(&copy(2, 2, vec![movement(1, "x")])).await, Ok(Stored::Stored(_)))
    })
    .await;
}
