//! What a request will cost: the configured price until the vendor has said another one, then the largest it said lately. Pure.

use std::collections::{HashMap, VecDeque};

use crate::ledger::call::{Charge, Cost, Endpoint};

/// Charges of one endpoint that are remembered: enough that a free page among paid ones does not make the next one look free.
const REMEMBERED: usize = 16;

/// Configured prices, in centavos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceList {
    /// A cover.
    pub cover: u64,
    /// The first page of movements.
    pub movements: u64,
    /// Each later page. Whether these are charged is not known.
    pub movements_next: u64,
    /// `status-atualizacao`.
    pub status: u64,
    /// An update request.
    pub update_request: u64,
    /// A monitor for a month. Never drawn from a budget: for reports.
    pub monitor_month: u64,
}

impl Default for PriceList {
    /// The highest seen (measured in the vendor's panel, 2026-08): a cap is kept even if the real prices are the worst known, and the
    /// first answer corrects them.
    fn default() -> Self {
        Self { cover: 300, movements: 300, movements_next: 300, status: 0, update_request: 320, monitor_month: 300 }
    }
}

impl PriceList {
    /// A vendor that charges nothing.
    pub const FREE: Self =
        Self { cover: 0, movements: 0, movements_next: 0, status: 0, update_request: 0, monitor_month: 0 };

    fn of(&self, endpoint: Endpoint) -> u64 {
        match endpoint {
            Endpoint::Cover => self.cover,
            Endpoint::Movements => self.movements,
            Endpoint::MovementsNext => self.movements_next,
            Endpoint::Status => self.status,
            Endpoint::UpdateRequest => self.update_request,
            // A monitor's month is charged apart from its creation, which was measured as free.
            Endpoint::Balance | Endpoint::Monitors | Endpoint::Callbacks | Endpoint::Search => 0,
        }
    }
}

/// Prices as they are known now.
#[derive(Debug)]
pub struct Prices {
    configured: PriceList,
    said: HashMap<Endpoint, VecDeque<u64>>,
}

impl Prices {
    /// The configured ones.
    #[must_use]
    pub fn new(configured: PriceList) -> Self {
        Self { configured, said: HashMap::new() }
    }

    /// Notes what the vendor charged for an answer.
    pub fn note(&mut self, endpoint: Endpoint, centavos: u64) {
        if endpoint == Endpoint::Monitors {
            // Creating, listing and removing go by one name: were the first charged one day, the others would still be free.
            return;
        }
        let said = self.said.entry(endpoint).or_default();
        if said.len() >= REMEMBERED {
            said.pop_front();
        }
        said.push_back(centavos);
    }

    /// What a request may cost, in centavos.
    #[must_use]
    pub fn expected(&self, endpoint: Endpoint) -> u64 {
        let said = self.said.get(&endpoint).and_then(|said| said.iter().max().copied());
        said.unwrap_or_else(|| self.configured.of(endpoint))
    }

    /// What buying one process costs at the least: its cover and the first page of its movements.
    #[must_use]
    pub fn of_a_fetch(&self) -> u64 {
        self.expected(Endpoint::Cover).saturating_add(self.expected(Endpoint::Movements))
    }
}

/// What a request cost, from what the vendor said and how far its answer came.
///
/// A success that does not name its price, and an answer of which not even the status came, may have been charged: the expected price is
/// presumed. So it is for what a gateway says when it lost the answer on the way. Anything else that is no success is not charged
/// (measured for 422; the documentation gives the header for paid answers only).
#[must_use]
pub fn cost(charge: Charge, status: Option<u16>, expected: u64) -> Cost {
    let may_be_charged = status.is_none_or(|status| (200..300).contains(&status) || is_lost_on_the_way(status));
    match charge {
        Charge::Said(centavos) => Cost::Charged(centavos),
        Charge::Silent if may_be_charged && expected > 0 => Cost::Presumed(expected),
        Charge::Silent | Charge::NotSent => Cost::NOTHING,
    }
}

/// Whether a status is a gateway's, which may have lost an answer that was given, and charged, behind it.
#[must_use]
pub fn is_lost_on_the_way(status: u16) -> bool {
    matches!(status, 408 | 502 | 504 | 520..=524)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_word_corrects_the_configured_price() {
        let mut prices = Prices::new(PriceList::default());
        assert_eq!((prices.expected(Endpoint::Cover), prices.of_a_fetch()), (300, 600));
        prices.note(Endpoint::Cover, 5);
        assert_eq!(prices.expected(Endpoint::Cover), 5);
        prices.note(Endpoint::Status, 2);
        assert_eq!(prices.expected(Endpoint::Status), 2, "a route that was said to be free is not");
    }

    #[test]
    fn one_free_answer_among_paid_ones_promises_nothing() {
        let mut prices = Prices::new(PriceList::default());
        [300, 0, 0].into_iter().for_each(|centavos| prices.note(Endpoint::MovementsNext, centavos));
        assert_eq!(prices.expected(Endpoint::MovementsNext), 300);
        (0..REMEMBERED).for_each(|_| prices.note(Endpoint::MovementsNext, 0));
        assert_eq!(prices.expected(Endpoint::MovementsNext), 0);
    }

    #[test]
    fn what_may_have_been_charged_is_presumed() {
        for status in [None, Some(200), Some(201), Some(502), Some(504), Some(524)] {
            assert_eq!(cost(Charge::Silent, status, 300), Cost::Presumed(300), "{status:?}");
            assert_eq!(cost(Charge::Silent, status, 0), Cost::NOTHING, "{status:?}");
        }
        for status in [302, 401, 402, 404, 422, 429, 500, 503] {
            assert_eq!(cost(Charge::Silent, Some(status), 300), Cost::NOTHING, "{status}");
            assert_eq!(cost(Charge::Said(7), Some(status), 300), Cost::Charged(7), "{status}");
        }
        assert_eq!(cost(Charge::NotSent, None, 300), Cost::NOTHING);
    }
}
