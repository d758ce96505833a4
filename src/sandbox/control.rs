//! The switchboard: what a test, a person or a demo changes about the vendor while it runs, and what it saw.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::callback::Callbacks;
use super::dice::Dice;
use super::fault::Fault;
use super::number::Number;
use super::process::{Process, ProcessShape};
use super::route::Endpoint;
use super::settings::{Known, SandboxSettings};
use super::state::{ActiveFault, Bucket, Entry, State};
use super::update::UpdatePlan;
use crate::ambient::SharedClock;

/// One request the vendor received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it came, on the injected clock.
    pub at: DateTime<Utc>,
    /// The same on the monotonic clock, by which distances between requests are measured.
    pub arrived: Instant,
    /// `GET`, `POST`…
    pub method: String,
    /// Path and query as received.
    pub path: String,
    /// The route it was for.
    pub endpoint: Endpoint,
    /// The process, masked, when the path holds a well-formed number.
    pub number: Option<String>,
    /// The status answered; `None` while it is open and for ever when no answer was given.
    pub status: Option<u16>,
    /// What it cost.
    pub centavos: i64,
    /// The `Authorization` header as received. Never shown over HTTP.
    pub authorization: Option<String>,
    /// The fault it met, by name.
    pub fault: Option<&'static str>,
}

/// How a whole outage looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// The vendor works.
    None,
    /// Connections are accepted and closed without an answer.
    Reset,
    /// Every request gets 503 and an HTML page.
    ServiceUnavailable,
}

/// Handle on a running sandbox; clones control the same one. Numbers are taken masked or as 20 digits; a malformed one is
/// a process that does not exist and is ignored.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    settings: SandboxSettings,
    clock: SharedClock,
    started_at: DateTime<Utc>,
    state: Mutex<State>,
    in_flight: AtomicUsize,
    peak: AtomicUsize,
    warned: AtomicBool,
}

impl Control {
    /// A vendor that nobody can reach yet; hand it to [`super::Sandbox::resume`]. It outlives the server, so that a test can
    /// close the port and open it again with the same processes, calls and balance.
    #[must_use]
    pub fn new(settings: SandboxSettings, clock: SharedClock) -> Self {
        let monotonic = clock.monotonic();
        let bucket = Bucket::full(settings.requests_per_minute, monotonic);
        let search_bucket = Bucket::full(settings.datajud.requests_per_minute, monotonic);
        let mut state = State::new(settings.credits_centavos, settings.latency, bucket, search_bucket);
        state.callbacks = Callbacks::new(settings.callbacks.clone(), settings.seed);
        let shared = Shared {
            started_at: clock.now(),
            settings,
            clock,
            state: Mutex::new(state),
            in_flight: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            warned: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The requests received since the start or the last reset, oldest first; the last 50 000 of them.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.iter().cloned().collect()
    }

    /// How many requests `endpoint` received.
    #[must_use]
    pub fn call_count(&self, endpoint: Endpoint) -> u64 {
        self.state().counts.get(&endpoint).copied().unwrap_or(0)
    }

    /// Centavos charged in all.
    #[must_use]
    pub fn charged(&self) -> i64 {
        self.state().charged
    }

    /// Centavos left.
    #[must_use]
    pub fn credits(&self) -> i64 {
        self.state().credits
    }

    /// Forgets calls, counts, charges and the peak; balance, processes and faults stay.
    pub fn reset_calls(&self) {
        let mut state = self.state();
        let forgotten = u64::try_from(state.calls.len()).unwrap_or(0);
        state.first_call += forgotten;
        state.calls.clear();
        state.counts.clear();
        state.charged = 0;
        self.shared.peak.store(self.in_flight(), Ordering::SeqCst);
    }

    /// Adds a fault: for one endpoint or for all of Escavador's, for so many requests or until cleared. Faults for the same endpoint are
    /// used up in the order they were set.
    pub fn set_fault(&self, fault: Fault, endpoint: Option<Endpoint>, times: Option<u32>) {
        if times != Some(0) {
            self.state().faults.push(ActiveFault { fault, endpoint, left: times, percent: 100 });
        }
    }

    /// Adds a fault that meets so many of a hundred requests until it is cleared, thrown by dice that begin alike for every sandbox.
    pub fn set_occasional_fault(&self, fault: Fault, endpoint: Option<Endpoint>, percent: u32) {
        self.state().faults.push(ActiveFault { fault, endpoint, left: None, percent });
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Waits this long before every answer.
    pub fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Sets the balance.
    pub fn set_credits(&self, centavos: i64) {
        self.state().credits = centavos;
    }

    /// Starts or ends a whole outage in which connections are accepted and reset.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.set_outage(if unavailable { Outage::Reset } else { Outage::None });
    }

    /// Starts or ends a whole outage of the given kind. It is Escavador's: DataJud on the same port is out with a lasting
    /// [`Fault::Reset`] for [`Endpoint::Search`].
    pub fn set_outage(&self, outage: Outage) {
        self.state().outage = outage;
    }

    /// Adds a movement of the first degree and gives its id, larger than every other; `None` when there is no such process. Whoever
    /// follows the process hears of it by callback.
    /// The verification time stays: call [`Control::verify`] to make the vendor notice.
    pub fn add_movement(&self, number: &str, date: NaiveDate, text: &str) -> Option<i64> {
        self.add_movements(number, &[(date, text.to_owned())]).first().copied()
    }

    /// Adds several movements at once; their ids in the order given.
    pub fn add_movements(&self, number: &str, movements: &[(NaiveDate, String)]) -> Vec<i64> {
        let Some(number) = Number::parse(number) else {
            return Vec::new();
        };
        let mut state = self.state();
        self.settle_monitors(&mut state);
        self.entry(&mut state, &number);
        state.add_movements(number.digits(), movements, self.clock().now())
    }

    /// Removes a movement; `false` when it was not there.
    pub fn remove_movement(&self, number: &str, id: i64) -> bool {
        self.change(number, |entry| {
            let Some(process) = &mut entry.process else {
                return false;
            };
            let before = process.movements.len();
            Arc::make_mut(process).movements.retain(|movement| movement.id != id);
            process.movements.len() < before
        })
        .unwrap_or(false)
    }

    /// The ids of a process's movements, newest first, as the vendor orders them.
    #[must_use]
    pub fn movement_ids(&self, number: &str) -> Vec<i64> {
        let Some(number) = Number::parse(number) else {
            return Vec::new();
        };
        let mut state = self.state();
        let process = self.entry(&mut state, &number).process.clone();
        process.iter().flat_map(|process| &process.movements).map(|movement| movement.id).collect()
    }

    /// The vendor looks at the court: sets `data_ultima_verificacao`. If no movement was added since the last time, whoever follows the
    /// process hears that there is nothing new.
    pub fn verify(&self, number: &str, at: DateTime<Utc>) {
        let Some(number) = Number::parse(number) else {
            return;
        };
        let mut state = self.state();
        self.settle_monitors(&mut state);
        self.entry(&mut state, &number);
        state.verify(number.digits(), at, self.clock().now());
    }

    /// Replaces a process by one of that shape, known from now on; what was added to it is lost.
    pub fn set_process(&self, number: &str, shape: &ProcessShape) {
        let process = Number::parse(number).and_then(|number| Process::invent(self.settings().seed, &number, shape));
        self.change(number, |entry| entry.replace(process));
    }

    /// 404 from now on.
    pub fn forget_process(&self, number: &str) {
        self.change(number, |entry| entry.replace(None));
    }

    /// What the next accepted update request of a process leads to.
    pub fn plan_update(&self, number: &str, plan: UpdatePlan) {
        self.change(number, |entry| entry.planned = Some(plan));
    }

    /// Requests being answered right now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::SeqCst)
    }

