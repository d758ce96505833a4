//! Which processes a cycle refreshes, and why. Pure: the candidates, the time and what is left of the day are passed in.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::worth::RefreshPrice;
use crate::domain::cnj::Cnj;

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
    /// Refreshes that failed since the last success.
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
}

/// What a choice obeys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// What expires within it goes first (`JUSCACHE_SYNC_WINDOW`).
    pub window: Duration,
    /// Most processes of one batch (`JUSCACHE_SYNC_BATCH`).
    pub batch: usize,
    /// What a refresh costs.
    pub price: RefreshPrice,
}

impl Default for Rules {
    fn default() -> Self {
        Self { window: Duration::from_secs(2 * 3600), batch: 10, price: RefreshPrice::default() }
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
    /// Expected reads without the news, for each centavo.
    pub worth: f64,
    /// The most vendor requests that its refresh may take.
    pub calls: u32,
    /// One English sentence for an operator.
    pub explanation: String,
}

/// The processes of the next batch, the most urgent first; together they take at most `calls_left` vendor requests.
#[must_use]
pub fn choose(candidates: Vec<Candidate>, now: DateTime<Utc>, calls_left: u32, rules: &Rules) -> Vec<Choice> {
    let mut left = calls_left;
    let mut chosen = Vec::new();
    for candidate in candidates {
        let pages = u32::try_from(candidate.total_movements / 500 + 1).unwrap_or(u32::MAX);
        let calls = pages.saturating_add(3);
        if candidate.valid_until > now + rules.window || calls > left || chosen.len() >= rules.batch {
            continue;
        }
        left -= calls;
        chosen.push(Choice {
            cnj: candidate.cnj,
            valid_until: candidate.valid_until,
            class: if candidate.valid_until > now { Class::Expiring } else { Class::Expired },
            worth: 0.0,
            calls,
            explanation: String::new(),
        });
    }
    chosen
}
