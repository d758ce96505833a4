//! Both sides' figures.

use juscache::sandbox::{Control, Endpoint};

use crate::support::postgres::Postgres;

/// Endpoints by their names in the ledger, and the vendor's route for them.
const ROUTES: [(&str, Endpoint); 4] = [
    ("'cover'", Endpoint::Cover),
    ("'movements', 'movements-next'", Endpoint::Movements),
    ("'status'", Endpoint::Status),
    ("'balance'", Endpoint::Credits),
];

/// The ledger of one database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ledger<'a> {
    pub(super) cluster: &'a Postgres,
    pub(super) database: &'a str,
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Rows of the ledger.
    pub(super) rows: i64,
    /// Requests that the vendor received.
    pub(super) received: i64,
    /// Rows of requests that may never have reached the vendor.
    pub(super) unheard: i64,
    /// Rows whose cost was presumed once.
    pub(super) doubtful: i64,
    /// Of these, how many turned out not to have been charged.
    pub(super) corrected: i64,
    /// The ledger's total, in centavos.
    pub(super) booked: i64,
    /// The vendor's, in centavos.
    pub(super) charged: i64,
}

impl Ledger<'_> {
    fn number(self, sql: &str) -> i64 {
        let rows = self.cluster.rows(self.database, sql);
        rows.first().and_then(|row| row[0].as_deref()).map_or(0, |text| text.parse().expect("a number"))
    }

    /// Whether there is nothing left to be found out, by what the ledger itself knows.
    pub(super) fn is_settled(self, vendor: &Control) -> bool {
        vendor.in_flight() == 0
            && self.number("SELECT count(*) FROM api_calls WHERE cost_basis = 'presumed'") == 0
            && self.number(&format!(
                "SELECT count(*) FROM vendor_accounts WHERE provider = 'escavador' AND booked_centavos = spent_centavos
                 AND balance_centavos = {}",
                vendor.credits()
            )) == 1
    }

    /// Everything side by side.
    ///
    /// # Errors
    /// What must agree and does not.
    pub(super) fn audit(self, vendor: &Control) -> Result<Figures, String> {
        let mut figures = Figures {
            doubtful: self.number("SELECT count(*) FROM api_calls WHERE cost_basis = 'reconciled'"),
            corrected: self
                .number("SELECT count(*) FROM api_calls WHERE cost_basis = 'reconciled' AND cost_centavos = 0"),
            booked: self.number("SELECT sum(cost_centavos)::bigint FROM api_calls"),
            charged: vendor.charged(),
            ..Figures::default()
        };
        let mut wrong = Vec::new();
        for (names, route) in ROUTES {
            let rows = self.number(&format!("SELECT count(*) FROM api_calls WHERE endpoint IN ({names})"));
            let unheard = self.number(&format!(
                "SELECT count(*) FROM api_calls WHERE endpoint IN ({names}) AND http_status IS NULL
                 AND outcome IN ('interrupted', 'unreachable', 'timed-out')"
            ));
            let received = i64::try_from(vendor.call_count(route)).expect("a count");
            if !(rows - unheard..=rows).contains(&received) {
                wrong.push(format!("{names}: {rows} rows, {unheard} of them perhaps unheard, {received} received"));
            }
            figures.rows += rows;
            figures.received += received;
            figures.unheard += unheard;
        }
        let periods = self.number("SELECT sum(spent_centavos)::bigint FROM budget_periods WHERE length(period) = 10");
        let months = self.number("SELECT sum(spent_centavos)::bigint FROM budget_periods WHERE length(period) = 7");
        let account = self.number("SELECT spent_centavos FROM vendor_accounts WHERE provider = 'escavador'");
        for (what, centavos) in
            [("vendor", figures.charged), ("days", periods), ("months", months), ("account", account)]
        {
            if centavos != figures.booked {
                wrong.push(format!("{what}: {centavos} centavos, but the ledger has {}", figures.booked));
            }
        }
        if wrong.is_empty() { Ok(figures) } else { Err(format!("{wrong:#?}\n{figures:?}")) }
    }

    /// Money that is set aside, in centavos.
    pub(super) fn set_aside(self) -> i64 {
        self.number("SELECT coalesce(sum(centavos), 0)::bigint FROM budget_reservations")
            + self.number("SELECT coalesce(sum(reserved_centavos), 0)::bigint FROM budget_periods")
    }

    /// What there is to be read, for whoever has to find out why.
    pub(super) fn told(self) -> String {
        ["vendor_accounts", "ledger_nodes"]
            .map(|table| format!("SELECT * FROM {table}"))
            .into_iter()
            .chain(["SELECT endpoint, outcome, cost_basis, expected_centavos, cost_centavos, count(*) FROM api_calls
             GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
                .to_owned()])
            .map(|sql| self.cluster.psql(self.database, &sql))
            .collect()
    }
}
