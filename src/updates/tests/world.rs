//! An invented vendor, an invented database, and nodes that share them; time is invented too, so that hours pass at once.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ambient::{Clock, SystemClock};
use crate::config::updates::UpdateSettings;
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::update::UpdateRecord;
use crate::fetcher::messages::{Failure, FetchError};
use crate::fetcher::update_messages::{UpdateRequested, UpdateState, UpdateStatus, VendorUpdate};
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::updates::messages::Saved;
use crate::resilience::Deadline;
use crate::updates::book::{Book, Unsaved};
use crate::updates::clerk::{Clerk, Surroundings};
use crate::updates::court::{Court, CourtError, Errand};
use crate::updates::messages::Standing;
use crate::updates::refresher::{RefreshError, Refreshed, Refresher};

pub(super) const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct InventedTime(AtomicI64);

impl Clock for InventedTime {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_268_800 + self.0.load(SeqCst), 0).unwrap()
    }

    fn monotonic(&self) -> Instant {
        SystemClock.monotonic()
    }
}

/// What the vendor does with a request.
#[derive(Clone)]
pub(super) enum Reception {
    /// Accepts it.
    Accepts,
    /// Accepts it, and the answer does not arrive.
    AcceptsUnheard,
    /// Says something else.
    Says(Result<UpdateRequested, CourtError>),
}

pub(super) struct Vendor {
    pub(super) shows: Option<VendorUpdate>,
    pub(super) fails: Option<Failure>,
    pub(super) reception: Reception,
}

pub(super) struct FakeCourt {
    pub(super) vendor: Mutex<Vendor>,
    pub(super) asked: AtomicU32,
    pub(super) looked: AtomicU32,
}

impl Court for FakeCourt {
    fn status(&self, _: Errand) -> BoxFuture<'_, Result<UpdateStatus, CourtError>> {
        self.looked.fetch_add(1, SeqCst);
        let vendor = self.vendor.lock().unwrap();
        let said = match vendor.fails {
            Some(failure) => Err(failed(failure)),
            None => Ok(UpdateStatus { verified_at: None, update: vendor.shows }),
        };
        async move {
            a_moment().await;
            said
        }
        .boxed()
    }

    fn request(&self, _: Errand) -> BoxFuture<'_, Result<UpdateRequested, CourtError>> {
        let id = i64::from(self.asked.fetch_add(1, SeqCst)) + 100;
        let mut vendor = self.vendor.lock().unwrap();
        let reception = vendor.reception.clone();
        let update = Some(VendorUpdate { id, state: UpdateState::Open, created_at: None, concluded_at: None });
        if matches!(reception, Reception::Accepts | Reception::AcceptsUnheard) {
            vendor.shows = update;
        }
        async move {
            a_moment().await;
            match reception {
                Reception::Accepts => Ok(UpdateRequested { update, busy: false, cost_centavos: 300 }),
                Reception::AcceptsUnheard => Err(failed(Failure::TimedOut)),
                Reception::Says(said) => said,
            }
        }
        .boxed()
    }
}

pub(super) fn failed(failure: Failure) -> CourtError {
    CourtError::Vendor(FetchError { failure, retry_after: None, cost_centavos: 0 })
}

#[derive(Default)]
pub(super) struct FakeRefresher {
    pub(super) fails: Mutex<Option<RefreshError>>,
    pub(super) renewed: Mutex<Vec<DateTime<Utc>>>,
}

impl Refresher for FakeRefresher {
    fn refresh(&self, _: Cnj, since: DateTime<Utc>, _: Deadline) -> BoxFuture<'_, Result<Refreshed, RefreshError>> {
        self.renewed.lock().unwrap().push(since);
        let fails = *self.fails.lock().unwrap();
        std::future::ready(fails.map_or(Ok(Refreshed { cost_centavos: 27 }), Err)).boxed()
    }
}

/// A database of one table, with the rule that the real one has.
pub(super) struct FakeBook {
    pub(super) rows: Mutex<HashMap<Cnj, UpdateRecord>>,
    pub(super) away: Mutex<bool>,
    pub(super) time: Arc<InventedTime>,
}

impl FakeBook {
    fn answer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut HashMap<Cnj, UpdateRecord>) -> T,
    ) -> BoxFuture<'_, Result<T, PostgresError>> {
        if *self.away.lock().unwrap() {
            return std::future::ready(Err(PostgresError::Away)).boxed();
        }
        let done = work(&mut self.rows.lock().unwrap());
        async move {
            a_moment().await;
            Ok(done)
        }
        .boxed()
    }

    pub(super) fn after(&self, wait: Duration) -> DateTime<Utc> {
        self.time.now() + TimeDelta::from_std(wait).unwrap()
    }
}

