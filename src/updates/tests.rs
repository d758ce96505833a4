//! Whole requests over an invented vendor, with invented time: nothing here waits for anything.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::Actor;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use std::rc::Rc;

use super::book::{Book, Unsaved};
use super::clerk::{Clerk, Surroundings};
use super::court::{Court, CourtError, Errand};
use super::messages::{Standing, UpdateError};
use super::refresher::{RefreshError, Refreshed, Refresher};
use super::{CourtUpdates, Updates};
use crate::ambient::{Clock, SystemClock};
use crate::config::updates::UpdateSettings;
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::update::{Stage, UpdateRecord};
use crate::fetcher::messages::{Failure, FetchError};
use crate::fetcher::update_messages::{UpdateRequested, UpdateState, UpdateStatus, VendorUpdate};
use crate::postgres_tier::messages::PostgresError;
use crate::postgres_tier::updates::messages::Saved;
use crate::resilience::Deadline;
use crate::supervision::ActorRef;

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct InventedTime(AtomicI64);

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
enum Reception {
    /// Accepts it.
    Accepts,
    /// Accepts it, and the answer does not arrive.
    AcceptsUnheard,
    /// Says something else.
    Says(Result<UpdateRequested, CourtError>),
}

struct Vendor {
    shows: Option<VendorUpdate>,
    fails: Option<Failure>,
    reception: Reception,
}

struct FakeCourt {
    vendor: Mutex<Vendor>,
    asked: AtomicU32,
    looked: AtomicU32,
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
            tokio::task::yield_now().await;
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
            tokio::task::yield_now().await;
            match reception {
                Reception::Accepts => Ok(UpdateRequested { update, busy: false, cost_centavos: 300 }),
                Reception::AcceptsUnheard => Err(failed(Failure::TimedOut)),
                Reception::Says(said) => said,
            }
        }
        .boxed()
    }
}

fn failed(failure: Failure) -> CourtError {
    CourtError::Vendor(FetchError { failure, retry_after: None, cost_centavos: 0 })
}

#[derive(Default)]
struct FakeRefresher {
    fails: Mutex<Option<RefreshError>>,
    renewed: Mutex<Vec<DateTime<Utc>>>,
}

impl Refresher for FakeRefresher {
    fn refresh(&self, _: Cnj, since: DateTime<Utc>, _: Deadline) -> BoxFuture<'_, Result<Refreshed, RefreshError>> {
        self.renewed.lock().unwrap().push(since);
        let fails = *self.fails.lock().unwrap();
        std::future::ready(fails.map_or(Ok(Refreshed { cost_centavos: 27 }), Err)).boxed()
    }
}

