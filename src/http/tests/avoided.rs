//! Which lookups count as avoided, and thanks to whom.

use super::fixture::{DETAILED, House, SUMMARY, served};
use crate::coordinator::messages::{LookupError, Served};
use crate::domain::served::{Freshness, ServedFrom, StaleReason};
use crate::ledger::avoided::AvoidedBy;

/// What every counter says, in the order of [`AvoidedBy::ALL`].
fn counted(house: &House) -> [u64; 5] {
    AvoidedBy::ALL.map(|by| house.state.metrics.avoided(by).lookups.get())
}

#[actix_web::test]
async fn every_lookup_that_bought_nothing_is_counted_once() {
    use ServedFrom::{Api, Database, DatabaseFallback, Memory, Redis};
    let away = Freshness::Stale(Some(StaleReason::UpstreamUnavailable));
    for (from, freshness, collapsed, cost_centavos, expected) in [
        (Memory, Freshness::Fresh, false, 0, [1, 0, 0, 0, 0]),
        (Redis, Freshness::Fresh, false, 0, [0, 1, 0, 0, 0]),
        (Redis, Freshness::Fresh, true, 0, [0, 1, 0, 0, 0]),
        (Database, Freshness::Fresh, false, 0, [0, 0, 1, 0, 0]),
        (Api, Freshness::Fresh, true, 0, [0, 0, 0, 1, 0]),
        (Api, Freshness::Fresh, false, 0, [0, 0, 0, 0, 1]),
        // These bought, whether they opened the flight or joined it.
        (Api, Freshness::Fresh, false, 27, [0; 5]),
        (Api, Freshness::Fresh, true, 27, [0; 5]),
        // Nothing could be bought, or nothing was to be.
        (DatabaseFallback, away, false, 0, [0; 5]),
        (DatabaseFallback, away, true, 0, [0; 5]),
        (Memory, away, false, 0, [0; 5]),
        (Redis, Freshness::Stale(None), false, 0, [0; 5]),
    ] {
        let house = House::serving(Served { from, freshness, collapsed, cost_centavos, ..served() });
        house.get(DETAILED).await;
        assert_eq!(counted(&house), expected, "{from:?} {freshness:?} {collapsed} {cost_centavos}");
        house.get(SUMMARY).await;
        assert_eq!(counted(&house), expected.map(|once| 2 * once));
    }
}

#[actix_web::test]
async fn the_shortcut_counts_too_and_a_refusal_does_not() {
    let house = House::near(served());
    house.get(DETAILED).await;
    assert!(house.asked().is_empty(), "it was the shortcut");
    assert_eq!(counted(&house), [1, 0, 0, 0, 0]);
    let house = House::answering(|_| Err(LookupError::Unknown));
    house.get(DETAILED).await;
    assert_eq!(counted(&house), [0; 5]);
}
