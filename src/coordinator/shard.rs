//! What a shard owns, and how the plan's intents are carried out.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::amending::Turn;
use super::early::Early;
use super::freshness;
use super::messages::Renewal;
use super::near::NearCopies;
use super::plan::{Event, Flight, InHand, Intent, Landing, Said, Want};
use super::reader::Progress;
use super::tiers::{Desk, Tiers};
use super::trail::Trail;
use crate::ambient::SharedClock;
use crate::config::coordinator::CoordinatorSettings;
use crate::domain::caller::Caller;
use crate::domain::cnj::Cnj;
use crate::domain::codec::{CodecError, Envelope, Header, Kind};
use crate::domain::entry::Entry;
use crate::domain::render;
use crate::domain::snapshot::{Provider, Snapshot};
use crate::domain::version::{Version, later};
use crate::fetcher::messages::{Answer, Failure, FetchError, Fetched};
use crate::resilience::Allowance;
use crate::telemetry::Metrics;

/// What all shards share; it outlives them.
#[derive(Clone)]
pub struct Shared {
    /// The near copies.
    pub near: Arc<NearCopies>,
    /// Knows how long fetches take.
    pub early: Arc<Early>,
}

/// Everything that a shard's handlers and flights share. One thread only.
pub(super) struct Shard {
    pub(super) settings: CoordinatorSettings,
    pub(super) clock: SharedClock,
    pub(super) near: Arc<NearCopies>,
    pub(super) flights: RefCell<HashMap<Cnj, Rc<OpenFlight>>>,
    pub(super) desk: Desk,
    early: Arc<Early>,
    /// Processes that are being amended.
    pub(super) turns: RefCell<HashMap<Cnj, Rc<Turn>>>,
}

/// A flight that readers can join.
pub(super) struct OpenFlight {
    pub(super) flight: RefCell<Flight>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) readers: Cell<usize>,
    /// Some reader already answers for the cost.
    pub(super) has_payer: Cell<bool>,
    /// On whose behalf the vendor is asked.
    pub(super) caller: Cell<Caller>,
    /// What bounds the requests that it may send. Lifted when somebody joins who is not bound.
    pub(super) allowance: Option<Allowance>,
    cost_centavos: Cell<u64>,
    renewal: Cell<Option<Renewal>>,
}

impl OpenFlight {
    pub(super) fn new(cnj: Cnj, want: Want, caller: Caller, allowance: Option<Allowance>) -> Self {
        Self {
            flight: RefCell::new(Flight::new(cnj, want)),
            progress: watch::Sender::new(Progress::Searching),
            readers: Cell::new(0),
            has_payer: Cell::new(false),
            caller: Cell::new(caller),
            allowance,
            cost_centavos: Cell::new(0),
            renewal: Cell::new(None),
        }
    }

    fn in_hand(&self) -> (Option<InHand>, Trail) {
        let flight = self.flight.borrow();
        (flight.in_hand(), flight.trail)
    }
}

/// Closes a flight to new readers, also when its task panics.
struct Boarding<'a> {
    shard: &'a Shard,
    cnj: Cnj,
    open: &'a Rc<OpenFlight>,
}

impl Drop for Boarding<'_> {
    fn drop(&mut self) {
        let mut flights = self.shard.flights.borrow_mut();
        if flights.get(&self.cnj).is_some_and(|current| Rc::ptr_eq(current, self.open)) {
            flights.remove(&self.cnj);
        }
    }
}

/// Tells those aboard when the flight's task dies before it has landed.
struct Aboard<'a>(&'a OpenFlight);

impl Drop for Aboard<'_> {
    fn drop(&mut self) {
        self.0.progress.send_if_modified(|progress| {
            let is_lost = !matches!(progress, Progress::Landed { .. });
            if is_lost {
                *progress = Progress::Lost;
            }
            is_lost
        });
    }
}

