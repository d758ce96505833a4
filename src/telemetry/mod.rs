//! What the service says of itself: metrics, log lines, panics.

pub mod logging;
pub mod metrics;

pub use metrics::{
    ActorLabel, HoldLabels, LaneLabel, LookupLabels, Metrics, PeriodLabel, SourceLabel, TierLabel, UpstreamLabels,
};
