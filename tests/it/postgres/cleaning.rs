//! `clean_expired_process_cache`.

use juscache::domain::version::Version;

use super::samples::{Tier, entry, movement, number};
use crate::support::postgres::{Postgres, TestDatabase};

/// Three processes of two movements each, confirmed 1, 8 and 30 days ago, by the database's clock.
async fn three_processes() -> TestDatabase<'static> {
    let database = Postgres::shared().database("cleaning");
    let tier = Tier::on(&database.url).await;
    for (n, days) in [(0, 1), (1, 8), (2, 30)] {
        let fetched = chrono::DateTime::UNIX_EPOCH;
        tier.store(&entry(number(n), Version::new(None, fetched), vec![movement(1, "x"), movement(2, "y")]))
            .await
            .unwrap();
        let sql = format!(
            "UPDATE process_status_cache SET last_api_sync = now() - interval '{days} days' WHERE cnj = '{}'",
            number(n).masked()
        );
        Postgres::shared().execute(database.name(), &sql);
    }
    database
}

fn ask(database: &TestDatabase<'_>, sql: &str) -> String {
    let rows = Postgres::shared().rows(database.name(), sql);
    rows.into_iter().flatten().flatten().collect::<Vec<_>>().join(" ")
}

const LEFT: &str =
    "SELECT (SELECT count(*) FROM process_status_cache) || '+' || (SELECT count(*) FROM process_movements)";

#[actix_web::test]
async fn what_was_not_confirmed_for_the_retention_goes_with_its_movements() {
    let database = three_processes().await;
    let steps = [
        ("SELECT clean_expired_process_cache(interval '31 days')", "0", "3+6"),
        ("SELECT clean_expired_process_cache(interval '29 days')", "3", "2+4"),
        ("SELECT clean_expired_process_cache()", "3", "1+2"),
        ("SELECT clean_expired_process_cache()", "0", "1+2"),
    ];
    for (call, removed, left) in steps {
        assert_eq!((ask(&database, call).as_str(), ask(&database, LEFT).as_str()), (removed, left), "{call}");
    }
}

#[actix_web::test]
async fn a_retention_that_would_take_everything_is_refused() {
    let database = three_processes().await;
    for wrong in ["NULL", "interval '-1 day'"] {
        let guarded = format!(
            "DO $$ BEGIN PERFORM clean_expired_process_cache({wrong}); RAISE 'accepted';
             EXCEPTION WHEN invalid_parameter_value THEN NULL; END $$"
        );
        Postgres::shared().execute(database.name(), &guarded);
        assert_eq!(ask(&database, LEFT), "3+6");
    }
}
