//! What to do when something outside fails, decided by pure state machines: no actor, no runtime, no clock of their own.
//!
//! Whoever uses them passes the moment in, so that every decision can be tested without waiting for it.

pub mod adaptive;
pub mod allowance;
pub mod backoff;
pub mod breaker;
pub mod deadline;
pub mod gcra;
pub mod retry_budget;

pub use adaptive::{Adaptive, AdaptiveSettings, Answered};
pub use allowance::Allowance;
pub use backoff::Backoff;
pub use breaker::{Admission, Breaker, BreakerSettings, BreakerState};
pub use deadline::Deadline;
pub use gcra::{Gcra, Micros};
pub use retry_budget::{RetryBudget, RetryBudgetSettings};
