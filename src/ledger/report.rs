//! What an operator asks of the ledger: what was spent, on what, and what it would have cost without the cache.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Which days a report is about, both ends included, as days in America/Sao_Paulo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Days {
    /// Yesterday and today.
    Recent,
    /// Yesterday.
    Yesterday,
    /// Today so far.
    Today,
    /// The month so far.
    Month,
    /// From one day to another.
    Range(NaiveDate, NaiveDate),
}

/// What was spent in a span of days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerReport {
    /// First day, in America/Sao_Paulo.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// Requests sent to vendors.
    pub requests: u64,
    /// What they cost, in centavos.
    pub spent_centavos: u64,
    /// The part of it that the vendor may not have charged: requests whose answer never came.
    pub presumed_centavos: u64,
    /// What the copies saved, in centavos: every lookup answered without buying, at the price of one fetch.
    pub avoided_centavos: u64,
    /// Both together: what it would have cost without the cache.
    pub without_cache_centavos: u64,
    /// Day by day, the latest first; days without a row are left out.
    pub days: Vec<DaySum>,
    /// By provider and endpoint.
    pub by_endpoint: Vec<Sum>,
    /// By lane.
    pub by_lane: Vec<Sum>,
    /// By client.
    pub by_client: Vec<Sum>,
    /// By outcome.
    pub by_outcome: Vec<Sum>,
    /// The processes that cost the most, at most twenty.
    pub by_process: Vec<Sum>,
    /// What each tier avoided.
    pub avoided: Vec<Avoided>,
    /// The caps and what is left of them.
    pub budget: BudgetReport,
}

/// One line of a breakdown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// What is summed up: `escavador/cover`, `interactive`, a process's number, …
    pub name: String,
    /// Requests.
    pub requests: u64,
    /// Centavos.
    pub centavos: u64,
}

/// One day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySum {
    /// The day, in America/Sao_Paulo.
    pub day: NaiveDate,
    /// Requests.
    pub requests: u64,
    /// Centavos spent.
    pub spent_centavos: u64,
    /// Centavos avoided.
    pub avoided_centavos: u64,
}

/// What one tier avoided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Avoided {
    /// `memory`, `redis`, `database`, `coalesced`, or `confirmed` (a free check said that nothing is new).
    pub tier: String,
    /// Lookups it answered, each of which would have been a fetch.
    pub lookups: u64,
    /// What they would have cost, in centavos.
    pub centavos: u64,
}

/// The caps, and how far they are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetReport {
    /// Of today.
    pub day: BudgetLine,
    /// Of this month.
    pub month: BudgetLine,
}

/// One cap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetLine {
    /// The cap in centavos; null when none is set.
    pub cap_centavos: Option<u64>,
    /// Spent so far.
    pub spent_centavos: u64,
    /// Set aside for requests under way, and as the nodes' local reserves.
    pub reserved_centavos: u64,
    /// What may still be set aside; null without a cap.
    pub left_centavos: Option<u64>,
}
