//! Messages to work, each in a task of its own, so that a slow report delays no reservation.

use super::messages::{
    AccountBooks, AddAvoided, Attest, BeginRound, CloseAccount, NodeReport, ReadAccount, ReadBudget, ReadLedger,
    ReadNodes, ReadPrices, ReadRound, Release, ReleaseNode, Reserve, Reserved, StoreCalls,
};
use super::{queries, rounds};
use crate::domain::snapshot::Provider;
use crate::ledger::call::Endpoint;
use crate::ledger::report::{BudgetReport, LedgerReport};

answer!(StoreCalls => (), store_timeout, queries::store_calls);
// Nodes wait for each other here, which says nothing about the server: longer than a read.
answer!(Reserve => Reserved, store_timeout, queries::reserve);
answer!(Release => (), store_timeout, queries::release);
answer!(ReleaseNode => (), store_timeout, queries::release_node);
answer!(ReadBudget => BudgetReport, read_timeout, queries::read_budget);
answer!(ReadLedger => LedgerReport, store_timeout, queries::read_ledger);
answer!(ReadPrices => Vec<(Provider, Endpoint, u64)>, store_timeout, queries::read_prices);
answer!(AddAvoided => (), store_timeout, queries::add_avoided);
answer!(ReadAccount => AccountBooks, store_timeout, queries::read_account);
answer!(BeginRound => Option<u64>, store_timeout, rounds::begin_round);
answer!(ReadRound => u64, store_timeout, rounds::read_round);
answer!(Attest => (), store_timeout, rounds::attest);
answer!(ReadNodes => Vec<NodeReport>, store_timeout, rounds::read_nodes);
answer!(CloseAccount => bool, store_timeout, queries::close_account);
