use std::sync::Mutex;
use std::time::Duration;

use chrono::TimeDelta;

use super::early::{Early, EarlyRefresh};
use super::near::NearCopies;
use super::*;
use crate::ambient::{Clock, Random, SharedRandom, SystemClock};
use crate::domain::entry::Entry;
use crate::domain::sample::process;

/// Always the same fraction.
#[derive(Debug)]
struct Fixed(f64);

impl Random for Fixed {
    fn fraction(&self) -> f64 {
        self.0
    }

    fn bits(&self) -> u128 {
        0
    }
}

#[derive(Default)]
struct Recorded(Mutex<Vec<(Cnj, DateTime<Utc>)>>);

impl EarlyRefresh for Recorded {
    fn wish(&self, cnj: Cnj, fresh_until: DateTime<Utc>) {
        self.0.lock().unwrap().push((cnj, fresh_until));
    }
}

/// A face without shards over one near copy.
fn face(random: SharedRandom, hook: Arc<dyn EarlyRefresh>, fresh_for: TimeDelta) -> (Coordinators, Cnj, DateTime<Utc>) {
    let near = Arc::new(NearCopies::new(1 << 24, Duration::from_secs(600)));
    let snapshot = process(60, 0);
    let (cnj, fresh_until) = (snapshot.cnj, SystemClock.now() + fresh_for);
    near.put(cnj, Arc::new(Entry::new(snapshot, fresh_until).unwrap()), SystemClock.monotonic());
    let shared = Shared { near, early: Arc::new(Early::new(random, hook)) };
    (Coordinators::new(shared, Vec::new(), SystemClock::shared()), cnj, fresh_until)
}

fn lookup(cnj: Cnj, caller: Caller) -> Lookup {
    let deadline = Deadline::after(SystemClock.monotonic(), Duration::from_secs(5));
    Lookup { cnj, demand: Demand::default(), caller, deadline, allowance: None }
}

/// One near hit of a reader, one lookup of a reader, one of the service.
async fn read_thrice(face: &Coordinators, cnj: Cnj) {
    assert!(face.near(&cnj, &Demand::default()).is_some_and(|answer| answer.is_ok()));
    face.lookup(lookup(cnj, Caller::Anonymous)).await.unwrap();
    face.lookup(lookup(cnj, Caller::Service)).await.unwrap();
}

#[actix_rt::test]
async fn readers_have_a_copy_that_is_about_to_expire_renewed_and_the_service_does_not() {
    let seconds = TimeDelta::seconds;
    for (fraction, fresh_for, wished) in [(0.9999, seconds(20), 2), (0.0, seconds(20), 0), (0.9999, seconds(90), 0)] {
        let recorded = Arc::new(Recorded::default());
        let (face, cnj, fresh_until) = face(Arc::new(Fixed(fraction)), Arc::<Recorded>::clone(&recorded), fresh_for);
        read_thrice(&face, cnj).await;
        assert_eq!(face.reads().drain(), [(cnj, 2)]);
        let wishes = recorded.0.lock().unwrap().clone();
        assert_eq!(wishes.len(), wished, "{fraction} {fresh_for}");
        // An envelope keeps microseconds.
        assert!(
            wishes.iter().all(|(of, until)| *of == cnj && (fresh_until - *until).abs() < TimeDelta::milliseconds(1))
        );
    }
}
