//! How much is put up with from actors. Not in the environment: an operator who wants to tune this has found a bug.

use std::time::Duration;

use crate::resilience::Backoff;
use crate::supervision::{Heartbeat, RestartIntensity};

/// The supervisor's patience.
#[derive(Debug, Clone, Copy)]
pub struct SupervisionSettings {
    /// A stuck shard holds up its readers, so actors are asked often and given little time. A second is more than any of
    /// their handlers may take, and enough for a machine that is busy with something else.
    pub heartbeat: Heartbeat,
    /// A restart costs a millisecond; the first ones come quickly, an actor that keeps dying is tried every few seconds.
    pub backoff: Backoff,
    /// How often a coordinator may die before the process gives up: far more than a hiccup, far less than a loop. A tier is
    /// tried for ever.
    pub intensity: RestartIntensity,
}

impl Default for SupervisionSettings {
    fn default() -> Self {
        Self {
            heartbeat: Heartbeat {
                every: Duration::from_millis(250),
                patience: Duration::from_secs(1),
                longest_zone: Duration::from_secs(60),
            },
            backoff: Backoff {
                base: Duration::from_millis(10),
                cap: Duration::from_secs(5),
                stable_for: Duration::from_secs(10),
            },
            intensity: RestartIntensity { max_restarts: 200, within: Duration::from_secs(60) },
        }
    }
}
