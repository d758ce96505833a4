//! What one fetch has used up so far.

use crate::ledger::call::Cost;

/// Requests and money of one fetch, failed attempts included.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Requests sent, retries included.
    pub(super) requests: u32,
    /// Centavos of a real, as the ledger has them.
    pub(super) cost_centavos: u64,
}

impl Tally {
    pub(super) fn count_request(&mut self) {
        self.requests = self.requests.saturating_add(1);
    }

    pub(super) fn charge(&mut self, cost: Cost) {
        self.cost_centavos = self.cost_centavos.saturating_add(cost.centavos());
    }
}
