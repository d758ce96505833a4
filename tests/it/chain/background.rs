//! What nobody waits for: renewed past every copy, within an allowance, and without a stale copy in the vendor's place.

use std::time::Duration;

use juscache::ambient::{Clock, SystemClock};
use juscache::coordinator::messages::{Demand, Lookup, LookupError, Reach, Renewal, Served};
use juscache::domain::caller::Caller;
use juscache::domain::cnj::Cnj;
use juscache::fetcher::messages::Failure;
use juscache::resilience::{Allowance, Deadline};
use juscache::sandbox::{Endpoint, Fault, ProcessShape};
use juscache::scheduler::chain::Chain;
use juscache::scheduler::refresher::{RefreshFailure, Refreshed, Refresher};

use crate::support::house::{House, Plan, number};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn house(hint: &str) -> (House, TestDatabase<'static>) {
    let database = Postgres::shared().database(hint);
    (Plan::new(&database.url).build().await, database)
}

fn within(time: Duration) -> Deadline {
    Deadline::after(SystemClock.monotonic(), time)
}

async fn renew(house: &House, cnj: &str, allowance: &Allowance) -> Result<Served, LookupError> {
    let lookup = Lookup {
        cnj: Cnj::parse(cnj).expect("a number"),
        demand: Demand { reach: Reach::Revalidate, patient: true, ..Demand::default() },
        caller: Caller::Service,
        deadline: within(Duration::from_secs(60)),
        allowance: Some(allowance.clone()),
    };
    house.app.coordinators().lookup(lookup).await
}

#[actix_web::test]
async fn a_fresh_copy_is_asked_about_for_free_and_bought_only_if_there_is_news() {
    let (house, _database) = house("revalidate").await;
    let cnj = number();
    house.lookup(&cnj).await;
    let allowance = Allowance::of(10);
    let confirmed = renew(&house, &cnj, &allowance).await.expect("it is confirmed");
    assert_eq!((confirmed.renewal, confirmed.cost_centavos), (Some(Renewal::Confirmed), 0));
    assert_eq!((house.fetches(), allowance.drawn()), (1, 1), "the free status");

    house.vendor().add_movement(&cnj, house.now().date_naive(), "Juntada de petição").expect("it is known");
    house.vendor().verify(&cnj, house.now());
    let bought = renew(&house, &cnj, &allowance).await.expect("it is bought");
    assert!(matches!(bought.renewal, Some(Renewal::Bought(_))), "{:?}", bought.renewal);
    assert!(bought.cost_centavos > 0);
    assert_eq!((house.fetches(), allowance.drawn()), (2, 4), "status, cover, movements");
    assert_eq!(house.vendor().calls().len(), 2 + 4);
    house.close().await;
}

#[actix_web::test]
async fn without_an_allowance_for_all_of_it_nothing_is_bought() {
    let (house, _database) = house("allowance").await;
    let cnj = number();
    let chain = Chain::new(house.app.coordinators().clone(), SystemClock::shared());
    let number = Cnj::parse(&cnj).expect("a number");
    let one = Allowance::of(1);
    let refused = chain.refresh(number, one.clone(), within(Duration::from_secs(30))).await;
    let failure = Failure::BudgetExhausted;
    assert_eq!(refused.outcome, Err(RefreshFailure::Failed { failure, retry_after: None }));
    assert_eq!((one.drawn(), house.vendor().calls().len()), (0, 0), "a cover alone is money lost");

    let over = chain.refresh(number, Allowance::of(9), within(Duration::ZERO)).await;
    assert_eq!((over.outcome, house.vendor().calls().len()), (Err(RefreshFailure::NotYet), 0));
    let first = chain.refresh(number, Allowance::of(9), within(Duration::from_secs(30))).await;
    assert!(matches!(first.outcome, Ok(Refreshed::FirstSight | Refreshed::Unchanged)), "{first:?}");

    // Retries draw as well.
    house.vendor().reset_calls();
    house.vendor().set_fault(Fault::Reset, None, None);
    let two = Allowance::of(2);
    let failed = chain.refresh(number, two.clone(), within(Duration::from_secs(30))).await;
    assert!(failed.outcome.is_err());
    let sent = house.vendor().calls().len();
    assert_eq!(usize::try_from(two.drawn()).expect("small"), sent);
    assert!((1..=2).contains(&sent), "{sent}");
    house.close().await;
}