impl Shard {
    pub(super) fn new(
        settings: CoordinatorSettings,
        clock: SharedClock,
        metrics: Metrics,
        shared: Shared,
        tiers: Tiers,
    ) -> Self {
        let Shared { near, early } = shared;
        let desk = Desk::new(tiers, settings.clone(), Arc::clone(&clock), metrics);
        Self { settings, clock, near, flights: RefCell::default(), desk, early, turns: RefCell::default() }
    }

    /// Flies one flight to its end. It belongs to the shard and not to a reader: whoever leaves, it goes on.
    pub(super) async fn fly(&self, cnj: Cnj, open: Rc<OpenFlight>, near: Said) {
        let _aboard = Aboard(&open);
        let mut boarding = Some(Boarding { shard: self, cnj, open: &open });
        let mut happened = Some(Event::Opened { near });
        while let Some(event) = happened.take() {
            let intents = open.flight.borrow_mut().advance(event, self.clock.now());
            if intents.iter().any(|intent| matches!(intent, Intent::Land(_))) {
                // The end is decided: who comes now needs a flight of their own.
                boarding.take();
            }
            for intent in intents {
                happened = self.carry_out(cnj, &open, intent).await.or(happened);
            }
        }
    }

    async fn carry_out(&self, cnj: Cnj, open: &OpenFlight, intent: Intent) -> Option<Event> {
        let began = self.clock.monotonic();
        let took = || self.clock.monotonic().saturating_duration_since(began);
        match intent {
            Intent::AskRedis => {
                let said = self.desk.ask_redis(cnj).await;
                Some(Event::Redis(said, took()))
            }
            Intent::AskPostgres => {
                let said = self.desk.ask_postgres(cnj).await;
                Some(Event::Postgres(said, took()))
            }
            Intent::AskVendor => {
                let (hand, trail) = open.in_hand();
                open.progress.send_replace(Progress::Asking { hand, since: began, trail });
                let (held, insist) = open.flight.borrow().for_the_vendor();
                let (wish, allowance) = ((held.clone(), insist), open.allowance.clone());
                let answer = self.desk.ask_vendor(cnj, open.caller.get(), wish, allowance).await;
                Some(self.weigh(open, held, answer, took()).await)
            }
            Intent::StoreEverywhere(entry) => {
                let header = entry.header();
                let fresh_until = self.stored_until(header);
                let kept = self.desk.keep(cnj, &entry, fresh_until).await;
                // A copy that was confirmed brings nothing new, whatever became of it.
                open.renewal.set(Some(open.renewal.get().unwrap_or(kept)));
                self.fill(cnj, entry, true).await;
                Some(Event::Written)
            }
            Intent::StoreAbsence { version, until } => {
                self.store_absence(cnj, version, until).await;
                Some(Event::Written)
            }
            Intent::Fill { entry, redis } => {
                self.fill(cnj, entry, redis).await;
                None
            }
            Intent::DropFromRedis => {
                self.desk.drop_from_redis(cnj).await;
                None
            }
            Intent::Land(landing) => {
                self.land(cnj, open, landing);
                None
            }
        }
    }

    /// Turns the vendor's answer into what the plan understands. `held`: the copy that the vendor was told of.
    async fn weigh(
        &self,
        open: &OpenFlight,
        held: Option<Arc<Entry>>,
        answer: Result<Fetched, FetchError>,
        took: Duration,
    ) -> Event {
        let known = open.flight.borrow().newest_known();
        let cost = answer.as_ref().map_or_else(|error| error.cost_centavos, |fetched| fetched.cost_centavos);
        open.cost_centavos.set(cost);
        let (answer, stand_in) = match answer {
            Ok(fetched) => {
                self.early.fetched(took);
                (fetched.answer, fetched.stand_in)
            }
            Err(error) => return Event::NotBought(error, took),
        };
        let entry = match (answer, held) {
            (Answer::Unknown, _) => {
                let now = self.clock.now();
                let version = Version::new(None, now).after(known);
                return Event::Unknown { version, until: later(now, self.settings.absent_ttl), took };
            }
            (Answer::Found(snapshot), _) => self.bought(*snapshot, known, stand_in).await,
            // It may have been said of another copy: of one that a flight before this one, which died, had in hand.
            (Answer::Current { verified_at }, Some(held)) if held.header().version.verified_at >= Some(verified_at) => {
                open.renewal.set(Some(Renewal::Confirmed));
                self.confirmed(&held, verified_at, known).await
            }
            (Answer::Current { .. }, _) => Err("the vendor confirmed a copy that it was not told of".to_owned()),
        };
        match entry {
            Ok(entry) => Event::Bought(Arc::new(entry), took),
            Err(error) => {
                tracing::error!(error, "the vendor's answer cannot be kept");
                Event::NotBought(FetchError { failure: Failure::Unreadable, retry_after: None, cost_centavos: 0 }, took)
            }
        }
    }

