//! The other commands, and how wrong usage is answered.

use std::time::Duration;

use crate::support::postgres::Postgres;
use crate::support::process::Juscache;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn every_mistake_in_the_configuration_is_told_at_once_and_nothing_starts() {
    let wrong =
        Juscache::new().env("JUSCACHE_DB_TTL", "soon").env("REDIS_URL", "localhost").env("DATABASE_URL", "file.db");
    let running = wrong.spawn();
    assert_eq!(running.wait_exit(PATIENCE).code(), Some(2));
    let told = running.stderr();
    for name in ["JUSCACHE_DB_TTL", "REDIS_URL", "DATABASE_URL"] {
        assert!(told.contains(name), "{told}");
    }
}

#[test]
fn an_address_that_others_reach_is_refused_while_nobody_checks_who_asks() {
    let open = Juscache::new().env("JUSCACHE_LISTEN", "0.0.0.0:0").spawn();
    assert_eq!(open.wait_exit(PATIENCE).code(), Some(2));
    assert!(open.stderr().contains("JUSCACHE_ALLOW_ANONYMOUS"), "{}", open.stderr());
}

#[test]
fn migrations_are_listed_then_applied_then_none_are_left() {
    let database = Postgres::shared().database("migrate");
    let migrate = |arguments: &[&str]| {
        let running = Juscache::new().args(arguments).env("DATABASE_URL", &database.url).spawn();
        assert_eq!(running.wait_exit(PATIENCE).code(), Some(0), "{}", running.stderr());
        running.stdout().lines().count()
    };
    let pending = migrate(&["migrate", "--check"]);
    assert!(pending > 0);
    assert_eq!(migrate(&["migrate"]), pending);
    assert_eq!(migrate(&["migrate", "--check"]), 0);
}

#[test]
fn check_tells_what_can_be_reached() {
    let database = Postgres::shared().database("check");
    let check = Juscache::new().args(&["check"]).env("DATABASE_URL", &database.url);
    let fine = check.spawn();
    assert_eq!(fine.wait_exit(PATIENCE).code(), Some(0), "{}", fine.stderr());
    assert!(fine.stdout().contains("postgresql: answers"), "{}", fine.stdout());
    let closed = Juscache::new().args(&["check"]).env("REDIS_URL", "redis://127.0.0.1:1").spawn();
    assert_eq!(closed.wait_exit(PATIENCE).code(), Some(1));
    assert!(closed.stdout().contains("redis: cannot be reached"), "{}", closed.stdout());
}

#[test]
fn wrong_usage_is_exit_code_2() {
    assert_eq!(Juscache::new().args(&["dance"]).spawn().wait_exit(PATIENCE).code(), Some(2));
    assert_eq!(Juscache::new().args(&["lookup", "123"]).spawn().wait_exit(PATIENCE).code(), Some(2));
}