    /// The most requests that were being answered at once.
    #[must_use]
    pub fn peak_in_flight(&self) -> usize {
        self.shared.peak.load(Ordering::SeqCst)
    }

    pub(super) fn settings(&self) -> &SandboxSettings {
        &self.shared.settings
    }

    pub(super) fn clock(&self) -> &SharedClock {
        &self.shared.clock
    }

    /// The state, also after a panic elsewhere: a simulated vendor has no invariant worth dying for.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The up-to-date entry of `number`.
    pub(super) fn entry<'a>(&self, state: &'a mut State, number: &Number) -> &'a mut Entry {
        state.settle(number.digits(), self.clock().now());
        state.entry(number.digits(), || {
            let settings = self.settings();
            let process = self
                .is_known(number)
                .then(|| Process::invent(settings.seed, number, &ProcessShape::default()))
                .flatten();
            let ago = Dice::new(settings.seed, &format!("verified {}", number.digits())).between(20 * 60, 20 * 3_600);
            Entry::of(process, self.shared.started_at - TimeDelta::seconds(i64::from(ago)))
        })
    }

    fn change<T>(&self, number: &str, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let number = Number::parse(number)?;
        let mut state = self.state();
        let entry = self.entry(&mut state, &number);
        entry.touched = true;
        Some(change(entry))
    }

    fn is_known(&self, number: &Number) -> bool {
        match &self.settings().known {
            Known::All => !number.sequential().starts_with("9999"),
            Known::Listed(numbers) => numbers.iter().any(|listed| Number::parse(listed).as_ref() == Some(number)),
        }
    }

    /// Whether nobody was warned yet: one careless client would fill the log.
    pub(super) fn is_first_warning(&self) -> bool {
        !self.shared.warned.swap(true, Ordering::Relaxed)
    }

    /// Counts a request in until the guard is dropped, answered or not.
    pub(super) fn enter(&self) -> Visit {
        let now = self.shared.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.shared.peak.fetch_max(now, Ordering::SeqCst);
        Visit { shared: Arc::clone(&self.shared) }
    }
}

/// One request in flight.
pub(super) struct Visit {
    shared: Arc<Shared>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.shared.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
