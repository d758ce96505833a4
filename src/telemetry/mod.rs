//! What the service says of itself: metrics, log lines, panics.

pub mod logging;
pub mod metrics;

pub use metrics::{ActorLabel, LaneLabel, LookupLabels, Metrics, SourceLabel, TierLabel, UpstreamLabels};
