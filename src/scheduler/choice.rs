//! Which processes a cycle refreshes, and why. Pure: the candidates, the time and what is left of the day are passed in.
//!
//! In this order: what has waited for more than [`Rules::patience`] times its lifetime, what expires within the window, what has
//! expired; within each by worth (see [`Outlook`]). A part of every batch goes to those who have waited longest, whatever their worth.
//!
//! While the limit suffices hardly anything waits, and what expires is renewed in time. Once there is more to do than the limit allows,
//! everything waits, and worth alone decides: "expiring first" would renew the same few for ever, because what was renewed is the
//! next to expire.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::worth::{Outlook, RefreshPrice};
use crate::domain::cnj::Cnj;
use crate::domain::version::later;

/// Of so many places in a batch one goes to whoever has waited longest: enough that N processes are all seen within N batches, and
/// little enough not to matter to the others.
const FAIR_SHARE: usize = 10;
/// A lifetime that is shorter than this (an expiry that was set by hand, a clock that went back) is taken as this.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(3_600);
/// Doublings of patience with a process that fails, at the most.
const MOST_FAILURES: i32 = 10;

/// A process that may be refreshed.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Which.
    pub cnj: Cnj,
    /// Until when its copy counts as fresh.
    pub valid_until: DateTime<Utc>,
    /// When the vendor was last asked about it with success.
    pub last_sync: DateTime<Utc>,
    /// Changes for each business day (`Rhythm`); `None` when nothing was learned yet.
    pub change_rate: Option<f64>,
    /// Somebody asked that it be kept fresh.
    pub watched: bool,
    /// How often it is read a day.
    pub reads_per_day: f64,
    /// How many movements it has.
    pub total_movements: u64,
    /// Refreshes that failed since the last success. Whoever backs off is not to be offered at all; this only makes it weigh less.
    pub failures: u32,
}

/// Why a process is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Still fresh, but not for longer than the window.
    Expiring,
    /// Not fresh any more.
    Expired,
    /// Expired for so long that it must not starve.
    Waiting,
}

impl Class {
    /// The word for JSON, logs, metrics and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Waiting => "waiting",
        }
    }

    const fn turn(self) -> u8 {
        match self {
            Self::Waiting => 0,
            Self::Expiring => 1,
            Self::Expired => 2,
        }
    }
}

/// What a choice obeys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// What expires within it is due (`JUSCACHE_SYNC_WINDOW`).
    pub window: Duration,
    /// Most processes of one batch (`JUSCACHE_SYNC_BATCH`).
    pub batch: usize,
    /// What a refresh costs.
    pub price: RefreshPrice,
    /// What one of the day's requests is worth beside its price, in centavos: the limit is scarce even where requests are free. As
    /// much as a cover: news costs the same whenever it is found, and money alone would put off whoever has some.
    pub call: u64,
    /// After how many lifetimes past its expiry a process goes before all that are due later.
    pub patience: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(2 * 3_600),
            batch: 10,
            price: RefreshPrice::default(),
            call: 300,
            patience: 2.0,
        }
    }
}

/// A process that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Which.
    pub cnj: Cnj,
    /// Its expiry as it was when it was chosen: a claim is for this expiry only.
    pub valid_until: DateTime<Utc>,
    /// Why it is due.
    pub class: Class,
    /// Expected reads answered without a piece of news, for each centavo ([`Outlook::worth`]).
    pub worth: f64,
    /// The most vendor requests that its refresh may take.
    pub calls: u32,
    /// One English sentence for an operator.
    pub explanation: String,
}

/// A candidate that is due.
struct Due {
    candidate: Candidate,
    outlook: Outlook,
    class: Class,
    /// Past its expiry.
    overdue: Duration,
    /// The same, less for one that keeps failing: it must not take every fair place.
    claim: Duration,
}

/// The processes of the next batch, the most urgent first; together they take at most `calls_left` vendor requests, and one that does
/// not fit is passed over. A number that is offered twice is taken once. The same for the same candidates, in whatever order.
#[must_use]
pub fn choose(candidates: Vec<Candidate>, now: DateTime<Utc>, calls_left: u32, rules: &Rules) -> Vec<Choice> {
    let until = later(now, rules.window);
    let mut offered: BTreeMap<Cnj, Candidate> = BTreeMap::new();
    for candidate in candidates {
        match offered.get(&candidate.cnj) {
            // The one that was asked last knows best.
            Some(other) if knows(other).cmp(&knows(&candidate)).is_ge() => {}
            _ => drop(offered.insert(candidate.cnj, candidate)),
        }
    }
    let due = offered.into_values().filter(|candidate| candidate.valid_until <= until);
    let mut due: Vec<Due> = due.map(|candidate| Due::of(candidate, now, rules)).collect();
    let mut purse = Purse { places: rules.batch, calls: calls_left };

    due.sort_by(longest_first);
    let fair = if rules.batch > 1 { (rules.batch / FAIR_SHARE).max(1) } else { 0 };
    let (mut chosen, rest) = purse.take(due, fair, |due| !due.overdue.is_zero());
    let mut rest = rest;
    rest.sort_by(urgent_first);
    let (others, _) = purse.take(rest, rules.batch, |_| true);
    chosen.extend(others);
    chosen.sort_by(urgent_first);
    chosen.into_iter().map(Due::chosen).collect()
}

