//! What is asked about money, and what is answered.

use std::sync::Arc;
use std::time::Duration;

use actix::Message;

use crate::domain::snapshot::Provider;
use crate::ledger::call::{Call, Draw, Endpoint, Id};
use crate::ledger::report::{Avoided, BudgetReport, Days, LedgerReport};
use crate::postgres_tier::messages::PostgresError;

/// Stores rows of the ledger and books their money. A row that is stored already is left alone, so after any error the whole
/// message may be sent again, by this node or another. Each [`BATCH`](Self::BATCH) of it is a transaction.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct StoreCalls {
    /// The process that stores them.
    pub node: Id,
    /// The rows.
    pub calls: Arc<[Call]>,
}

impl StoreCalls {
    /// As many rows as one transaction takes: the budget is locked until they are written.
    pub const BATCH: usize = 1_000;
}

/// Sets money aside, for all that is wanted or for none of it, unless that would exceed a cap. Repeated with the same names it sets
/// aside once.
///
/// After an error it may still have been done: [`Release`] the names.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Reserved, PostgresError>")]
pub struct Reserve {
    /// The process that asks.
    pub node: Id,
    /// One for each request.
    pub wanted: Vec<Draw>,
    /// What must not be exceeded.
    pub caps: Caps,
}

/// The most that may be spent, in centavos; none: no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    /// On one day in America/Sao_Paulo.
    pub day: Option<u64>,
    /// In one month.
    pub month: Option<u64>,
}

/// What became of a [`Reserve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// The money is set aside.
    Granted {
        /// To the end of the day whose budget it is taken from, by the database's clock.
        ends_in: Duration,
    },
    /// What is spent and set aside leaves less than that.
    Exhausted {
        /// Whose cap. The month's, when both are used up.
        period: Period,
        /// To the end of that period, by the database's clock.
        ends_in: Duration,
    },
}

/// What a cap is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A day.
    Day,
    /// A month.
    Month,
}

/// Gives back what is left of reservations. Those that are gone are passed over.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct Release {
    /// Which.
    pub reservations: Vec<Id>,
}

/// Gives back what is left of all that a process had set aside, and forgets it: for one that is dead, or has nothing left to say.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct ReleaseNode {
    /// The process.
    pub node: Id,
}

/// Asks how far the caps are used up.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<BudgetReport, PostgresError>")]
pub struct ReadBudget {
    /// The caps.
    pub caps: Caps,
}

/// Asks what was spent.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<LedgerReport, PostgresError>")]
pub struct ReadLedger {
    /// When. Of a range longer than [`MOST_DAYS`](Self::MOST_DAYS) the last days are reported.
    pub days: Days,
    /// The caps.
    pub caps: Caps,
}

impl ReadLedger {
    /// A year and its neighbours: more would be read for nobody, and the readers of copies wait for the same database.
    pub const MOST_DAYS: u32 = 400;
}

/// Asks what requests cost: the most that was charged for one that succeeded in the last 30 days, by provider and endpoint.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<(Provider, Endpoint, u64)>, PostgresError>")]
pub struct ReadPrices;

/// Adds to what was avoided today. An estimate: what is added while the connection breaks may count twice.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct AddAvoided {
    /// By tier.
    pub avoided: Vec<Avoided>,
}

/// Asks what the ledger has booked with a vendor, and what of it is presumed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<AccountBooks, PostgresError>")]
pub struct ReadAccount {
    /// The vendor.
    pub provider: Provider,
}

impl ReadAccount {
    /// As many presumed rows as are named.
    pub const MOST_PRESUMED: u32 = 10_000;
}

/// An account with a vendor, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountBooks {
    /// The cost of all its rows.
    pub booked_centavos: u64,
    /// Rows whose cost is presumed, and that cost; the newest first, at most [`MOST_PRESUMED`](ReadAccount::MOST_PRESUMED).
    pub presumed: Vec<(Id, u64)>,
    /// The last stock-taking.
    pub base: Option<BalanceBase>,
}

/// What a stock-taking found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalanceBase {
    /// The balance that the vendor told.
    pub balance_centavos: i64,
    /// What the ledger had booked at that moment.
    pub booked_centavos: u64,
}

/// Takes stock: every presumed cost of a vendor becomes final, and the balance is kept for the next time. Answers `false`, and
/// does nothing, when the ledger has booked something since it was read, or when a round was begun after ours. After a lost answer it may be `false` because it is done.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<bool, PostgresError>")]
pub struct CloseAccount {
    /// The vendor.
    pub provider: Provider,
    /// The last round that we began.
    pub round: u64,
    /// The balance that the vendor told.
    pub balance_centavos: i64,
    /// [`AccountBooks::booked_centavos`], as read.
    pub booked_centavos: u64,
    /// The presumed rows that were not charged. The others were.
    pub uncharged: Vec<Id>,
}

/// Begins a round of questions to the other processes (see [`Attest`]); gives its number, or none while another process takes stock.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Option<u64>, PostgresError>")]
pub struct BeginRound {
    /// Whose account is looked at.
    pub provider: Provider,
    /// Who takes stock.
    pub node: Id,
}

/// Asks which round was begun last.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<u64, PostgresError>")]
pub struct ReadRound {
    /// Whose account is looked at.
    pub provider: Provider,
}

/// Says that a process may have requests that are not in the ledger's table, and answers a round. [`ReleaseNode`] ends it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), PostgresError>")]
pub struct Attest {
    /// What is said.
    pub report: NodeReport,
}

/// What one process says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeReport {
    /// The process.
    pub node: Id,
    /// The round that it answers: it had read that it was begun before it looked at the rest.
    pub round: u64,
    /// How many requests it has sent to the vendor since its start.
    pub sent: u64,
    /// Whether nothing is under way and all is stored, and has been for a while.
    pub is_quiet: bool,
}

/// Asks what the other processes have said that were heard of within a day.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<NodeReport>, PostgresError>")]
pub struct ReadNodes {
    /// The process that asks.
    pub but: Id,
}
