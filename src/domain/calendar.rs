//! The courts' calendar: days in São Paulo, and how much of a span of time is working time.

use chrono::{DateTime, Utc};

/// Working time between two instants, in business days; 0 when `to` is not after `from`.
#[must_use]
pub fn activity(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).as_seconds_f64().max(0.0) / 86_400.0 * 5.0 / 7.0
}
