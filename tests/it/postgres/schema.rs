//! The migrations, there and back, and the queries that people run by hand.

use juscache::postgres_tier::migrations;
use secrecy::SecretString;

use super::samples::{Tier, copy, movement};
use crate::support::postgres::{Postgres, TestDatabase};

/// The definitions of everything that migrations can make, in a fixed order; diesel's own table is left out.
fn catalog(database: &TestDatabase<'_>) -> Vec<String> {
    let sql = r"
        SELECT * FROM (
            SELECT format('column %s.%s %s null=%s default=%s storage=%s comment=%s', c.relname, a.attname,
                          format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
                          a.attstorage, col_description(c.oid, a.attnum)) AS line
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
            UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT format('policy %s %s %s %s %s', tablename, policyname, roles, cmd, qual)
            FROM pg_policies WHERE schemaname = 'public'
            UNION ALL SELECT format('table %s rls=%s comment=%s', relname, relrowsecurity, obj_description(oid))
            FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S')
            UNION ALL SELECT format('grant %s %s %s', table_name, grantee, privilege_type)
            FROM information_schema.table_privileges WHERE table_schema = 'public'
            UNION ALL SELECT format('function %s %s %s', pg_get_functiondef(p.oid), obj_description(p.oid),
                                    (SELECT string_agg(x.grantee::regrole::text || x.privilege_type, ',')
                                     FROM aclexplode(p.proacl) x))
            FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
            UNION ALL SELECT format('trigger %s', pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT format('type %s', typname) FROM pg_type
            WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
        ) AS everything WHERE line NOT LIKE '%diesel%' ORDER BY line";
    Postgres::shared().rows(database.name(), sql).into_iter().flatten().flatten().collect()
}

#[actix_web::test]
async fn every_migration_goes_down_to_where_it_came_from_and_up_again() {
    let database = Postgres::shared().database("up down up");
    let url = SecretString::from(database.url.clone());
    let all = migrations::pending(&url).await.unwrap();
    assert!(all.len() >= 3 && all.is_sorted(), "{all:?}");
    assert!(
        Postgres::shared().rows(database.name(), "SELECT 1 FROM pg_class WHERE relname LIKE '%diesel%'").is_empty()
    );

    let empty = catalog(&database);
    assert_eq!(migrations::apply(&url).await.unwrap(), all);
    let full = catalog(&database);
    assert!(full.len() > empty.len());
    assert!(migrations::apply(&url).await.unwrap().is_empty() && migrations::pending(&url).await.unwrap().is_empty());

    // From every step: down by one, up by one, and what is there is what was there.
    let mut steps = vec![full];
    while let Some(undone) = migrations::revert_last(&url).await.unwrap() {
        let before = steps.last().unwrap().clone();
        let after = catalog(&database);
        let pending = migrations::pending(&url).await.unwrap();
        assert_eq!(pending.first(), Some(&undone));
        migrations::apply(&url).await.unwrap();
        for _ in 1..pending.len() {
            migrations::revert_last(&url).await.unwrap();
        }
        assert_eq!(catalog(&database), before, "{undone}: down and up differs from up");
        migrations::revert_last(&url).await.unwrap();
        assert_eq!(catalog(&database), after, "{undone}: down, up, down differs from down");
        steps.push(after);
    }
    assert_eq!(steps.last(), Some(&empty));
}

#[actix_web::test]
async fn several_nodes_that_start_together_migrate_once() {
    let database = Postgres::shared().database("nodes");
    let url = SecretString::from(database.url.clone());
    let all = migrations::pending(&url).await.unwrap().len();
    let nodes = futures_util::future::join_all((0..6).map(|_| migrations::apply(&url))).await;
    let applied: usize = nodes.into_iter().map(|applied| applied.unwrap().len()).sum();
    assert_eq!(applied, all);
}

#[actix_web::test]
async fn the_two_queries_of_the_contract_run_as_they_are() {
    let database = Postgres::shared().database("contract");
    let tier = Tier::on(&database.url).await;
    tier.store(&copy(1, 1, vec![movement(1, "Conclusos para despacho"), movement(2, "Juntada de petição")]))
        .await
        .unwrap();
    let cluster = Postgres::shared();
    let processes = cluster.psql(
        database.name(),
        "SELECT cnj, sync_status, cache_valid_until, last_api_sync, total_movements FROM process_status_cache \
         ORDER BY last_api_sync DESC;",
    );
    assert!(processes.contains(&super::samples::cnj().masked()) && processes.contains("(1 row)"), "{processes}");
    let movements = cluster.psql(
        database.name(),
        "SELECT cnj, movement_type, fetched_from_api_at, COUNT(*) AS movements_count FROM process_movements
  GROUP BY cnj, movement_type, fetched_from_api_at ORDER BY fetched_from_api_at DESC;",
    );
    assert!(movements.contains("movements_count") && movements.contains(" row"), "{movements}");
}