/// Readers are given a stale copy after the soft timeout; whoever has no reader waits for the end.
#[actix_web::test]
async fn a_slow_vendor_is_waited_for_and_a_failing_one_is_told_of() {
    let database = Postgres::shared().database("patient");
    let soft = |settings: &mut juscache::config::Settings| {
        settings.coordinator.patience.soft = Duration::from_millis(100);
    };
    let house = Plan::new(&database.url).with(soft).build().await;
    let cnj = number();
    house.lookup(&cnj).await;
    house.clock.advance(DAY + Duration::from_secs(60));
    house.vendor().set_latency(Duration::from_millis(600));
    let (renewed, reader) =
        futures_util::future::join(renew(&house, &cnj, &Allowance::of(9)), house.lookup(&cnj)).await;
    assert_eq!(renewed.expect("it ends well").renewal, Some(Renewal::Confirmed));
    assert_eq!((reader.stale(), reader.reason()), (Some(true), Some("upstream-timeout")));
    house.vendor().set_latency(Duration::ZERO);
    house.vendor().set_fault(Fault::NoCredit, None, None);
    let error = renew(&house, &cnj, &Allowance::of(9)).await.expect_err("a copy is held, and is no answer");
    assert!(matches!(error, LookupError::Upstream { failure: Failure::NoCredit, .. }), "{error:?}");
    house.close().await;
}

#[actix_web::test]
async fn a_reader_who_joins_lifts_the_limit() {
    let (house, _database) = house("lift").await;
    let cnj = number();
    house.vendor().set_process(&cnj, &ProcessShape { movements: Some(1200), ..ProcessShape::default() });
    let alone = Allowance::of(2);
    let error = renew(&house, &cnj, &alone).await.expect_err("a third request is needed");
    assert!(matches!(error, LookupError::Upstream { failure: Failure::BudgetExhausted, .. }), "{error:?}");
    assert_eq!((alone.drawn(), house.vendor().calls().len()), (2, 2));
    house.close().await;

    let (house, _database) = self::house("lifted").await;
    house.vendor().set_process(&cnj, &ProcessShape { movements: Some(1200), ..ProcessShape::default() });
    house.vendor().set_latency(Duration::from_millis(500));
    let shared = Allowance::of(2);
    let reader = async {
        eventually(Duration::from_secs(10), "the vendor is asked", async || house.fetches() == 1).await;
        house.lookup(&cnj).await
    };
    let (renewed, reader) = futures_util::future::join(renew(&house, &cnj, &shared), reader).await;
    assert_eq!((reader.status, reader.source()), (200, "api"), "{reader:?}");
    assert!(renewed.is_ok(), "{renewed:?}");
    assert_eq!(house.fetches(), 1);
    assert!(house.vendor().call_count(Endpoint::Movements) >= 2 && shared.drawn() <= 2, "{}", shared.drawn());
    house.close().await;
}

#[actix_web::test]
async fn reads_are_counted_whoever_answers_them_and_the_services_own_are_not() {
    let (house, _database) = house("reads").await;
    let cnj = number();
    for _ in 0..3 {
        assert_eq!(house.lookup(&cnj).await.status, 200);
    }
    let deep = house.get(&format!("/api/v1/process-movements/{cnj}/summary")).await;
    assert_eq!(deep.status, 200);
    renew(&house, &cnj, &Allowance::of(9)).await.expect("it is confirmed");
    let number = Cnj::parse(&cnj).expect("a number");
    assert_eq!(house.app.coordinators().reads().drain(), [(number, 4)]);
    assert_eq!(house.app.coordinators().reads().drain(), []);
    house.close().await;
}
