//! What a role other than the service's own can see and do: the granted processes, and nothing.

use juscache::domain::version::Version;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::samples::{Tier, day, entry, movement, number};
use crate::support::postgres::{Postgres, TestDatabase};

/// Two processes, and a role of the test's own that may log in and nothing else.
struct Stranger {
    database: TestDatabase<'static>,
    role: String,
    session: Client,
}

impl Stranger {
    async fn new(hint: &str) -> Self {
        let database = Postgres::shared().database(hint);
        let tier = Tier::on(&database.url).await;
        for n in [0, 1] {
            tier.store(&entry(number(n), Version::new(None, day(1)), vec![movement(1, "x"), movement(2, "y")]))
                .await
                .unwrap();
        }
        let role = format!("role_{}", database.name());
        Postgres::shared().execute(database.name(), &format!("CREATE ROLE {role} LOGIN"));
        let url = database.url.replace("postgres@", &format!("{role}@"));
        let (session, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        actix_web::rt::spawn(connection);
        Self { database, role, session }
    }

    fn grant(&self, n: u32) {
        let sql = format!("INSERT INTO process_grants VALUES ('{}', '{}')", self.role, number(n).masked());
        Postgres::shared().execute(self.database.name(), &sql);
    }

    /// The first column of all rows.
    async fn sees(&self, sql: &str) -> Vec<String> {
        let messages = self.session.simple_query(sql).await.unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        rows.collect()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        // The role has no rights of its own, but the database must not mention it when it goes.
        let sql = format!("DROP OWNED BY {0}; DROP ROLE {0}", self.role);
        Postgres::shared().execute(self.database.name(), &sql);
    }
}

const EVERYWHERE: [&str; 6] = [
    "SELECT cnj FROM process_status_cache ORDER BY cnj",
    "SELECT DISTINCT cnj FROM process_movements ORDER BY cnj",
    "SELECT cnj FROM process_grants ORDER BY cnj",
    "SELECT m.cnj FROM process_movements m RIGHT JOIN process_status_cache s USING (cnj) GROUP BY 1 ORDER BY 1",
    "SELECT cnj FROM process_status_cache UNION SELECT cnj FROM process_movements ORDER BY cnj",
    "SELECT min(cnj) FROM process_movements WHERE content LIKE '%' GROUP BY cnj ORDER BY 1",
];

#[actix_web::test]
async fn a_second_role_sees_nothing_and_then_exactly_what_is_granted() {
    let stranger = Stranger::new("grants").await;
    for query in EVERYWHERE {
        assert!(stranger.sees(query).await.is_empty(), "{query}");
    }
    stranger.grant(1);
    for query in EVERYWHERE {
        assert_eq!(stranger.sees(query).await, [number(1).masked()], "{query}");
    }
    let movements = stranger.sees("SELECT count(*) FROM process_movements").await;
    assert_eq!(movements, ["2"]);
    Postgres::shared().execute(stranger.database.name(), "DELETE FROM process_grants");
    for query in EVERYWHERE {
        assert!(stranger.sees(query).await.is_empty(), "{query}, after the grant was taken back");
    }
}

#[actix_web::test]
async fn what_is_granted_to_one_role_is_hidden_from_another() {
    let (one, other) = (Stranger::new("one").await, Stranger::new("other").await);
    one.grant(0);
    let sql = format!("INSERT INTO process_grants VALUES ('{}', '{}')", one.role, number(0).masked());
    Postgres::shared().execute(other.database.name(), &sql);
    for query in EVERYWHERE {
        assert!(other.sees(query).await.is_empty(), "{query}");
        assert_eq!(one.sees(query).await, [number(0).masked()], "{query}");
    }
}

#[actix_web::test]
async fn a_second_role_writes_nothing_not_even_what_it_may_see() {
    let stranger = Stranger::new("writes").await;
    stranger.grant(0);
    let before =
        Postgres::shared().rows(stranger.database.name(), "SELECT * FROM process_status_cache, process_movements");
    let (role, granted, hidden) = (&stranger.role, number(0).masked(), number(1).masked());
    let attempts = [
        format!("INSERT INTO process_grants VALUES ('{role}', '{hidden}')"),
        format!("UPDATE process_grants SET cnj = '{hidden}'"),
        "DELETE FROM process_grants".to_owned(),
        format!("UPDATE process_status_cache SET sealed = true WHERE cnj = '{granted}'"),
        format!("DELETE FROM process_status_cache WHERE cnj = '{granted}'"),
        format!("DELETE FROM process_movements WHERE cnj = '{hidden}'"),
        "TRUNCATE process_movements".to_owned(),
        format!("INSERT INTO process_movements SELECT * FROM process_movements WHERE cnj = '{granted}'"),
        "SELECT cnj FROM process_status_cache FOR UPDATE".to_owned(),
        "SELECT clean_expired_process_cache(interval '0')".to_owned(),
        "SELECT id FROM process_events".to_owned(),
        "SELECT last FROM process_event_counter".to_owned(),
        "ALTER TABLE process_movements DISABLE ROW LEVEL SECURITY".to_owned(),
        "DROP POLICY granted_processes ON process_movements".to_owned(),
        "CREATE POLICY mine ON process_movements USING (true)".to_owned(),
        format!("GRANT postgres TO {role}"),
        "SET ROLE postgres".to_owned(),
        "SET row_security = off; SELECT cnj FROM process_movements".to_owned(),
    ];
    for attempt in attempts {
        let said = stranger.session.simple_query(&attempt).await;
        assert!(said.is_err(), "{attempt} was carried out");
        stranger.session.simple_query("ROLLBACK; RESET ALL").await.unwrap();
    }
    let after =
        Postgres::shared().rows(stranger.database.name(), "SELECT * FROM process_status_cache, process_movements");
    assert_eq!(after, before);
}

/// A cheap function of the stranger's own in the condition would be shown every row, if the policy did not come first.
#[actix_web::test]
async fn a_prying_function_is_shown_no_hidden_row() {
    let stranger = Stranger::new("prying").await;
    stranger.grant(0);
    let sql = "CREATE FUNCTION pg_temp.pry(text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS
               $$ BEGIN RAISE NOTICE '%', $1; PERFORM set_config('pried.cnj', coalesce(current_setting('pried.cnj', true), '') || $1 || ' ', false); RETURN true; END $$;
               SELECT count(*) FROM process_movements WHERE pg_temp.pry(cnj); SELECT count(*) FROM process_status_cache WHERE pg_temp.pry(cnj);
               SELECT count(*) FROM process_grants WHERE pg_temp.pry(cnj)";
    stranger.session.simple_query(sql).await.unwrap();
    let pried = stranger.sees("SELECT current_setting('pried.cnj')").await.concat();
    assert!(pried.contains(&number(0).masked()), "{pried}");
    assert!(!pried.contains(&number(1).masked()), "{pried}");
}