    /// Makes a copy of what was bought: classified, rendered and compressed beside the arbiter, because a large process takes
    /// longer than a shard may be silent.
    async fn bought(&self, mut snapshot: Snapshot, known: Option<Version>, stand_in: bool) -> Result<Entry, String> {
        snapshot.version = snapshot.version.after(known);
        let settings = self.settings.clone();
        beside(move || {
            let fresh_until = freshness::fresh_until(&settings, &snapshot, snapshot.version.fetched_at, stand_in);
            Entry::new(snapshot, fresh_until)
        })
        .await
    }

    /// The copy in hand, as of now: the vendor has nothing newer.
    async fn confirmed(
        &self,
        held: &Arc<Entry>,
        verified_at: DateTime<Utc>,
        known: Option<Version>,
    ) -> Result<Entry, String> {
        let version = Version::new(Some(verified_at), self.clock.now()).after(known);
        let (held, settings) = (Arc::clone(held), self.settings.clone());
        beside(move || {
            let fresh_until = freshness::fresh_until(&settings, &*held.snapshot()?, version.fetched_at, false);
            Entry::open(held.envelope().stamped(version, fresh_until))
        })
        .await
    }

    /// Until when a copy counts as fresh in PostgreSQL, which may be switched off there.
    pub(super) fn stored_until(&self, header: &Header) -> DateTime<Utc> {
        header.fresh_until.min(later(header.version.fetched_at, self.settings.longest_stored()))
    }

    /// Near first: whoever comes while Redis is being written needs no flight any more.
    pub(super) async fn fill(&self, cnj: Cnj, entry: Arc<Entry>, redis: bool) {
        self.near.put(cnj, Arc::clone(&entry), self.clock.monotonic());
        if redis {
            self.desk.write_redis(cnj, entry.envelope().bytes().clone(), self.settings.redis_ttl).await;
        }
    }

    async fn store_absence(&self, cnj: Cnj, version: Version, until: DateTime<Utc>) {
        let ttl = self.settings.absent_ttl;
        if ttl.is_zero() {
            return;
        }
        self.desk.store_absence(cnj, version, until).await;
        let header = Header {
            kind: Kind::Absence,
            provider: Provider::Escavador,
            sealed: false,
            version,
            fresh_until: until,
            revision: render::REVISION,
        };
        if let Ok(envelope) = Envelope::absence(header) {
            self.desk.write_redis(cnj, envelope.bytes().clone(), ttl).await;
        }
        self.near.put_absent(cnj, version, until, self.clock.monotonic());
    }

    fn land(&self, cnj: Cnj, open: &OpenFlight, landing: Landing) {
        let (hand, trail) = open.in_hand();
        if let (Landing::Failed(_), Some(InHand { held, believed: true })) = (&landing, &hand) {
            // Should PostgreSQL go next, this copy is still at hand.
            self.near.put(cnj, Arc::clone(&held.entry), self.clock.monotonic());
        }
        let (cost_centavos, renewal) = (open.cost_centavos.get(), open.renewal.get());
        open.progress.send_replace(Progress::Landed { landing, hand, trail, cost_centavos, renewal });
    }
}

/// Does what takes longer than a shard may be silent.
async fn beside(make: impl FnOnce() -> Result<Entry, CodecError> + Send + 'static) -> Result<Entry, String> {
    let made = tokio::task::spawn_blocking(make).await;
    made.map_err(|panic| panic.to_string())?.map_err(|error| error.to_string())
}
