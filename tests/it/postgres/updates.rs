//! The stored update requests: only forward, each taken by one node, seen by nobody else.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use juscache::domain::cnj::Cnj;
use juscache::domain::update::{Stage, UpdateRecord};
use juscache::postgres_tier::messages::PostgresError;
use juscache::postgres_tier::updates::messages::{ClaimDue, ReadUpdate, SaveUpdate, Saved};

use super::samples::{Tier, cnj, day, number, soon};
use crate::support::postgres::{Postgres, TestDatabase};

const HOUR: Duration = Duration::from_secs(3600);

fn record(cnj: Cnj, stage: Stage) -> UpdateRecord {
    UpdateRecord {
        cnj,
        stage,
        vendor_id: Some(7),
        previous_id: Some(6),
        adopted: true,
        requested_at: day(1) + TimeDelta::microseconds(123_456),
        learned_at: Some(day(2)),
        concluded_at: Some(day(3)),
        next_check_at: None,
        checks: 4,
        refreshes: 2,
        cost_centavos: 327,
        client: "anonymous".to_owned(),
    }
}

async fn save(tier: &Tier, record: UpdateRecord, check_in: Option<Duration>) -> Result<Saved, PostgresError> {
    tier.actor.ask(SaveUpdate { record: Box::new(record), check_in }, soon()).await.unwrap()
}

async fn read(tier: &Tier, cnj: Cnj) -> Option<UpdateRecord> {
    tier.actor.ask(ReadUpdate { cnj }, soon()).await.unwrap().unwrap()
}

async fn claim(tier: &Tier, most: usize, lease: Duration) -> Vec<UpdateRecord> {
    tier.actor.ask(ClaimDue { most, lease }, soon()).await.unwrap().unwrap()
}

fn databases_now(database: &TestDatabase<'_>) -> DateTime<Utc> {
    let now = Postgres::shared().rows(database.name(), "SELECT to_char(now(), 'YYYY-MM-DD\"T\"HH24:MI:SS.USOF:00')");
    now[0][0].as_ref().unwrap().parse().unwrap()
}

#[actix_web::test]
async fn a_record_comes_back_as_it_was() {
    let database = Postgres::shared().database("updates round");
    let tier = Tier::on(&database.url).await;
    assert_eq!(read(&tier, cnj()).await, None);
    let over = record(cnj(), Stage::NotFound);
    assert_eq!(save(&tier, over.clone(), None).await, Ok(Saved::Saved));
    assert_eq!(read(&tier, cnj()).await, Some(over));

    let bare = UpdateRecord {
        vendor_id: None,
        previous_id: None,
        learned_at: None,
        concluded_at: None,
        ..record(number(1), Stage::Asked)
    };
    assert_eq!(save(&tier, bare.clone(), Some(HOUR)).await, Ok(Saved::Saved));
    let stored = read(&tier, number(1)).await.unwrap();
    // The database's clock, whatever the record says.
    let due_in = stored.next_check_at.unwrap() - databases_now(&database);
    assert!((3590..=3600).contains(&due_in.num_seconds()), "{due_in}");
    assert_eq!(UpdateRecord { next_check_at: None, ..stored }, bare);
}

/// Every pair of a stored record and one that is offered: PostgreSQL decides as `may_replace` does.
#[actix_web::test]
async fn a_newer_state_is_never_overwritten() {
    let database = Postgres::shared().database("updates forward");
    let tier = Tier::on(&database.url).await;
    let numbers = juscache::sandbox::demo_numbers(16 * 24, 7);
    let mut free = numbers.iter().map(|number| Cnj::parse(number).unwrap());
    let make = |cnj, stage: Stage, hours, checks| UpdateRecord {
        requested_at: day(1) + TimeDelta::hours(hours),
        checks,
        ..record(cnj, stage)
    };
    let check_in = |stage: Stage| (!stage.is_over()).then_some(HOUR);
    let (mut replaced, mut kept) = (0, 0);
    for stored_stage in Stage::ALL {
        let offers = Stage::ALL
            .into_iter()
            .flat_map(|stage| [(stage, 0, 1), (stage, 0, 2), (stage, 0, 3), (stage, 1, 0), (stage, -1, 9)]);
        for (stage, hours, checks) in offers {
            let cnj = free.next().unwrap();
            let stored = make(cnj, stored_stage, 0, 2);
            assert_eq!(save(&tier, stored.clone(), check_in(stored_stage)).await, Ok(Saved::Saved));
            let offered = make(cnj, stage, hours, checks);
            let said = save(&tier, offered.clone(), check_in(stage)).await.unwrap();
            let expected = if offered.may_replace(&stored) { &offered } else { &stored };
            let now = read(&tier, cnj).await.unwrap();
            assert_eq!(&UpdateRecord { next_check_at: None, ..now.clone() }, expected, "{stored_stage:?} {offered:?}");
            if offered.may_replace(&stored) {
                assert_eq!(said, Saved::Saved);
                replaced += 1;
            } else {
                assert_eq!(said, Saved::Newer(Box::new(now)));
                kept += 1;
            }
        }
    }
    assert!(replaced > 30 && kept > 200, "{replaced} {kept}");
}

