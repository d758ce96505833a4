//! How often something happens in a process: learned from the days on which it moved.
//!
//! Days are counted, not movements: a court that files a decision writes ten lines at once, and one look finds them all. Recent days
//! weigh more. A Gamma prior stands for what is known of the phase before the process has shown anything of its own.

use chrono::{DateTime, NaiveDate, Utc};

use super::calendar::{activity, day_of, midnight};
use super::court::Segment;
use super::phase::Phase;
use super::render::phase_report;
use super::snapshot::Snapshot;

/// The quietest, in changes for each business day: about once in four years. Even an archived case may be reopened, so no process is
/// ever certain to have no news.
pub const MIN_RATE: f64 = 0.001;
/// The busiest: every business day. Days are counted, so there are no more.
pub const MAX_RATE: f64 = 1.0;

/// After so many business days a movement weighs half: a third of a working year, which is about as long as a phase lasts.
const HALF_LIFE: f64 = 75.0;
/// Business days after which a movement weighs nothing (2⁻⁸): bounds the work for a process of many years.
const HORIZON: f64 = 8.0 * HALF_LIFE;

/// An ordinary process: a trial in a state's court, something about every eight business days. Lifetimes are anchored here.
pub const ORDINARY_RATE: f64 = 0.12;

/// How often a process changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rhythm {
    /// Days with movements, for each business day: [`MIN_RATE`] to [`MAX_RATE`].
    pub changes_per_business_day: f64,
}

impl Rhythm {
    /// Learned from the process's own movements, leaning on the prior of its phase and segment while they are few.
    ///
    /// `now` is when the vendor last said that these are all: silence since then is no evidence. Movements without a date or with
    /// one to come count for nothing. One pass over the movements, and one classification of each for the phase.
    #[must_use]
    pub fn of(snapshot: &Snapshot, now: DateTime<Utc>) -> Self {
        let phase = phase_report(snapshot).current;
        let days = snapshot.movements.iter().filter_map(|movement| movement.date);
        Self::learned(days, snapshot.cnj.segment(), phase, now)
    }

    /// What is expected of a process of which only segment and phase are known.
    #[must_use]
    pub fn prior(segment: Segment, phase: Phase) -> Self {
        Self::bounded(prior_rate(segment, phase))
    }

    /// The posterior mean of a Gamma prior: (changes believed + changes seen) / (days believed + days watched).
    fn learned(days: impl Iterator<Item = NaiveDate>, segment: Segment, phase: Phase, now: DateTime<Utc>) -> Self {
        let today = day_of(now);
        let mut days: Vec<NaiveDate> = days.filter(|day| *day <= today).collect();
        // Sorted already as a rule; then this is one pass.
        days.sort_unstable_by(|a, b| b.cmp(a));
        days.dedup();
        let age = |day: NaiveDate| activity(midnight(day), now);
        let ages = days.iter().map(|day| age(*day)).take_while(|age| *age <= HORIZON);
        let seen: f64 = ages.map(|age| (-age / HALF_LIFE).exp2()).sum();
        let span = days.last().map_or(0.0, |oldest| age(*oldest)).min(HORIZON);
        let watched = HALF_LIFE / std::f64::consts::LN_2 * (1.0 - (-span / HALF_LIFE).exp2());
        let believed = belief(phase);
        Self::bounded((prior_rate(segment, phase) * believed + seen) / (believed + watched))
    }

    fn bounded(rate: f64) -> Self {
        Self { changes_per_business_day: rate.clamp(MIN_RATE, MAX_RATE) }
    }
}

/// Changes for each business day. The shape is the earlier implementation's table of re-sync times by phase (4 h, 8 h, 12 h, 48 h, 7 d,
/// 30 d; never measured), read as "so much rarer than in a trial"; the level is [`ORDINARY_RATE`].
fn prior_rate(segment: Segment, phase: Phase) -> f64 {
    let by_phase = match phase {
        Phase::Inicial => 8.0 / 4.0,
        Phase::Instrutoria => 1.0,
        Phase::Decisoria => 8.0 / 12.0,
        Phase::Recursal => 8.0 / 48.0,
        Phase::Final => 8.0 / (7.0 * 24.0),
        Phase::Arquivado => 8.0 / (30.0 * 24.0),
    };
    // Its table by area of law, as far as a segment tells the area: labour cases move faster (× 0.8 of the time), federal ones,
    // mostly about pensions, slower (× 1.8).
    let by_segment = match segment {
        Segment::Trabalho => 1.0 / 0.8,
        Segment::Federal => 1.0 / 1.8,
        _ => 1.0,
    };
    ORDINARY_RATE * by_phase * by_segment
}

/// How many business days of watching the prior is worth: a month, but a year where the phase itself says that it is over and what the
/// process did before says little.
const fn belief(phase: Phase) -> f64 {
    match phase {
        Phase::Inicial | Phase::Instrutoria | Phase::Decisoria | Phase::Recursal => 20.0,
        Phase::Final => 60.0,
        Phase::Arquivado => 240.0,
    }
}

#[cfg(test)]
#[path = "rhythm_tests.rs"]
mod tests;
