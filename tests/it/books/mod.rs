//! What the ledger says was spent, beside what the vendor took: equal to the centavo after everything that can go wrong has.
//!
//! - `readers`: who asks all the time. `dice`: chance with a seed. `scene`: the servers, and what breaks them.
//! - `audit`: both sides' figures, and what must be true of them.
#![expect(
    clippy::disallowed_methods,
    reason = "the run takes its time from the machine, and its readers are not of the service"
)]

mod audit;
pub(crate) mod dice;
mod readers;
mod scene;

use self::scene::{Course, run};

#[actix_web::test]
async fn one_service_through_every_fault() {
    run(Course { lookups: 2_000, rounds: 2, services: 1, kills: 2, has_caps: false }).await;
}

#[actix_web::test]
async fn two_services_with_a_folder_each_and_one_account() {
    run(Course { lookups: 1_000, rounds: 2, services: 2, kills: 2, has_caps: true }).await;
}

/// By hand: `cargo test --test it books::a_hundred_thousand -- --ignored --nocapture`. A quarter of an hour or so.
#[actix_web::test]
#[ignore = "takes a quarter of an hour"]
async fn a_hundred_thousand_lookups() {
    run(Course { lookups: 25_000, rounds: 4, services: 1, kills: 10, has_caps: false }).await;
}
