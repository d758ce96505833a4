//! What the simulated vendor remembers: processes, balance, rate bucket, faults and the calls it received.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};

use super::callback::{Callbacks, event};
use super::control::{Call, Outage};
use super::dice::Dice;
use super::fault::Fault;
use super::monitor::Monitors;
use super::number::Number;
use super::process::{Movement, Process, is_publication, newest_first};
use super::route::Endpoint;
use super::settings::CallbackSandbox;
use super::update::{Update, UpdatePlan};

/// How many received calls are kept for inspection; counters go on for ever.
pub(super) const KEPT_CALLS: usize = 50_000;

/// How many untouched processes are kept before they are invented again on demand.
const KEPT_PROCESSES: usize = 4_096;

/// One number's place in the base.
pub(super) struct Entry {
    /// `None`: no such process.
    pub(super) process: Option<Arc<Process>>,
    pub(super) verified_at: DateTime<Utc>,
    pub(super) update: Option<Update>,
    pub(super) planned: Option<UpdatePlan>,
    /// Differs from what the seed says, so it must not be forgotten.
    pub(super) touched: bool,
    /// Movements came since the vendor last looked at the court.
    pub(super) news: bool,
}

/// A fault that waits for its requests.
#[derive(Debug, Clone)]
pub(super) struct ActiveFault {
    pub(super) fault: Fault,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) left: Option<u32>,
    /// How many of a hundred requests it meets.
    pub(super) percent: u32,
}

/// Everything behind the one lock.
pub(super) struct State {
    pub(super) entries: HashMap<String, Entry>,
    pub(super) credits: i64,
    pub(super) charged: i64,
    pub(super) calls: VecDeque<Call>,
    /// The ordinal of the first kept call.
    pub(super) first_call: u64,
    pub(super) counts: BTreeMap<Endpoint, u64>,
    pub(super) faults: Vec<ActiveFault>,
    fault_dice: Dice,
    pub(super) latency: Duration,
    pub(super) outage: Outage,
    pub(super) bucket: Bucket,
    /// DataJud's own.
    pub(super) search_bucket: Bucket,
    /// Digits of processes that DataJud does not know, whatever Escavador does.
    pub(super) unsearchable: HashSet<String>,
    pub(super) monitors: Monitors,
    pub(super) callbacks: Callbacks,
    /// Digits of the processes whose update is open.
    pub(super) open_updates: HashSet<String>,
    pub(super) last_update: u64,
    pub(super) last_li: u64,
    last_movement: i64,
}

impl State {
    pub(super) fn new(credits: i64, latency: Duration, bucket: Bucket, search_bucket: Bucket) -> Self {
        Self {
            entries: HashMap::new(),
            credits,
            charged: 0,
            calls: VecDeque::new(),
            first_call: 0,
            counts: BTreeMap::new(),
            faults: Vec::new(),
            fault_dice: Dice::new(0, "faults"),
            latency,
            outage: Outage::None,
            bucket,
            search_bucket,
            unsearchable: HashSet::new(),
            monitors: Monitors::default(),
            callbacks: Callbacks::new(CallbackSandbox::default(), 0),
            open_updates: HashSet::new(),
            last_update: 0,
            last_li: 216_029_777,
            // Above every invented id: news comes with the newest ids, whatever its day.
            last_movement: 30_000_000_000,
        }
    }

    /// Writes a received request down; the ordinal names it when its answer is known.
    pub(super) fn record(&mut self, call: Call) -> u64 {
        *self.counts.entry(call.endpoint).or_default() += 1;
        if self.calls.len() >= KEPT_CALLS {
            self.calls.pop_front();
            self.first_call += 1;
        }
        self.calls.push_back(call);
        self.first_call + u64::try_from(self.calls.len()).unwrap_or(1) - 1
    }

    /// The call of that ordinal, while it is kept.
    pub(super) fn call_mut(&mut self, ordinal: u64) -> Option<&mut Call> {
        let at = usize::try_from(ordinal.checked_sub(self.first_call)?).ok()?;
        self.calls.get_mut(at)
    }

