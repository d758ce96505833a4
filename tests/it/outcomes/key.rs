//! The key is refused: asked once, then slowly, with the free balance route only.

use std::time::Duration;

use juscache::sandbox::{Call, Endpoint, Fault};

use super::fixture::{Open, SOON, pauses, word};
use crate::support::house::numbers;
use crate::support::wait::eventually;

#[actix_web::test]
async fn one_request_then_none_with_growing_pauses_until_the_key_is_accepted() {
    let open = Open::with("key", |plan| {
        plan.with(|settings| {
            settings.fetcher.standing.unauthorized = pauses(Duration::from_secs(1), Duration::from_secs(300));
        })
    })
    .await;
    let numbers = numbers(30);
    open.vendor().set_fault(Fault::Unauthorized, None, None);
    for cnj in &numbers {
        let refused = open.lookup(cnj).await;
        assert_eq!((refused.status, word(&refused)), (503, "upstream-unavailable"), "{refused:?}");
    }
    assert_eq!(open.calls(), [0, 1, 0]);
    assert!(open.is_held("unauthorized").await);
    let (state, detail) = open.ready("upstream").await;
    assert!(state == "degraded" && detail.contains("ESCAVADOR_API_KEY"), "{state}: {detail}");

    let tried = || open.vendor().calls();
    eventually(SOON, "three trials", async || tried().len() >= 4).await;
    assert!(tried()[1..].iter().all(|call| call.endpoint == Endpoint::Credits), "trials that cost nothing");
    let since = |calls: &[Call], n: usize| (calls[n].at - calls[n - 1].at).num_milliseconds();
    let gaps: Vec<i64> = (1..4).map(|n| since(&tried(), n)).collect();
    // Half of the bound at the least: 0.5 s, 1 s, 2 s, and half a second in which it is noticed that it is time.
    assert!(gaps[0] >= 500 && gaps[1] >= 1_000 && gaps[2] >= 2_000, "{gaps:?}");
    assert!(gaps[0] <= gaps[2], "they grow: {gaps:?}");
    assert_eq!(open.calls(), [0, 1, 0]);

    open.vendor().clear_faults();
    eventually(SOON, "asking goes on", async || !open.is_held("unauthorized").await).await;
    assert_eq!(open.calls(), [0, 1, 0], "no reader had to try it out");
    assert_eq!(open.ready("upstream").await.0, "up");
    for cnj in &numbers[..3] {
        assert_eq!(word(&open.lookup(cnj).await), "fresh");
    }
    assert_eq!((open.booked().await, open.vendor().charged()), (1_800, 1_800));
    open.close().await;
}
