//! A vendor that fails on one route only must not be paid for the others again and again.

use juscache::sandbox::{Endpoint, Fault, ProcessShape};

use super::fixture::{Open, word};
use crate::support::house::{number, numbers};

/// Covers are sold, movements are not: after a few of them it is an outage.
#[actix_web::test]
async fn an_outage_of_the_movements_alone_is_noticed() {
    let open = Open::new("half_outage").await;
    open.vendor().set_fault(Fault::Html500, Some(Endpoint::Movements), None);
    for cnj in numbers(60) {
        let refused = open.lookup(&cnj).await;
        assert_eq!((refused.status, word(&refused)), (503, "upstream-unavailable"), "{refused:?}");
    }
    let covers = open.fetches();
    assert!(covers <= 10, "{covers} covers were paid for nothing");
    assert_eq!(open.booked().await, open.vendor().charged());
    open.close().await;
}

/// A process that cannot be read costs each time that somebody asks for it, so it is not asked for at once again.
#[actix_web::test]
async fn a_process_whose_pages_do_not_end_is_not_bought_for_every_reader() {
    let open = Open::new("loop_again").await;
    let cnj = number();
    open.vendor().set_process(&cnj, &ProcessShape { movements: Some(600), ..Default::default() });
    open.vendor().set_fault(Fault::NextRepeatsCursor, Some(Endpoint::Movements), None);
    for _ in 0..20 {
        assert_eq!(open.lookup(&cnj).await.status, 503);
    }
    let charged = open.vendor().charged();
    assert!(charged <= 1_200, "{charged} centavos for nothing");
    open.close().await;
}
