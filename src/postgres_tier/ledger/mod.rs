//! The ledger, the budget and the accounts with the vendors, as the durable tier keeps them.
//!
//! - The money of a row is booked in the statement that stores the row, and only when the row is new. So what `budget_periods` calls
//!   spent is the sum of the ledger at every moment, however often a batch is repeated and by whomever.
//! - Days are days in America/Sao_Paulo by the database's clock: nodes whose clocks differ agree on when a cap begins anew.
//! - `rounds`: before one process takes stock, all say that they have nothing under way (`ledger_nodes`).
//! - Whatever takes locks is one statement (the functions of `migrations/…_ledger_and_budget`), so that a node that freezes holds none.

mod handlers;
pub mod messages;
mod models;
mod queries;
mod report;
mod rounds;
