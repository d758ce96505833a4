//! `DATAJUD_USE`: complement, first, off.

use std::time::Duration;

use chrono::Days;
use juscache::config::datajud::DatajudUse;
use juscache::sandbox::{Endpoint, Outage};

use super::fixture::{DAY, Open, SOON, cost, provider, total, word};
use crate::support::house::{Answer, numbers};
use crate::support::wait::eventually;

async fn house(usage: DatajudUse) -> Open {
    Open::with(usage.as_str(), |plan| plan.datajud().with(|settings| settings.datajud.r#use = usage)).await
}

/// Movements that are DataJud's.
fn added(answer: &Answer) -> usize {
    let movements = answer.body["movements"].as_array().expect("a list");
    movements.iter().filter(|movement| movement["id"].as_str().is_some_and(|id| id.starts_with("dj"))).count()
}

#[actix_web::test]
async fn complement_adds_newer_movements_to_a_paid_copy_that_cannot_be_renewed() {
    let open = house(DatajudUse::Complement).await;
    let cnj = numbers(1).remove(0);
    let bought = open.lookup(&cnj).await;
    assert_eq!((provider(&bought), cost(&bought), added(&bought)), ("escavador", 600, 0));
    open.vendor().set_outage(Outage::ServiceUnavailable);
    open.clock.advance(DAY + Duration::from_secs(60));
    let stale = open.lookup(&cnj).await;
    assert_eq!((provider(&stale), word(&stale), added(&stale)), ("escavador", "upstream-unavailable", 0));

    let tomorrow = open.now().date_naive() + Days::new(1);
    open.vendor().add_movement(&cnj, tomorrow, "Julgado procedente o pedido");
    let whole = open.lookup(&cnj).await;
    assert_eq!((provider(&whole), cost(&whole), added(&whole)), ("escavador", 0, 1), "{whole:?}");
    assert_eq!((total(&whole), word(&whole)), (total(&bought) + 1, "fresh"));
    assert_eq!(whole.body["freshness"]["verified_at"], bought.body["freshness"]["verified_at"]);
    assert_eq!(open.stored_provider(&cnj), "escavador");
    assert_eq!(open.vendor().charged(), 600);

    open.vendor().set_outage(Outage::None);
    open.vendor().verify(&cnj, open.now());
    open.clock.advance(Duration::from_secs(3700));
    eventually(SOON, "bought again", async || cost(&open.lookup(&cnj).await) == 600).await;
    let renewed = open.lookup(&cnj).await;
    assert_eq!((added(&renewed), total(&renewed)), (0, total(&bought) + 1), "{renewed:?}");
    open.close().await;
}

#[actix_web::test]
async fn first_buys_only_what_datajud_does_not_know_and_for_who_insists() {
    let open = house(DatajudUse::First).await;
    let [known, hidden] = [0, 1].map(|n| numbers(2).remove(n));
    open.vendor().hide_from_datajud(&hidden, true);
    let free = open.lookup(&known).await;
    assert_eq!((provider(&free), cost(&free), open.fetches()), ("datajud", 0, 0));
    let bought = open.lookup(&hidden).await;
    assert_eq!((provider(&bought), cost(&bought), open.fetches()), ("escavador", 600, 1));
    let insisting = open.refresh(&known).await;
    assert_eq!((provider(&insisting), cost(&insisting), open.fetches()), ("escavador", 600, 2));
    // What was bought once is kept with Escavador.
    open.clock.advance(DAY + Duration::from_secs(60));
    let searched = open.vendor().call_count(Endpoint::Search);
    let confirmed = open.lookup(&known).await;
    assert_eq!((provider(&confirmed), cost(&confirmed)), ("escavador", 0));
    assert_eq!((open.vendor().call_count(Endpoint::Search), open.calls()[0]), (searched, 1));
    assert_eq!((open.booked().await, open.vendor().charged()), (1_200, 1_200));
    open.close().await;
}

#[actix_web::test]
async fn off_asks_it_never() {
    let open = house(DatajudUse::Off).await;
    open.vendor().set_credits(0);
    let refused = open.lookup(&numbers(1)[0]).await;
    assert_eq!((refused.status, refused.problem()), (503, "credits-exhausted"));
    assert_eq!(open.vendor().call_count(Endpoint::Search), 0);
    open.close().await;
}
