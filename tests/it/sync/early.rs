//! What is read all the time is refreshed before it expires: real nodes, real readers.

use std::time::Duration;

use juscache::sandbox::Endpoint;

use crate::support::house::{House, Plan, close_all, number};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(60);

fn plan(database: &TestDatabase<'_>, daily_limit: u32) -> Plan {
    Plan::new(&database.url).with(|settings| {
        // No cycle falls into the test: what is refreshed is refreshed early.
        settings.sync.interval = Duration::from_secs(3600);
        settings.sync.daily_limit = daily_limit;
    })
}

/// One node bought it long ago, and it expires in so many seconds; the others have yet to read it.
async fn expires_in(database: &TestDatabase<'_>, buyer: &House, cnj: &str, seconds: u32) {
    assert_eq!(buyer.lookup(cnj).await.source(), "api");
    let age = format!(
        "UPDATE process_status_cache SET cache_valid_until = now() + interval '{seconds} s', last_api_sync = now() - interval '1 hour'"
    );
    Postgres::shared().execute(database.name(), &age);
}

fn count(database: &TestDatabase<'_>, condition: &str) -> usize {
    let rows = format!("SELECT 1 FROM process_status_cache WHERE {condition}");
    Postgres::shared().rows(database.name(), &rows).len()
}

#[actix_web::test]
async fn a_busy_process_is_refreshed_once_before_it_expires_and_no_reader_notices() {
    let database = Postgres::shared().database("sync_early");
    let houses = Plan::build_fleet(|| plan(&database, 50), 3).await;
    let cnj = number();
    expires_in(&database, &houses[0], &cnj, 20).await;
    let vendor = houses[0].vendor();
    let asked = (vendor.calls().len(), vendor.call_count(Endpoint::Status));
    let loads = [houses[1].steady_requests(&cnj), houses[2].steady_requests(&cnj)];
    let fresh = "cache_valid_until > now() + interval '1 hour'";
    eventually(Duration::from_secs(20), "refreshed before it expires", async || count(&database, fresh) == 1).await;
    // The node that did not refresh it finds the new copy when its own expires.
    let mark = loads[0].mark();
    eventually(SOON, "past the old expiry", async || loads[0].mark() > mark + Duration::from_secs(22)).await;
    for load in loads {
        let report = load.stop().await;
        assert!(report.samples.len() > 100, "{}", report.samples.len());
        for sample in &report.samples {
            assert_eq!((sample.status, sample.stale), (Some(200), Some(false)), "{sample:?}");
            assert!(matches!(sample.source.as_deref(), Some("memory" | "database")), "{sample:?}");
        }
    }
    assert_eq!(vendor.call_count(Endpoint::Status) - asked.1, 1, "once, by one of them");
    let sent = vendor.calls().len() - asked.0;
    let counted = format!("SELECT 1 FROM sync_days WHERE calls = {sent} AND refreshed + unchanged = 1");
    assert_eq!(Postgres::shared().rows(database.name(), &counted).len(), 1, "{sent} requests, counted for the day");
    let claim =
        "SELECT 1 FROM process_sync WHERE run IS NULL AND epoch IS NULL AND node IS NOT NULL AND claimed_until IS NULL";
    assert_eq!(Postgres::shared().rows(database.name(), claim).len(), 1);
    close_all(houses).await;
}

#[actix_web::test]
async fn without_a_daily_limit_to_spend_nothing_is_refreshed_early() {
    let database = Postgres::shared().database("sync_early_off");
    let houses = Plan::build_fleet(|| plan(&database, 0), 2).await;
    let cnj = number();
    expires_in(&database, &houses[0], &cnj, 8).await;
    let asked = houses[0].vendor().calls().len();
    let load = houses[1].steady_requests(&cnj);
    eventually(SOON, "almost expired", async || count(&database, "cache_valid_until < now() + interval '3 s'") == 1)
        .await;
    assert_eq!(houses[0].vendor().calls().len(), asked);
    // Then the readers themselves ask for it.
    eventually(SOON, "bought by a reader", async || houses[0].vendor().calls().len() > asked).await;
    load.stop().await;
    close_all(houses).await;
}
