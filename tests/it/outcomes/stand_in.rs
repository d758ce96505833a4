//! DataJud in Escavador's place: where it cannot be asked and nothing of it is held, and only until it can.

use std::time::Duration;

use juscache::postgres_tier::ledger::messages::Caps;
use juscache::sandbox::{Endpoint, Fault, Outage};

use super::fixture::{DAY, Open, SOON, cost, plan, provider, total, word};
use crate::support::house::{Plan, numbers};
use crate::support::postgres::Postgres;
use crate::support::wait::eventually;

const HOUR: Duration = Duration::from_secs(3600);

fn searches(open: &Open) -> u64 {
    open.vendor().call_count(Endpoint::Search)
}

/// With Escavador failing in one way: a process without a copy is answered, a copy of Escavador's is not touched.
async fn stands_in(hint: &str, reason: &str, break_it: impl FnOnce(&Open), change: impl FnOnce(Plan) -> Plan) {
    let [copy, new] = [0, 1].map(|n| numbers(2).remove(n));
    // Bought in a life in which all was well.
    let before = Open::new(hint).await;
    let bought = before.lookup(&copy).await;
    assert_eq!(cost(&bought), 600);
    let Open { house, database } = before;
    house.close().await;

    let house = change(plan(&database).datajud()).build().await;
    let open = Open { house, database };
    open.clock.advance(DAY + Duration::from_secs(60));
    // Something is new, as far as the free route tells; that the copy is current it could say without credit, too.
    open.vendor().verify(&copy, open.now());
    break_it(&open);
    for _ in 0..3 {
        let stale = open.lookup(&copy).await;
        assert_eq!((stale.status, word(&stale), stale.source()), (200, reason, "database_fallback"), "{stale:?}");
        assert_eq!(provider(&stale), "escavador");
        assert_eq!(stale.body["movements"], bought.body["movements"]);
    }
    assert_eq!((open.stored_provider(&copy).as_str(), searches(&open)), ("escavador", 0));
    let instead = open.lookup(&new).await;
    assert_eq!((instead.status, word(&instead), cost(&instead)), (200, "fresh", 0), "{instead:?}");
    assert_eq!((provider(&instead), instead.source()), ("datajud", "api"));
    assert_eq!((open.stored_provider(&new).as_str(), searches(&open)), ("datajud", 1));
    assert_eq!(open.vendor().charged(), 0);
    open.close().await;
}

#[actix_web::test]
async fn without_credit() {
    stands_in("stand_credit", "credits-exhausted", |open| open.vendor().set_credits(0), |plan| plan).await;
}

#[actix_web::test]
async fn without_budget() {
    let cap = |plan: Plan| plan.with(|settings| settings.caps = Caps { day: Some(0), month: None });
    stands_in("stand_budget", "budget-exhausted", |_| {}, cap).await;
}

#[actix_web::test]
async fn while_it_is_down() {
    let down = |open: &Open| open.vendor().set_outage(Outage::ServiceUnavailable);
    stands_in("stand_down", "upstream-unavailable", down, |plan| plan).await;
}

#[actix_web::test]
async fn with_a_key_that_is_refused() {
    let refuse = |open: &Open| open.vendor().set_fault(Fault::Unauthorized, None, None);
    stands_in("stand_key", "upstream-unavailable", refuse, |plan| plan).await;
}

/// PostgreSQL is away, so that nobody knows of the paid copy; what DataJud says meanwhile waits in the journal.
#[actix_web::test]
async fn what_the_journal_brings_back_takes_no_paid_copys_place() {
    let postgres = Postgres::own();
    let database = postgres.database("stand_journal");
    let house = plan(&database).datajud().without_near().build().await;
    let cnj = numbers(1).remove(0);
    let bought = house.lookup(&cnj).await;
    assert_eq!(provider(&bought), "escavador");
    house.clock.advance(DAY + Duration::from_secs(60));
    house.vendor().verify(&cnj, house.now());
    house.vendor().set_credits(0);
    postgres.stop();
    eventually(SOON, "an answer of datajud's", async || provider(&house.lookup(&cnj).await) == "datajud").await;
    let pending = async || house.get("/health/ready").await.body["journal_pending"].as_u64();
    assert_eq!(pending().await, Some(1));

    postgres.start();
    eventually(SOON, "the journal is empty", async || pending().await == Some(0)).await;
    let stored = format!("SELECT provider FROM process_status_cache WHERE cnj = '{cnj}'");
    assert_eq!(postgres.rows(database.name(), &stored), [[Some("escavador".to_owned())]]);
    let stale = house.lookup(&cnj).await;
    assert_eq!((provider(&stale), word(&stale)), ("escavador", "credits-exhausted"), "{stale:?}");
    assert_eq!(stale.body["movements"], bought.body["movements"]);
    house.close().await;
}

#[actix_web::test]
async fn when_escavador_is_back_the_stand_in_is_replaced_after_its_shorter_time() {
    let open = Open::with("stand_replaced", |plan| plan.datajud()).await;
    let cnj = numbers(1).remove(0);
    open.vendor().set_credits(0);
    let instead = open.lookup(&cnj).await;
    assert_eq!(provider(&instead), "datajud");
    open.vendor().set_credits(1_000_000);
    eventually(SOON, "asking goes on", async || !open.is_held("no-credit").await).await;

    open.clock.advance(HOUR - Duration::from_secs(60));
    let still = open.lookup(&cnj).await;
    assert_eq!((provider(&still), word(&still), cost(&still)), ("datajud", "fresh", 0), "{still:?}");
    open.clock.advance(Duration::from_secs(120));
    let bought = open.lookup(&cnj).await;
    assert_eq!((provider(&bought), word(&bought), cost(&bought)), ("escavador", "fresh", 600), "{bought:?}");
    assert_eq!(open.stored_provider(&cnj), "escavador");
    assert_eq!(open.calls()[0], 0, "of a copy of datajud's the status says nothing");
    let ids = "SELECT count(*) FROM process_movements WHERE removed_at IS NULL AND movement_id LIKE 'dj%'";
    assert_eq!(open.text(ids), "0");
    let count = "SELECT count(*) FROM process_movements WHERE removed_at IS NULL";
    assert_eq!(open.text(count), total(&bought).to_string());
    // From here on it is an ordinary copy: a day, and confirmed for free.
    open.clock.advance(DAY - Duration::from_secs(60));
    assert_eq!(open.lookup(&cnj).await.source(), "memory");
    open.clock.advance(Duration::from_secs(120));
    assert_eq!((cost(&open.lookup(&cnj).await), open.calls()[0]), (0, 1));
    open.close().await;
}