fn knows(candidate: &Candidate) -> impl Ord {
    (candidate.last_sync, candidate.valid_until, candidate.total_movements, candidate.failures)
}

/// Requests of a reservation that are there for a retry: see [`Outlook::calls`].
const RETRIES: u32 = 1;

/// What is left while a batch is put together.
struct Purse {
    places: usize,
    calls: u32,
}

impl Purse {
    /// Takes at most so many, in their order, of those that fit and are wanted; the second list is all the others. At the end of the
    /// day's limit the request that was meant for a retry is done without.
    fn take(&mut self, due: Vec<Due>, most: usize, wanted: impl Fn(&Due) -> bool) -> (Vec<Due>, Vec<Due>) {
        let mut room = most.min(self.places);
        let (mut taken, mut others) = (Vec::new(), Vec::new());
        for mut due in due {
            let calls = due.outlook.calls.min(self.calls);
            if room > 0 && calls.saturating_add(RETRIES) >= due.outlook.calls && wanted(&due) {
                room -= 1;
                self.places -= 1;
                self.calls -= calls;
                due.outlook.calls = calls;
                taken.push(due);
            } else {
                others.push(due);
            }
        }
        (taken, others)
    }
}

impl Due {
    fn of(candidate: Candidate, now: DateTime<Utc>, rules: &Rules) -> Self {
        let outlook = Outlook::of(&candidate, now, rules);
        let overdue = (now - candidate.valid_until).to_std().unwrap_or(Duration::ZERO);
        let lifetime = (candidate.valid_until - candidate.last_sync).to_std().unwrap_or(Duration::ZERO);
        let lifetime = lifetime.max(SHORTEST_LIFETIME);
        let class = if overdue.as_secs_f64() > rules.patience.max(0.0) * lifetime.as_secs_f64() {
            Class::Waiting
        } else if overdue.is_zero() {
            Class::Expiring
        } else {
            Class::Expired
        };
        let failures = i32::try_from(candidate.failures).unwrap_or(MOST_FAILURES).min(MOST_FAILURES);
        let claim = overdue.mul_f64(0.5_f64.powi(failures));
        Self { candidate, outlook, class, overdue, claim }
    }

    fn chosen(self) -> Choice {
        let explanation = self.explanation();
        let Self {
            candidate: Candidate { cnj, valid_until, .. }, outlook: Outlook { worth, calls, .. }, class, ..
        } = self;
        Choice { cnj, valid_until, class, worth, calls, explanation }
    }

    fn explanation(&self) -> String {
        let Outlook { rate, unseen, probability, reads_per_day, centavos, .. } = self.outlook;
        let when = match self.class {
            Class::Expiring => "about to expire".to_owned(),
            Class::Expired => format!("expired {} ago", span(self.overdue)),
            Class::Waiting => format!("waiting, expired {} ago", span(self.overdue)),
        };
        let learned = if self.candidate.change_rate.is_some() { "" } else { ", presumed" };
        let watched = if self.candidate.watched { ", watched" } else { "" };
        let failed = match self.candidate.failures {
            0 => String::new(),
            1 => "; failed once before".to_owned(),
            failures => format!("; failed {failures} times before"),
        };
        format!(
            "{when}; news with {:.0} % ({rate:.2} changes a business day{learned}, {unseen:.1} business days unseen); \
             {reads_per_day:.1} reads a day{watched}; expected cost {centavos:.0} centavos{failed}",
            probability * 100.0
        )
    }
}

/// Whole days from two of them, whole hours from one, minutes below.
fn span(time: Duration) -> String {
    match time.as_secs() / 60 {
        minutes if minutes < 60 => format!("{minutes} min"),
        minutes if minutes < 48 * 60 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / (24 * 60)),
    }
}

fn urgent_first(a: &Due, b: &Due) -> Ordering {
    let turn = a.class.turn().cmp(&b.class.turn());
    turn.then(b.outlook.worth.total_cmp(&a.outlook.worth)).then(a.candidate.cnj.cmp(&b.candidate.cnj))
}

fn longest_first(a: &Due, b: &Due) -> Ordering {
    b.claim.cmp(&a.claim).then(a.candidate.cnj.cmp(&b.candidate.cnj))
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;