    /// The first fault that is meant for `endpoint`, used up by one. One for all endpoints is for all of Escavador's: DataJud is another
    /// vendor, and has to be named.
    pub(super) fn take_fault(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let is_meant = |only: Option<Endpoint>| only.map_or(endpoint != Endpoint::Search, |only| only == endpoint);
        let dice = &mut self.fault_dice;
        let meets =
            |active: &ActiveFault| is_meant(active.endpoint) && (active.percent >= 100 || dice.chance(active.percent));
        let at = self.faults.iter().position(meets)?;
        let active = self.faults.get_mut(at)?;
        let fault = active.fault.clone();
        if let Some(left) = &mut active.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.faults.remove(at);
            }
        }
        Some(fault)
    }

    /// Takes `centavos` off the balance.
    pub(super) fn charge(&mut self, centavos: i64) {
        self.credits = self.credits.saturating_sub(centavos);
        self.charged = self.charged.saturating_add(centavos);
    }

    /// The entry of `digits`, invented by `invent` when it is not held.
    pub(super) fn entry(&mut self, digits: &str, invent: impl FnOnce() -> Entry) -> &mut Entry {
        if self.entries.len() >= KEPT_PROCESSES && !self.entries.contains_key(digits) {
            self.entries.retain(|_, entry| entry.touched);
        }
        self.entries.entry(digits.to_owned()).or_insert_with(invent)
    }

    /// Adds movements to a held process; the ids in the order given, empty when there is no such process.
    pub(super) fn add_movements(
        &mut self,
        digits: &str,
        added: &[(NaiveDate, String)],
        now: DateTime<Utc>,
    ) -> Vec<i64> {
        let Some(entry) = self.entries.get_mut(digits) else {
            return Vec::new();
        };
        let Some(process) = &mut entry.process else {
            return Vec::new();
        };
        entry.touched = true;
        entry.news = true;
        let process = Arc::make_mut(process);
        let mut ids = Vec::with_capacity(added.len());
        for (date, text) in added {
            self.last_movement += 1;
            ids.push(self.last_movement);
            process.movements.push(Movement {
                id: self.last_movement,
                date: *date,
                publication: is_publication(text),
                text: text.clone(),
                degree: 1,
            });
        }
        newest_first(&mut process.movements);
        for id in &ids {
            let Some(movement) = process.movements.iter().find(|movement| movement.id == *id) else {
                continue;
            };
            for monitor in self.monitors.followers(digits) {
                self.callbacks.push(event::movement(monitor, process, movement), now);
            }
        }
        ids
    }

    /// Concludes the open update of `digits` if its time has come.
    pub(super) fn settle(&mut self, digits: &str, now: DateTime<Utc>) {
        let Some(entry) = self.entries.get_mut(digits) else {
            return;
        };
        let exists = entry.process.is_some();
        let Some(update) = entry.update.as_mut().filter(|update| update.is_open()) else {
            return;
        };
        let movements = update.conclude(now, exists);
        let Some(concluded_at) = update.concluded_at else {
            return;
        };
        self.open_updates.remove(digits);
        let masked = Number::parse(digits).map(|number| number.masked()).unwrap_or_default();
        let told = update.callback.then(|| event::updated(&masked, update));
        if let Some(movements) = movements {
            entry.verified_at = entry.verified_at.max(concluded_at);
            self.add_movements(digits, &movements, now);
            if let Some(entry) = self.entries.get_mut(digits) {
                entry.news = false;
            }
        }
        if let Some(told) = told {
            self.callbacks.push(told, now);
        }
    }

    /// Concludes every open update whose time has come.
    pub(super) fn settle_open(&mut self, now: DateTime<Utc>) {
        if self.open_updates.is_empty() {
            return;
        }
        for digits in self.open_updates.clone() {
            self.settle(&digits, now);
        }
    }

    /// Writes down that the vendor looked at the court at `at`. Who follows the process hears of it if nothing had come since the last
    /// time.
    pub(super) fn verify(&mut self, digits: &str, at: DateTime<Utc>, now: DateTime<Utc>) {
        let Some(entry) = self.entries.get_mut(digits) else {
            return;
        };
        entry.touched = true;
        entry.verified_at = at;
        let news = std::mem::take(&mut entry.news);
        for monitor in self.monitors.followers(digits) {
            monitor.verified_at = Some(at);
            if !news {
                self.callbacks.push(event::verified(monitor, at), now);
            }
        }
    }
}

impl Entry {
    /// What the seed says about a number.
    pub(super) fn of(process: Option<Process>, verified_at: DateTime<Utc>) -> Self {
        Self { process: process.map(Arc::new), verified_at, update: None, planned: None, touched: false, news: false }
    }

    /// Replaces what the seed said, by another process or by none.
    pub(super) fn replace(&mut self, process: Option<Process>) {
        self.process = process.map(Arc::new);
        self.touched = true;
    }
}

/// A token bucket of one minute's requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    per_minute: u32,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A bucket that allows one minute's requests at once.
    pub(super) fn full(per_minute: u32, now: Instant) -> Self {
        Self { per_minute, tokens: f64::from(per_minute), at: now }
    }

    /// Takes one request out; `false` when there is none left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let size = f64::from(self.per_minute);
        let refill = now.saturating_duration_since(self.at).as_secs_f64() * size / 60.0;
        self.tokens = (self.tokens + refill).min(size);
        self.at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::{Clock, SystemClock};

    #[test]
    fn the_bucket_allows_a_minutes_requests_and_refills_with_time() {
        let now = SystemClock.monotonic();
        let mut bucket = Bucket::full(60, now);
        assert!((0..60).all(|_| bucket.take(now)));
        assert!(!bucket.take(now));
        let later = now + Duration::from_secs(2);
        assert!(bucket.take(later) && bucket.take(later) && !bucket.take(later));
        assert!(!Bucket::full(0, now).take(now + Duration::from_secs(600)));
    }

    #[test]
    fn faults_are_taken_in_order_by_endpoint_and_used_up() {
        let bucket = Bucket::full(1, SystemClock.monotonic());
        let mut state = State::new(0, Duration::ZERO, bucket, bucket);
        let active = |fault, endpoint, left| ActiveFault { fault, endpoint, left, percent: 100 };
        state.faults.push(active(Fault::Html500, Some(Endpoint::Cover), Some(2)));
        state.faults.push(active(Fault::Reset, None, Some(1)));
        assert_eq!(state.take_fault(Endpoint::Search), None);
        assert_eq!(state.take_fault(Endpoint::Movements), Some(Fault::Reset));
        assert_eq!(state.take_fault(Endpoint::Movements), None);
        assert_eq!(state.take_fault(Endpoint::Cover), Some(Fault::Html500));
        assert_eq!(state.take_fault(Endpoint::Cover), Some(Fault::Html500));
        assert_eq!(state.take_fault(Endpoint::Cover), None);
    }

    #[test]
    fn an_occasional_fault_meets_about_its_share() {
        let bucket = Bucket::full(1, SystemClock.monotonic());
        let mut state = State::new(0, Duration::ZERO, bucket, bucket);
        state.faults.push(ActiveFault { fault: Fault::Html500, endpoint: None, left: None, percent: 20 });
        let met = (0..1_000).filter(|_| state.take_fault(Endpoint::Cover).is_some()).count();
        assert!((150..250).contains(&met), "{met}");
    }
}
