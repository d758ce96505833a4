//! A house with its books open: what the vendor received and charged beside what the ledger says.

use std::ops::Deref;
use std::time::Duration;

use juscache::resilience::backoff::Backoff;
use juscache::sandbox::Endpoint;

use crate::support::house::{Answer, House, Plan};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// For what should happen at once, on a machine that does something else as well.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// A house and its database. They go together.
pub(super) struct Open {
    pub(super) house: House,
    pub(super) database: TestDatabase<'static>,
}

impl Deref for Open {
    type Target = House;

    fn deref(&self) -> &House {
        &self.house
    }
}

/// A plan in which the balance is looked at only when something waits for it, so that calls can be counted.
pub(super) fn plan(database: &TestDatabase<'_>) -> Plan {
    Plan::new(&database.url).with(|settings| {
        settings.coordinator.patience.soft = Duration::from_secs(10);
        settings.coordinator.patience.hard = Duration::from_secs(10);
        settings.fetcher.request_timeout = Duration::from_secs(1);
        settings.fetcher.max_attempts = 2;
        settings.fetcher.retry_base = Duration::from_millis(20);
        settings.fetcher.balance_after = Duration::ZERO;
    })
}

/// Pauses from `base` up to `cap`.
pub(super) fn pauses(base: Duration, cap: Duration) -> Backoff {
    Backoff { base, cap, stable_for: Duration::ZERO }
}

impl Open {
    pub(super) async fn new(hint: &str) -> Self {
        Self::with(hint, |plan| plan).await
    }

    pub(super) async fn with(hint: &str, change: impl FnOnce(Plan) -> Plan) -> Self {
        let database = Postgres::shared().database(hint);
        let house = change(plan(&database)).build().await;
        Self { house, database }
    }

    /// All values of the answer, with blanks between.
    pub(super) fn text(&self, sql: &str) -> String {
        text(&self.database, sql)
    }

    /// What the ledger has, oldest first: endpoint, outcome, centavos, and the basis unless the vendor said so.
    pub(super) fn rows(&self) -> Vec<String> {
        let sql = "SELECT concat_ws(' ', endpoint, outcome, cost_centavos, NULLIF(cost_basis, 'charged'))
                   FROM api_calls ORDER BY at, id";
        Postgres::shared().rows(self.database.name(), sql).into_iter().flatten().flatten().collect()
    }

    /// The rows behind the first `known`, once there are `count` of them.
    pub(super) async fn new_rows(&self, known: usize, count: usize) -> Vec<String> {
        eventually(SOON, "the ledger is in the database", async || self.rows().len() >= known + count).await;
        self.rows().split_off(known)
    }

    /// The sum of the ledger, once every request that the vendor received is in it.
    pub(super) async fn booked(&self) -> i64 {
        let received = self.vendor().calls().len();
        eventually(SOON, "every request is in the ledger", async || self.rows().len() >= received).await;
        assert_eq!(self.rows().len(), received, "{:?}", self.rows());
        self.text("SELECT COALESCE(sum(cost_centavos), 0) FROM api_calls").parse().expect("centavos")
    }

    /// Requests for status, cover and movements (all pages).
    pub(super) fn calls(&self) -> [u64; 3] {
        [Endpoint::Status, Endpoint::Cover, Endpoint::Movements].map(|endpoint| self.vendor().call_count(endpoint))
    }

    /// The vendor has looked at the court just now, and something is new.
    pub(super) fn news(&self, cnj: &str) {
        let id = self.vendor().add_movement(cnj, self.now().date_naive(), "Conclusos para sentença");
        assert!(id.is_some(), "the vendor knows the process");
        self.vendor().verify(cnj, self.now());
    }

    /// The stored copy's provider.
    pub(super) fn stored_provider(&self, cnj: &str) -> String {
        self.text(&format!("SELECT provider FROM process_status_cache WHERE cnj = '{cnj}'"))
    }

    /// A metric's value; none when there is no such series.
    pub(super) async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.metrics().await;
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok())
    }

    /// Whether asking Escavador has stopped for this reason.
    pub(super) async fn is_held(&self, reason: &str) -> bool {
        let series = format!("juscache_upstream_hold{{provider=\"escavador\",reason=\"{reason}\"}}");
        self.metric(&series).await == Some(1.0)
    }

    /// The line of a tier in `/health/ready`, which answers 200 while lookups can be answered.
    pub(super) async fn ready(&self, tier: &str) -> (String, String) {
        let ready = self.get("/health/ready").await;
        assert_eq!(ready.status, 200, "{ready:?}");
        let tiers = ready.body["tiers"].as_array().cloned().unwrap_or_default();
        let line = tiers.into_iter().find(|line| line["name"] == tier).unwrap_or_default();
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        (text("state"), text("detail"))
    }

    pub(super) async fn close(self) {
        self.house.close().await;
    }
}

pub(super) fn text(database: &TestDatabase<'_>, sql: &str) -> String {
    let rows = Postgres::shared().rows(database.name(), sql);
    let values = rows.into_iter().flatten().map(|value| value.unwrap_or_else(|| "-".to_owned()));
    values.collect::<Vec<_>>().join(" ")
}

/// A test that begins on one day and ends on the next would find half of what it spent.
pub(super) async fn not_at_midnight(database: &TestDatabase<'_>) {
    let is_early = "SELECT (now() AT TIME ZONE 'America/Sao_Paulo')::date
                         = ((now() + interval '2 minutes') AT TIME ZONE 'America/Sao_Paulo')::date";
    eventually(Duration::from_secs(150), "midnight is over", async || text(database, is_early) == "t").await;
}

/// Whose copy it is.
pub(super) fn provider(answer: &Answer) -> &str {
    answer.body["freshness"]["provider"].as_str().unwrap_or("none")
}

/// What the reader was told that it spent; a problem that cost nothing does not speak of it.
pub(super) fn cost(answer: &Answer) -> i64 {
    match (answer.status, answer.header("x-juscache-cost")) {
        (503, "") => 0,
        (_, centavos) => centavos.parse().expect("centavos"),
    }
}

pub(super) fn total(answer: &Answer) -> u64 {
    answer.body["total_movements"].as_u64().expect("a count")
}

/// `fresh`, the reason of a stale copy, or a problem's slug.
pub(super) fn word(answer: &Answer) -> &str {
    match answer.status {
        200 if answer.stale() == Some(false) => "fresh",
        200 => answer.reason().unwrap_or("stale without a reason"),
        _ => answer.problem(),
    }
}