impl Book for FakeBook {
    fn save(&self, record: UpdateRecord, check_in: Option<Duration>) -> BoxFuture<'_, Result<Saved, PostgresError>> {
        assert_eq!(check_in.is_none(), record.stage.is_over());
        let record = UpdateRecord { next_check_at: check_in.map(|wait| self.after(wait)), ..record };
        self.answer(|rows| match rows.get(&record.cnj) {
            Some(stored) if !record.may_replace(stored) => Saved::Newer(Box::new(stored.clone())),
            _ => {
                rows.insert(record.cnj, record);
                Saved::Saved
            }
        })
    }

    fn read(&self, cnj: Cnj) -> BoxFuture<'_, Result<Option<UpdateRecord>, PostgresError>> {
        self.answer(|rows| rows.get(&cnj).cloned())
    }

    fn claim(&self, most: usize, lease: Duration) -> BoxFuture<'_, Result<Vec<UpdateRecord>, PostgresError>> {
        let (now, until) = (self.time.now(), self.after(lease));
        self.answer(|rows| {
            let due = rows.values_mut().filter(|row| row.next_check_at.is_some_and(|at| at <= now)).take(most);
            due.map(|row| {
                row.next_check_at = Some(until);
                row.clone()
            })
            .collect()
        })
    }
}

/// A vendor, a database, and nodes that share them.
pub(super) struct World {
    pub(super) settings: UpdateSettings,
    pub(super) time: Arc<InventedTime>,
    pub(super) court: Arc<FakeCourt>,
    pub(super) refresher: Arc<FakeRefresher>,
    pub(super) book: Arc<FakeBook>,
}

impl World {
    pub(super) fn new() -> Self {
        let time = Arc::new(InventedTime::default());
        let vendor = Vendor { shows: None, fails: None, reception: Reception::Accepts };
        let court = FakeCourt { vendor: Mutex::new(vendor), asked: AtomicU32::new(0), looked: AtomicU32::new(0) };
        let book = FakeBook { rows: Mutex::default(), away: Mutex::default(), time: Arc::clone(&time) };
        let (court, book) = (Arc::new(court), Arc::new(book));
        Self { settings: UpdateSettings::default(), time, court, refresher: Arc::default(), book }
    }

    pub(super) fn around(&self) -> Surroundings {
        Surroundings {
            court: self.court.clone(),
            refresher: self.refresher.clone(),
            book: self.book.clone(),
            unsaved: Unsaved::default(),
            clock: self.time.clone(),
        }
    }

    pub(super) fn node(&self) -> Rc<Clerk> {
        Rc::new(Clerk::new(self.settings, self.around()))
    }

    pub(super) fn shows(&self, id: i64, state: UpdateState) {
        let update = VendorUpdate { id, state, created_at: None, concluded_at: None };
        self.court.vendor.lock().unwrap().shows = Some(update);
    }

    pub(super) fn concludes(&self, state: UpdateState) {
        self.court.vendor.lock().unwrap().shows.as_mut().unwrap().state = state;
    }

    pub(super) fn receives(&self, reception: Reception) {
        self.court.vendor.lock().unwrap().reception = reception;
    }

    pub(super) fn vendor_fails(&self, failure: Option<Failure>) {
        self.court.vendor.lock().unwrap().fails = failure;
    }

    pub(super) fn postgres_is_away(&self, away: bool) {
        *self.book.away.lock().unwrap() = away;
    }

    pub(super) fn passes(&self, time: Duration) {
        self.time.0.fetch_add(i64::try_from(time.as_secs()).unwrap(), SeqCst);
    }

    /// Lets time pass, and a node look.
    pub(super) async fn later(&self, node: &Rc<Clerk>, by: Duration) {
        self.passes(by);
        node.look().await;
        settled(node).await;
    }

    pub(super) fn stored(&self) -> UpdateRecord {
        self.book.rows.lock().unwrap().get(&cnj()).unwrap().clone()
    }

    pub(super) fn asked(&self) -> u32 {
        self.court.asked.load(SeqCst)
    }

    pub(super) fn looked(&self) -> u32 {
        self.court.looked.load(SeqCst)
    }

    pub(super) fn renewed(&self) -> usize {
        self.refresher.renewed.lock().unwrap().len()
    }
}

pub(super) async fn settled(node: &Clerk) {
    until(|| !node.is_following()).await;
}

pub(super) async fn until(holds: impl Fn() -> bool) {
    let waits = async {
        while !holds() {
            a_moment().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waits).await.expect("it comes to an end");
}

/// What every answer takes. Not a mere yield: whoever joins a request would drive it on by asking.
pub(super) async fn a_moment() {
    tokio::time::sleep(Duration::from_micros(100)).await;
}

pub(super) fn cnj() -> Cnj {
    Cnj::parse("0000001-39.2024.8.26.0100").unwrap()
}

pub(super) async fn ask(node: &Rc<Clerk>) -> Standing {
    node.ask(cnj(), Caller::Anonymous).await.unwrap()
}

pub(super) async fn word(node: &Rc<Clerk>) -> &'static str {
    node.status(cnj(), Caller::Anonymous).await.unwrap().word()
}