#[actix_web::test]
async fn of_nodes_that_take_the_same_step_one_is_first() {
    let database = Postgres::shared().database("updates race");
    let tiers = join_all((0..4).map(|_| Tier::on(&database.url))).await;
    // Four nodes are asked for a process at the same moment, then see its end at the same moment.
    let asked = |n| UpdateRecord { requested_at: day(n), checks: 0, ..record(cnj(), Stage::Asked) };
    let begun = join_all(tiers.iter().zip(1..).map(|(tier, n)| save(tier, asked(n), Some(HOUR)))).await;
    assert_eq!(begun.iter().filter(|said| **said == Ok(Saved::Saved)).count(), 1, "{begun:?}");
    let stored = read(&tiers[0], cnj()).await.unwrap();
    let step = UpdateRecord { stage: Stage::Refreshing, checks: 1, ..stored };
    let taken = join_all(tiers.iter().map(|tier| save(tier, step.clone(), Some(HOUR)))).await;
    assert_eq!(taken.iter().filter(|said| **said == Ok(Saved::Saved)).count(), 1, "{taken:?}");
}

#[actix_web::test]
async fn what_is_due_is_taken_by_one_node_until_its_lease_ends() {
    let database = Postgres::shared().database("updates claim");
    let nodes = join_all((0..3).map(|_| Tier::on(&database.url))).await;
    for n in 0..30 {
        let check_in = if n < 20 { Duration::ZERO } else { HOUR };
        save(&nodes[0], record(number(n), Stage::Open), Some(check_in)).await.unwrap();
    }
    save(&nodes[0], record(number(30), Stage::Succeeded), None).await.unwrap();

    let rounds = (0..6).map(|n| claim(&nodes[n % 3], 5, HOUR));
    let taken: Vec<_> =
        join_all(rounds).await.into_iter().inspect(|taken| assert!(taken.len() <= 5)).flatten().collect();
    let mut numbers: Vec<_> = taken.iter().map(|record| record.cnj).collect();
    numbers.sort_unstable();
    let once = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), once, "taken twice");
    // Those that were being taken at that very moment are left for the next look.
    let rest = claim(&nodes[1], 100, HOUR).await;
    assert_eq!(once + rest.len(), 20);
    assert!(rest.iter().chain(&taken).all(|record| record.stage == Stage::Open && record.checks == 4));
    assert!(claim(&nodes[0], 100, HOUR).await.is_empty());

    // Their node dies. An hour later they are anybody's.
    let an_hour_passes = "UPDATE process_updates SET next_check_at = next_check_at - interval '1 hour'";
    Postgres::shared().execute(database.name(), an_hour_passes);
    assert_eq!(claim(&nodes[2], 100, HOUR).await.len(), 30);
}

#[actix_web::test]
async fn nobody_but_the_owner_reads_or_writes_it() {
    let database = Postgres::shared().database("updates rights");
    let tier = Tier::on(&database.url).await;
    save(&tier, record(cnj(), Stage::Open), Some(HOUR)).await.unwrap();
    let role = format!("role_{}", database.name());
    Postgres::shared().execute(database.name(), &format!("CREATE ROLE {role}"));
    for right in ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"] {
        let sql = format!("SELECT has_table_privilege('{role}', 'process_updates', '{right}')");
        assert_eq!(Postgres::shared().rows(database.name(), &sql), [[Some("f".to_owned())]], "{right}");
    }
    Postgres::shared().execute(database.name(), &format!("DROP ROLE {role}"));
}

#[actix_web::test]
async fn the_table_itself_refuses_what_cannot_be() {
    let database = Postgres::shared().database("updates checks");
    let tier = Tier::on(&database.url).await;
    // An end that would be looked at again, and the other way round.
    assert_eq!(save(&tier, record(cnj(), Stage::Failed), Some(HOUR)).await, Err(PostgresError::Refused));
    assert_eq!(save(&tier, record(cnj(), Stage::Open), None).await, Err(PostgresError::Refused));
    assert_eq!(read(&tier, cnj()).await, None);
}