/// A database of one table, with the rule that the real one has.
struct FakeBook {
    rows: Mutex<HashMap<Cnj, UpdateRecord>>,
    away: Mutex<bool>,
    time: Arc<InventedTime>,
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
            tokio::task::yield_now().await;
            Ok(done)
        }
        .boxed()
    }

    fn after(&self, wait: Duration) -> DateTime<Utc> {
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
struct World {
    settings: UpdateSettings,
    time: Arc<InventedTime>,
    court: Arc<FakeCourt>,
    refresher: Arc<FakeRefresher>,
    book: Arc<FakeBook>,
}

impl World {
    fn new() -> Self {
        let time = Arc::new(InventedTime::default());
        let vendor = Vendor { shows: None, fails: None, reception: Reception::Accepts };
        let court = FakeCourt { vendor: Mutex::new(vendor), asked: AtomicU32::new(0), looked: AtomicU32::new(0) };
        let book = FakeBook { rows: Mutex::default(), away: Mutex::default(), time: Arc::clone(&time) };
        let (court, book) = (Arc::new(court), Arc::new(book));
        Self { settings: UpdateSettings::default(), time, court, refresher: Arc::default(), book }
    }

    fn around(&self) -> Surroundings {
        Surroundings {
            court: self.court.clone(),
            refresher: self.refresher.clone(),
            book: self.book.clone(),
            unsaved: Unsaved::default(),
            clock: self.time.clone(),
        }
    }

    fn node(&self) -> Rc<Clerk> {
        Rc::new(Clerk::new(self.settings, self.around()))
    }

    fn shows(&self, id: i64, state: UpdateState) {
        let update = VendorUpdate { id, state, created_at: None, concluded_at: None };
        self.court.vendor.lock().unwrap().shows = Some(update);
    }

    fn concludes(&self, state: UpdateState) {
        self.court.vendor.lock().unwrap().shows.as_mut().unwrap().state = state;
    }

    fn receives(&self, reception: Reception) {
        self.court.vendor.lock().unwrap().reception = reception;
    }

    fn vendor_fails(&self, failure: Option<Failure>) {
        self.court.vendor.lock().unwrap().fails = failure;
    }

    fn postgres_is_away(&self, away: bool) {
        *self.book.away.lock().unwrap() = away;
    }

    /// Lets time pass, and a node look.
    async fn later(&self, node: &Rc<Clerk>, by: Duration) {
        self.time.0.fetch_add(i64::try_from(by.as_secs()).unwrap(), SeqCst);
        node.look().await;
        settled(node).await;
    }

    fn stored(&self) -> UpdateRecord {
        self.book.rows.lock().unwrap().get(&cnj()).unwrap().clone()
    }

    fn asked(&self) -> u32 {
        self.court.asked.load(SeqCst)
    }

    fn looked(&self) -> u32 {
        self.court.looked.load(SeqCst)
    }

    fn renewed(&self) -> usize {
        self.refresher.renewed.lock().unwrap().len()
    }
}

async fn settled(node: &Clerk) {
    for _ in 0..10_000 {
        if !node.is_following() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it is followed without an end");
}

fn cnj() -> Cnj {
    Cnj::parse("0000001-39.2024.8.26.0100").unwrap()
}

async fn ask(node: &Rc<Clerk>) -> Standing {
    node.ask(cnj(), Caller::Anonymous).await.unwrap()
}

async fn word(node: &Rc<Clerk>) -> &'static str {
    node.status(cnj(), Caller::Anonymous).await.unwrap().word()
}

#[actix_rt::test]
async fn a_request_is_made_once_followed_and_our_copy_renewed() {
    let world = World::new();
    let node = world.node();
    assert_eq!(word(&node).await, "none");
    assert_eq!(world.looked(), 0, "a status costs no request to the vendor");

    let standing = ask(&node).await;
    assert_eq!((standing.word(), standing.adopted, standing.spent_centavos), ("open", false, 300));
    let again = ask(&node).await;
    assert_eq!((again.word(), again.adopted, again.spent_centavos), ("open", true, 0));
    assert_eq!((world.asked(), world.looked()), (1, 1));

    world.later(&node, Duration::from_secs(14)).await;
    assert_eq!(world.looked(), 1, "not before its time");
    world.later(&node, Duration::from_secs(1)).await;
    assert_eq!((word(&node).await, world.looked()), ("open", 2));

    world.concludes(UpdateState::Succeeded);
    world.later(&node, Duration::from_secs(30)).await;
    assert_eq!((word(&node).await, world.renewed()), ("succeeded", 1));
    let learned = world.time.now();
    assert_eq!(*world.refresher.renewed.lock().unwrap(), [learned]);
    assert_eq!((world.stored().cost_centavos, world.stored().vendor_id), (327, Some(100)));
    world.later(&node, 24 * 60 * MINUTE).await;
    assert_eq!((world.looked(), world.renewed()), (3, 1), "what is over is over");

    assert_eq!(ask(&node).await.word(), "open", "and may be asked for again");
    assert_eq!(world.asked(), 2);
}

#[actix_rt::test]
async fn what_the_court_does_not_give_renews_nothing() {
    for (state, expected) in [(UpdateState::NotFound, "not-found"), (UpdateState::Failed, "failed")] {
        let world = World::new();
        let node = world.node();
        ask(&node).await;
        world.concludes(state);
        world.later(&node, MINUTE).await;
        assert_eq!((word(&node).await, world.renewed(), world.stored().vendor_id), (expected, 0, Some(100)));
    }
}

#[actix_rt::test]
async fn what_is_open_at_the_vendor_is_adopted_and_not_asked_for() {
    let world = World::new();
    let node = world.node();
    world.shows(7, UpdateState::Open);
    let standing = ask(&node).await;
    assert_eq!((standing.word(), standing.adopted, standing.spent_centavos), ("open", true, 0));
    assert_eq!((world.asked(), world.stored().vendor_id, world.stored().adopted), (0, Some(7), true));
    world.concludes(UpdateState::Succeeded);
    world.later(&node, MINUTE).await;
    assert_eq!((word(&node).await, world.renewed()), ("succeeded", 1));
}

#[actix_rt::test]
async fn a_busy_answer_is_adopted_with_or_without_its_id() {
    for id in [None, Some(7)] {
        let world = World::new();
        let node = world.node();
        let open = |id| VendorUpdate { id, state: UpdateState::Open, created_at: None, concluded_at: None };
        world.receives(Reception::Says(Ok(UpdateRequested { update: id.map(open), busy: true, cost_centavos: 0 })));
        let standing = ask(&node).await;
        assert_eq!((standing.word(), standing.adopted, standing.spent_centavos), ("open", true, 0));
        world.shows(7, UpdateState::Succeeded);
        world.later(&node, MINUTE).await;
        assert_eq!((word(&node).await, world.stored().vendor_id, world.asked()), ("succeeded", Some(7), 1));
    }
}

#[actix_rt::test]
async fn an_unanswered_request_that_the_status_shows_is_adopted_and_not_repeated() {
    let world = World::new();
    let node = world.node();
    world.shows(6, UpdateState::Succeeded);
    world.receives(Reception::AcceptsUnheard);
    assert_eq!(ask(&node).await.word(), "uncertain");
    assert_eq!(ask(&node).await.word(), "uncertain");
    world.later(&node, MINUTE).await;
    assert_eq!((word(&node).await, world.stored().vendor_id), ("open", Some(100)));
    assert_eq!(ask(&node).await.word(), "open");
    world.concludes(UpdateState::Succeeded);
    world.later(&node, MINUTE).await;
    assert_eq!((word(&node).await, world.asked(), world.renewed()), ("succeeded", 1, 1));
}

#[actix_rt::test]
async fn an_unanswered_request_that_the_status_never_shows_may_be_made_again() {
    let world = World::new();
    let node = world.node();
    world.shows(6, UpdateState::Succeeded);
    world.receives(Reception::Says(Err(failed(Failure::TimedOut))));
    assert_eq!(ask(&node).await.word(), "uncertain");
    for _ in 0..9 {
        world.later(&node, MINUTE).await;
        assert_eq!((ask(&node).await.word(), world.renewed()), ("uncertain", 0), "the one from before is not ours");
    }
    assert_eq!(world.asked(), 1);
    world.later(&node, 10 * MINUTE).await;
    assert_eq!((word(&node).await, world.stored().vendor_id), ("failed", None));
    world.receives(Reception::Accepts);
    assert_eq!(ask(&node).await.word(), "open");
    assert_eq!(world.asked(), 2);
}

/// Nobody looked at it while the service was down: whoever asks next does, before anything is asked.
#[actix_rt::test]
async fn a_forgotten_request_is_reviewed_before_another_is_made() {
    for (shown, asked, expected) in [(None, 2, "open"), (Some(UpdateState::Open), 1, "uncertain")] {
        let world = World::new();
        let node = world.node();
        world.receives(Reception::Says(Err(CourtError::Unanswered)));
        assert_eq!(ask(&node).await.word(), "uncertain");
        world.time.0.fetch_add(3_600, SeqCst);
        if let Some(state) = shown {
            world.shows(100, state);
        }
        world.receives(Reception::Accepts);
        assert_eq!((ask(&node).await.word(), world.asked()), (expected, asked), "{shown:?}");
        world.later(&node, MINUTE).await;
        assert_eq!((word(&node).await, world.asked()), ("open", asked));
    }
}

#[actix_rt::test]
async fn what_was_certainly_not_accepted_is_an_error_and_may_be_tried_again() {
    for failure in [Failure::NoCredit, Failure::BudgetExhausted, Failure::Refused, Failure::RateLimited] {
        let world = World::new();
        let node = world.node();
        world.receives(Reception::Says(Err(failed(failure))));
        let error = node.ask(cnj(), Caller::Anonymous).await.unwrap_err();
        assert!(matches!(error, UpdateError::Vendor(FetchError { failure: told, .. }) if told == failure), "{error:?}");
        assert_eq!(word(&node).await, "failed");
        world.receives(Reception::Accepts);
        assert_eq!(ask(&node).await.word(), "open");
    }
}

#[actix_rt::test]
async fn an_unknown_process_is_said_to_be_unknown() {
    let world = World::new();
    let node = world.node();
    world.receives(Reception::Says(Ok(UpdateRequested { update: None, busy: false, cost_centavos: 0 })));
    let error = node.ask(cnj(), Caller::Anonymous).await.unwrap_err();
    assert_eq!(error, UpdateError::Unknown { cost_centavos: 0 });
    assert_eq!(word(&node).await, "not-found");
}

#[actix_rt::test]
async fn without_the_vendors_status_nothing_is_asked() {
    let world = World::new();
    let node = world.node();
    world.vendor_fails(Some(Failure::Unreachable));
    assert!(node.ask(cnj(), Caller::Anonymous).await.is_err());
    assert_eq!((world.asked(), word(&node).await), (0, "none"));
}

#[actix_rt::test]
async fn a_vendor_that_is_away_for_hours_delays_the_end_and_asks_nothing_again() {
    let world = World::new();
    let node = world.node();
    ask(&node).await;
    world.vendor_fails(Some(Failure::ServerError));
    for _ in 0..20 {
        world.later(&node, 10 * MINUTE).await;
    }
    assert_eq!(word(&node).await, "open");
    world.vendor_fails(None);
    world.concludes(UpdateState::Succeeded);
    world.later(&node, 10 * MINUTE).await;
    assert_eq!((word(&node).await, world.asked(), world.renewed()), ("succeeded", 1, 1));
}

#[actix_rt::test]
async fn a_request_that_does_not_end_is_given_up() {
    let world = World::new();
    let node = world.node();
    ask(&node).await;
    for _ in 0..24 * 6 {
        assert_eq!(word(&node).await, "open");
        world.later(&node, 10 * MINUTE).await;
    }
    assert_eq!((word(&node).await, world.renewed()), ("expired", 0));
}

#[actix_rt::test]
async fn a_copy_that_cannot_be_renewed_is_tried_for_free_and_rarely_for_money() {
    for (paid, cost, tries) in [(true, 50, 5), (false, 0, 20)] {
        let world = World::new();
        let node = world.node();
        let not_yet = RefreshError::NotYet { retry_after: None, cost_centavos: cost, paid };
        *world.refresher.fails.lock().unwrap() = Some(not_yet);
        ask(&node).await;
        world.concludes(UpdateState::Succeeded);
        for _ in 0..20 {
            world.later(&node, 10 * MINUTE).await;
        }
        assert_eq!(world.renewed(), tries);
        let stage = if paid { Stage::Expired } else { Stage::Refreshing };
        assert_eq!((world.stored().stage, world.stored().cost_centavos), (stage, if paid { 550 } else { 300 }));
        *world.refresher.fails.lock().unwrap() = None;
        world.later(&node, 10 * MINUTE).await;
        assert_eq!(word(&node).await, if paid { "expired" } else { "succeeded" });
    }
}

#[actix_rt::test]
async fn those_who_ask_at_once_share_one_request_and_only_one_pays() {
    let world = World::new();
    let node = world.node();
    let standings = join_all((0..20).map(|_| ask(&node))).await;
    assert_eq!((world.asked(), world.looked()), (1, 1));
    assert!(standings.iter().all(|standing| standing.record == standings[0].record && !standing.adopted));
    assert_eq!(standings.iter().map(|standing| standing.spent_centavos).sum::<u64>(), 300);
}

#[actix_rt::test]
async fn of_nodes_that_are_asked_at_once_one_asks() {
    let world = World::new();
    let nodes: Vec<_> = (0..5).map(|_| world.node()).collect();
    let standings = join_all(nodes.iter().map(ask)).await;
    assert_eq!(world.asked(), 1, "{standings:?}");
    assert_eq!(standings.iter().filter(|standing| !standing.adopted).count(), 1);
    assert!(standings.iter().all(|standing| ["asked", "open"].contains(&standing.word())), "{standings:?}");
}

/// A caller who leaves takes nothing with it: what is paid for is written down.
#[actix_rt::test]
async fn a_request_goes_on_without_its_caller() {
    let world = World::new();
    let node = world.node();
    let mut asking = node.ask(cnj(), Caller::Anonymous);
    assert!((&mut asking).now_or_never().is_none());
    drop(asking);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!((world.asked(), world.stored().stage), (1, Stage::Open));
}

#[actix_rt::test]
async fn of_several_nodes_one_takes_each_step() {
    let world = World::new();
    let nodes: Vec<_> = (0..4).map(|_| world.node()).collect();
    ask(&nodes[0]).await;
    world.concludes(UpdateState::Succeeded);
    world.time.0.fetch_add(60, SeqCst);
    join_all(nodes.iter().map(|node| async {
        node.look().await;
        // A callback reaches every node, too.
        node.look_at(cnj()).await;
        settled(node).await;
    }))
    .await;
    assert_eq!((word(&nodes[3]).await, world.renewed()), ("succeeded", 1));
}

#[actix_rt::test]
async fn another_node_takes_over_from_one_that_died() {
    let world = World::new();
    ask(&world.node()).await;
    world.concludes(UpdateState::Succeeded);
    world.time.0.fetch_add(60, SeqCst);
    let lease = world.settings.lease();
    assert_eq!(world.book.claim(9, lease).await.unwrap().len(), 1, "taken, and then its node dies");
    let survivor = world.node();
    world.later(&survivor, lease - Duration::from_secs(1)).await;
    assert_eq!((word(&survivor).await, world.renewed()), ("open", 0));
    world.later(&survivor, Duration::from_secs(1)).await;
    assert_eq!((word(&survivor).await, world.renewed()), ("succeeded", 1));
}

/// The record was written, the request perhaps sent, the answer never seen.
#[actix_rt::test]
async fn a_crash_in_the_middle_of_asking_is_found_out_by_the_status() {
    for (shown, expected) in [(true, "open"), (false, "uncertain")] {
        let world = World::new();
        let node = world.node();
        ask(&node).await;
        let asked = UpdateRecord { stage: Stage::Asked, vendor_id: None, checks: 0, ..world.stored() };
        world.book.rows.lock().unwrap().insert(cnj(), asked);
        if !shown {
            world.court.vendor.lock().unwrap().shows = None;
        }
        let survivor = world.node();
        assert_eq!(ask(&survivor).await.word(), "asked");
        world.later(&survivor, MINUTE).await;
        assert_eq!((word(&survivor).await, world.asked()), (expected, 1));
    }
}

#[actix_rt::test]
async fn without_postgres_everything_goes_on_and_is_stored_when_it_is_back() {
    let world = World::new();
    let node = world.node();
    world.postgres_is_away(true);
    assert_eq!(ask(&node).await.spent_centavos, 300);
    assert_eq!((ask(&node).await.word(), word(&node).await, world.asked()), ("open", "open", 1));
    world.later(&node, MINUTE).await;
    assert_eq!(world.looked(), 2, "it is followed from memory");
    world.concludes(UpdateState::Succeeded);
    world.later(&node, MINUTE).await;
    assert_eq!((word(&node).await, world.renewed()), ("succeeded", 1));
    assert!(world.book.rows.lock().unwrap().is_empty());
    world.postgres_is_away(false);
    world.later(&node, Duration::ZERO).await;
    assert_eq!((world.stored().stage, world.stored().cost_centavos), (Stage::Succeeded, 327));
    assert_eq!((word(&world.node()).await, world.renewed()), ("succeeded", 1));
}

#[actix_rt::test]
async fn what_memory_holds_never_goes_back_behind_what_is_stored() {
    let world = World::new();
    let (node, other) = (world.node(), world.node());
    ask(&node).await;
    world.postgres_is_away(true);
    world.later(&node, MINUTE).await;
    let claimed = world.stored();
    assert_eq!(claimed.checks, 1, "nobody could take it, so nothing was looked at");
    world.postgres_is_away(false);
    world.later(&node, MINUTE).await;
    assert_eq!(world.stored().checks, 2);
    // It was taken, and the database went away before the look was written down.
    world.time.0.fetch_add(600, SeqCst);
    node.look().await;
    world.postgres_is_away(true);
    settled(&node).await;
    world.postgres_is_away(false);
    world.concludes(UpdateState::Succeeded);
    world.later(&other, world.settings.lease()).await;
    assert_eq!((world.stored().stage, world.renewed()), (Stage::Succeeded, 1));
    world.later(&node, MINUTE).await;
    assert_eq!((world.stored().stage, world.renewed()), (Stage::Succeeded, 1));
}

/// With nothing stored and nothing remembered, the vendor's own status is the truth.
#[actix_rt::test]
async fn without_postgres_and_memory_the_vendor_tells() {
    let world = World::new();
    let node = world.node();
    world.postgres_is_away(true);
    assert_eq!(word(&node).await, "none");
    world.shows(7, UpdateState::NotFound);
    let standing = node.status(cnj(), Caller::Anonymous).await.unwrap();
    assert_eq!((standing.word(), standing.record.unwrap().vendor_id), ("not-found", Some(7)));
    world.vendor_fails(Some(Failure::Unreachable));
    assert!(node.status(cnj(), Caller::Anonymous).await.is_err());
}

#[actix_rt::test]
async fn memory_has_an_end_and_the_vendor_still_keeps_us_from_asking_twice() {
    let mut world = World::new();
    world.settings.most_unsaved = 0;
    let node = world.node();
    world.postgres_is_away(true);
    assert_eq!(ask(&node).await.word(), "open");
    let again = ask(&node).await;
    assert_eq!((again.word(), again.adopted, world.asked()), ("open", true, 1));
}

#[actix_rt::test]
async fn a_callback_makes_it_looked_at_now_and_its_word_is_not_taken() {
    let world = World::new();
    let node = world.node();
    assert!(!node.look_at(cnj()).await, "nobody asked");
    ask(&node).await;
    assert!(node.look_at(cnj()).await);
    settled(&node).await;
    assert_eq!((word(&node).await, world.renewed()), ("open", 0));
    world.concludes(UpdateState::Succeeded);
    assert!(node.look_at(cnj()).await);
    settled(&node).await;
    assert_eq!((word(&node).await, world.renewed()), ("succeeded", 1));
    assert!(!node.look_at(cnj()).await);
}

#[actix_rt::test]
async fn a_node_follows_no_more_than_a_batch_at_once() {
    let mut world = World::new();
    world.settings.batch = 3;
    let node = world.node();
    for number in crate::sandbox::demo_numbers(10, 3) {
        let cnj = Cnj::parse(&number).unwrap();
        node.ask(cnj, Caller::Anonymous).await.unwrap();
    }
    let before = world.looked();
    for round in 1..=3 {
        world.later(&node, Duration::from_secs(if round == 1 { 15 } else { 0 })).await;
        assert_eq!(world.looked() - before, 3 * round);
    }
}

#[actix_rt::test]
async fn the_actor_follows_by_itself_and_begins_nothing_for_those_who_left() {
    let mut world = World::new();
    world.settings.look_every = Duration::from_millis(1);
    let actor = CourtUpdates::new(world.settings, world.around()).start();
    let updates = Updates::new(ActorRef::unsupervised("updates", 8, actor));
    let now = SystemClock.monotonic();
    let late = updates.ask(cnj(), Caller::Anonymous, Deadline::at(now)).await;
    assert!(matches!(late, Err(UpdateError::Recovering { .. })), "{late:?}");
    assert_eq!(world.asked(), 0);

    let deadline = Deadline::after(now, Duration::from_secs(20));
    let standing = updates.ask(cnj(), Caller::Anonymous, deadline).await.unwrap();
    assert_eq!(standing.word(), "open");
    world.concludes(UpdateState::Succeeded);
    world.time.0.fetch_add(60, SeqCst);
    let ends = async {
        while updates.status(cnj(), Caller::Anonymous, deadline).await.unwrap().word() != "succeeded" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout_at(deadline.instant().into(), ends).await.unwrap();
    assert_eq!((world.asked(), world.renewed()), (1, 1));
    assert_eq!(updates.concluded(cnj(), deadline).await, Ok(false));
}
