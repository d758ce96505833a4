//! Who is refreshed next: the earlier implementation's rule, one after the other, and ours.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use juscache::domain::cnj::Cnj;
use juscache::domain::lifetime::{Bounds, jittered, lifetime};
use juscache::domain::rhythm::Rhythm;
use juscache::domain::snapshot::Snapshot;
use juscache::scheduler::choice::{Candidate, Rules, choose};

pub(crate) const BATCH: usize = 10;
const HOUR: Duration = Duration::from_secs(3_600);
const WINDOW: TimeDelta = TimeDelta::hours(2);
/// Requests that must be left for another refresh: a status, a cover, a page.
pub(crate) const REFRESH: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// What expires within 2 h, then what expired within 24 h, then the rest; every copy is fresh for 24 h.
    Earlier,
    /// Whoever was asked longest ago.
    RoundRobin,
    /// Learned lifetimes and `scheduler::choice`.
    Learned,
}

/// What the service knows of a process: only what refreshes have shown it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) cnj: Cnj,
    pub(crate) last_sync: DateTime<Utc>,
    pub(crate) valid_until: DateTime<Utc>,
    pub(crate) rate: Option<f64>,
    pub(crate) movements: u64,
}

impl Policy {
    pub(crate) const ALL: [Self; 3] = [Self::Earlier, Self::RoundRobin, Self::Learned];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Earlier => "earlier",
            Self::RoundRobin => "round-robin",
            Self::Learned => "learned",
        }
    }

    /// What is known after a refresh that showed this.
    pub(crate) fn learn(self, snapshot: &Snapshot, now: DateTime<Utc>) -> Known {
        let (rate, fresh) = if self == Self::Learned {
            let rhythm = Rhythm::of(snapshot, now);
            let bounds = Bounds { default: 24 * HOUR, shortest: 2 * HOUR, longest: 7 * 24 * HOUR };
            (Some(rhythm.changes_per_business_day), jittered(lifetime(rhythm, &bounds), &snapshot.cnj, now))
        } else {
            (None, 24 * HOUR)
        };
        let movements = snapshot.total_movements();
        Known { cnj: snapshot.cnj, last_sync: now, valid_until: now + fresh, rate, movements }
    }

    /// The next batch, by place in `known`.
    pub(crate) fn pick(self, known: &[Known], now: DateTime<Utc>, calls_left: u32) -> Vec<usize> {
        match self {
            Self::Earlier => {
                let class = |known: &Known| match known.valid_until - now {
                    left if left > TimeDelta::zero() && left <= WINDOW => 0,
                    left if left <= TimeDelta::zero() && left > TimeDelta::hours(-24) => 1,
                    _ => 2,
                };
                let due = |known: &Known| known.valid_until <= now + WINDOW;
                first(known, due, |known| (class(known), known.valid_until, known.cnj))
            }
            Self::RoundRobin => first(known, |_| true, |known| (0, known.last_sync, known.cnj)),
            Self::Learned => {
                let candidates = known.iter().map(|known| Candidate {
                    cnj: known.cnj,
                    valid_until: known.valid_until,
                    last_sync: known.last_sync,
                    change_rate: known.rate,
                    watched: false,
                    // All alike: what is measured is the delay of news, whoever reads it.
                    reads_per_day: 1.0,
                    total_movements: known.movements,
                    failures: 0,
                });
                let chosen = choose(candidates.collect(), now, calls_left, &Rules { batch: BATCH, ..Rules::default() });
                let place = |cnj| known.iter().position(|known| known.cnj == cnj).expect("it was offered");
                chosen.into_iter().map(|choice| place(choice.cnj)).collect()
            }
        }
    }
}

fn first<K: Ord>(known: &[Known], due: impl Fn(&Known) -> bool, key: impl Fn(&Known) -> K) -> Vec<usize> {
    let mut places: Vec<usize> = (0..known.len()).filter(|place| due(&known[*place])).collect();
    places.sort_by_cached_key(|place| key(&known[*place]));
    places.truncate(BATCH);
    places
}
