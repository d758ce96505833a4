//! The only file that touches the real clock and the real randomness; everything else is handed a [`Clock`] or a [`Random`].

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// What time it is, for whoever must not ask the machine.
pub trait Clock: Debug + Send + Sync {
    /// Wall time, for what is stored and shown. It may jump.
    fn now(&self) -> DateTime<Utc>;
    /// Monotonic time, for durations and deadlines. It never goes back.
    fn monotonic(&self) -> Instant;
}

/// A clock that many owners share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock, ready to be shared.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this file owns the clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this file owns the clock")]
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// The machine's clock, moved by an offset that a test sets: a copy can be made a day old without waiting a day.
#[derive(Debug, Default)]
pub struct ShiftedClock {
    offset_ms: AtomicI64,
}

impl ShiftedClock {
    /// Moves wall time forward by `by`; monotonic time, and so every deadline, stays real.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Moves wall time back by `by`.
    pub fn set_back(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset_ms.fetch_sub(ms, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::milliseconds(self.offset_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Instant {
        SystemClock.monotonic()
    }
}

/// A source of fractions in `[0, 1)`: jitter, sampling.
pub trait Random: Debug + Send + Sync {
    /// The next fraction.
    fn fraction(&self) -> f64;
    /// Fresh bits for an identity (request id, node id).
    fn bits(&self) -> u128;
}

/// A randomness that many owners share.
pub type SharedRandom = Arc<dyn Random>;

/// The machine's randomness.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemRandom;

impl SystemRandom {
    /// The machine's randomness, ready to be shared.
    #[must_use]
    pub fn shared() -> SharedRandom {
        Arc::new(Self)
    }
}

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "this file owns randomness")]
    fn fraction(&self) -> f64 {
        rand::random::<f64>()
    }

    #[expect(clippy::disallowed_methods, reason = "this file owns randomness")]
    fn bits(&self) -> u128 {
        rand::random::<u128>()
    }
}
