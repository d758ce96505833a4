//! What one fetch has used up so far.

use prometheus_client::metrics::counter::Counter;

/// Requests and money of one fetch, failed attempts included.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Requests sent, retries included.
    pub(super) requests: u32,
    /// Centavos of a real, as far as the vendor said.
    pub(super) cost_centavos: u64,
    /// Where the money is counted at once, so that what a fetch spent is known even if it is never finished.
    spent: Counter,
}

impl Tally {
    /// Nothing so far; what is spent is added to `spent` as well.
    pub(super) fn new(spent: Counter) -> Self {
        Self { requests: 0, cost_centavos: 0, spent }
    }

    pub(super) fn count_request(&mut self) {
        self.requests = self.requests.saturating_add(1);
    }

    /// Adds what an answer's `Creditos-Utilizados` says; without the header, or with one that is no amount, the cost is unknown and
    /// counts as nothing.
    pub(super) fn charge(&mut self, header: Option<&str>) {
        let centavos = header.and_then(centavos).unwrap_or(0);
        self.cost_centavos = self.cost_centavos.saturating_add(centavos);
        self.spent.inc_by(centavos);
    }
}

/// Reads an amount: documented as an integer in centavos; a fraction is rounded up, so that we never think we spent less.
fn centavos(text: &str) -> Option<u64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let whole: u64 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    whole.checked_add(u64::from(fraction.bytes().any(|byte| byte != b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_leniently() {
        let read = |text: &str| {
            let mut tally = Tally::default();
            tally.charge(Some(text));
            tally.cost_centavos
        };
        for (text, cost) in [("300", 300), (" 5 ", 5), ("0", 0), ("299.01", 300), ("12.0", 12), ("7,5", 8)] {
            assert_eq!(read(text), cost, "{text:?}");
        }
        for text in ["", "-5", "free", "R$ 3,00", "1.x", "99999999999999999999", "18446744073709551615.1"] {
            assert_eq!(read(text), 0, "{text:?}");
        }
    }

    #[test]
    fn a_sum_does_not_overflow() {
        let mut tally = Tally::default();
        tally.charge(Some("18446744073709551615"));
        tally.charge(Some("1"));
        tally.charge(None);
        assert_eq!(tally.cost_centavos, u64::MAX);
    }
}
