//! The ledger: rows that are booked once, and what is reported of them.

use std::sync::Arc;

use actix::{Handler, Message};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::future::join_all;
use juscache::domain::caller::{Caller, Lane};
use juscache::domain::snapshot::Provider;
use juscache::ledger::call::{Call, CallOutcome, Cost, Draw, Endpoint, Id, Sent};
use juscache::ledger::report::{Avoided, BudgetLine, Days, LedgerReport, Sum};
use juscache::postgres_tier::PostgresTier;
use juscache::postgres_tier::ledger::messages::{
    AccountBooks, AddAvoided, Attest, Caps, NodeReport, ReadAccount, ReadBudget, ReadLedger, ReadPrices, Reserve,
    StoreCalls,
};
use juscache::postgres_tier::messages::PostgresError;
use tokio_postgres::NoTls;

use super::samples::{Tier, number, soon};
use crate::support::postgres::{Postgres, TestDatabase};
use crate::support::wait::eventually;

pub(super) const NODE: Id = Id::new(0xa);
pub(super) const OTHER: Id = Id::new(0xb);

impl Tier {
    /// The answer, which the test needs.
    pub(super) async fn ask<T, M>(&self, message: M) -> T
    where
        PostgresTier: Handler<M>,
        M: Message<Result = Result<T, PostgresError>> + Send + 'static,
        T: Send + 'static,
    {
        self.actor.ask(message, soon()).await.unwrap().unwrap()
    }

    pub(super) async fn store_calls(&self, node: Id, calls: &[Call]) {
        self.ask(StoreCalls { node, calls: calls.into() }).await;
    }
}

/// A database of the test's own, and a tier on it.
pub(super) struct Books {
    pub(super) database: TestDatabase<'static>,
    pub(super) tier: Tier,
}

impl Books {
    pub(super) async fn new(hint: &str) -> Self {
        let database = Postgres::shared().database(hint);
        let tier = Tier::on(&database.url).await;
        let books = Self { database, tier };
        // A test that begins on one day and ends on the next would find half of what it spent.
        let is_early = "SELECT budget_day(now()) = budget_day(now() + interval '1 minute')";
        eventually(std::time::Duration::from_secs(90), "midnight is over", async || books.text(is_early) == "t").await;
        books
    }

    /// All values of the answer, with blanks between.
    pub(super) fn text(&self, sql: &str) -> String {
        let rows = Postgres::shared().rows(self.database.name(), sql);
        let values = rows.into_iter().flatten().map(|value| value.unwrap_or_else(|| "-".to_owned()));
        values.collect::<Vec<_>>().join(" ")
    }

    pub(super) fn execute(&self, sql: &str) {
        Postgres::shared().execute(self.database.name(), sql);
    }

    /// Spent and reserved of a period.
    pub(super) fn period(&self, period: &str) -> String {
        self.text(&format!("SELECT spent_centavos, reserved_centavos FROM budget_periods WHERE period = '{period}'"))
    }

    pub(super) fn today(&self) -> NaiveDate {
        self.text("SELECT (now() AT TIME ZONE 'America/Sao_Paulo')::date").parse().unwrap()
    }

    /// Every sum that is kept is the sum of its rows.
    pub(super) fn assert_exact(&self) {
        let periods = self.text(
            "WITH rows AS (
                 SELECT day, cost_centavos AS spent, 0 AS reserved FROM api_calls
                 UNION ALL SELECT day, 0, centavos FROM budget_reservations
             ), expected AS (
                 SELECT to_char(day, form) AS period, sum(spent) AS spent, sum(reserved) AS reserved
                 FROM rows, (VALUES ('YYYY-MM'), ('YYYY-MM-DD')) AS forms (form) GROUP BY 1
             )
             SELECT period, kept.spent_centavos, expected.spent, kept.reserved_centavos, expected.reserved
             FROM budget_periods AS kept FULL JOIN expected USING (period)
             WHERE (COALESCE(kept.spent_centavos, 0), COALESCE(kept.reserved_centavos, 0))
                <> (COALESCE(expected.spent, 0), COALESCE(expected.reserved, 0))",
        );
        assert_eq!(periods, "", "periods that differ from their rows");
        let accounts = self.text(
            "SELECT provider, kept.spent_centavos, expected.spent
             FROM vendor_accounts AS kept
             FULL JOIN (SELECT provider, sum(cost_centavos) AS spent FROM api_calls GROUP BY 1) AS expected USING (provider)
             WHERE COALESCE(kept.spent_centavos, 0) <> COALESCE(expected.spent, 0)",
        );
        assert_eq!(accounts, "", "accounts that differ from their rows");
    }

    async fn report(&self, days: Days) -> LedgerReport {
        self.tier.ask(ReadLedger { days, caps: Caps::default() }).await
    }

    pub(super) async fn account(&self) -> AccountBooks {
        self.tier.ask(ReadAccount { provider: Provider::Escavador }).await
    }
}

/// A request of a reader for the cover of a process that was answered and charged.
pub(super) fn call(id: u128, at: DateTime<Utc>, centavos: u64) -> Call {
    Call {
        sent: Sent {
            id: Id::new(id),
            at,
            provider: Provider::Escavador,
            endpoint: Endpoint::Cover,
            cnj: Some(number(0)),
            lane: Lane::Interactive,
            caller: Caller::Anonymous,
            expected_centavos: 5,
            draw: None,
        },
        outcome: CallOutcome::Ok,
        status: Some(200),
        cost: Cost::Charged(centavos),
        took_ms: 321,
    }
}

/// One that was never answered.
pub(super) fn presumed(id: u128, at: DateTime<Utc>, centavos: u64) -> Call {
    Call { outcome: CallOutcome::TimedOut, status: None, cost: Cost::Presumed(centavos), ..call(id, at, 0) }
}

/// One that money was set aside for.
pub(super) fn drawing(call: Call, reservation: Id, centavos: u64) -> Call {
    Call { sent: Sent { draw: Some(Draw { reservation, centavos }), ..call.sent }, ..call }
}

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn sums(sums: &[Sum]) -> Vec<(&str, u64, u64)> {
    sums.iter().map(|sum| (sum.name.as_str(), sum.requests, sum.centavos)).collect()
}

#[actix_web::test]
async fn a_row_holds_what_the_request_was() {
    let books = Books::new("row").await;
    let sent = at("2026-02-01T02:59:59.123456Z");
    let charged = call(1, sent, 7);
    let mut balance = presumed(2, at("2026-02-01T03:00:00Z"), 0);
    balance.sent = Sent { endpoint: Endpoint::Balance, cnj: None, lane: Lane::Background, ..balance.sent };
    balance.sent.caller = Caller::Service;
    balance.sent.provider = Provider::Datajud;
    books.tier.store_calls(NODE, &[charged, balance]).await;
    let row = "SELECT id, node, at, day, provider, endpoint, cnj, lane, client, outcome, http_status, expected_centavos,
                      cost_centavos, cost_basis, duration_ms, stored_at > now() - interval '1 minute' FROM api_calls ORDER BY id";
    let (one, two, node) = (Id::new(1), Id::new(2), NODE);
    let cnj = number(0).masked();
    assert_eq!(
        books.text(row),
        format!(
            "{one} {node} 2026-02-01 02:59:59.123456+00 2026-01-31 escavador cover {cnj} interactive anonymous ok 200 5 7 charged 321 t \
             {two} {node} 2026-02-01 03:00:00+00 2026-02-01 datajud balance - background service timed-out - 5 0 presumed 321 t"
        )
    );
    assert_eq!((books.period("2026-01"), books.period("2026-01-31")), ("7 0".to_owned(), "7 0".to_owned()));
    assert_eq!((books.period("2026-02"), books.period("2026-02-01")), ("0 0".to_owned(), "0 0".to_owned()));
    books.assert_exact();
}

#[actix_web::test]
async fn every_outcome_and_endpoint_can_be_stored() {
    let books = Books::new("words").await;
    let now = Utc::now();
    let outcomes = CallOutcome::ALL.into_iter().zip(1..).map(|(outcome, n)| Call { outcome, ..call(n, now, 1) });
    let mut calls: Vec<Call> = outcomes.collect();
    for (endpoint, n) in Endpoint::ALL.into_iter().zip(100..) {
        let mut call = call(n, now, 1);
        call.sent.endpoint = endpoint;
        call.status = Some(u16::MAX);
        call.took_ms = u64::MAX;
        calls.push(call);
    }
    books.tier.store_calls(NODE, &calls).await;
    assert_eq!(books.text("SELECT count(*) FROM api_calls"), calls.len().to_string());
    books.tier.store_calls(NODE, &[]).await;
    books.assert_exact();
}

#[actix_web::test]
async fn a_batch_that_is_repeated_is_booked_once() {
    let books = Books::new("again").await;
    let now = Utc::now();
    let reservation = Id::new(99);
    let reserve = Reserve { node: NODE, wanted: vec![Draw { reservation, centavos: 100 }], caps: Caps::default() };
    books.tier.ask(reserve).await;
    // More than one batch; one row twice in the same batch, and once more in the next.
    let mut calls: Vec<Call> = (1..=1_500).map(|n| call(n, now, 2)).collect();
    calls.insert(0, call(1, now, 2));
    calls.push(call(1, now, 2));
    calls.push(drawing(call(2_000, now, 3), reservation, 10));
    for node in [NODE, NODE, OTHER] {
        books.tier.store_calls(node, &calls).await;
        let counted = books.text("SELECT count(*), sum(cost_centavos), count(DISTINCT node) FROM api_calls");
        assert_eq!(counted, "1501 3003 1");
        assert_eq!(books.period(&books.today().to_string()), "3003 90");
        books.assert_exact();
    }
}

#[actix_web::test]
async fn nodes_that_store_the_same_rows_at_once_book_them_once() {
    let books = Books::new("race").await;
    let second = Tier::on(&books.database.url).await;
    let now = Utc::now();
    for round in 0..10_u32 {
        let first_id = u128::from(round) * 1_000;
        let forward: Arc<[Call]> = (0..200).map(|n| call(first_id + n, now, 1)).collect();
        // The other way round, which would deadlock if rows were inserted in the order given.
        let backward: Arc<[Call]> = forward.iter().rev().cloned().collect();
        let stores = [(&books.tier, NODE, &forward), (&second, OTHER, &backward)].map(|(tier, node, calls)| {
            join_all((0..3).map(move |_| tier.ask(StoreCalls { node, calls: Arc::clone(calls) })))
        });
        join_all(stores).await;
        let expected = (round + 1) * 200;
        assert_eq!(books.text("SELECT count(*) FROM api_calls"), expected.to_string());
        assert_eq!(books.period(&books.today().to_string()), format!("{expected} 0"));
    }
    books.assert_exact();
}

#[actix_web::test]
async fn a_report_of_nothing() {
    let books = Books::new("nothing").await;
    let report = books.report(Days::Recent).await;
    let today = books.today();
    assert_eq!((report.from, report.to), (today.pred_opt().unwrap(), today));
    assert_eq!((report.requests, report.spent_centavos, report.without_cache_centavos), (0, 0, 0));
    assert!(report.days.is_empty() && report.by_process.is_empty() && report.by_lane.is_empty());
    assert_eq!(report.budget.day, BudgetLine::default());
    assert!(books.tier.ask(ReadPrices).await.is_empty());
    let account = books.account().await;
    assert_eq!(account, AccountBooks { booked_centavos: 0, presumed: vec![], base: None });
}

#[actix_web::test]
async fn a_report_adds_up() {
    let books = Books::new("report").await;
    let (now, today) = (Utc::now(), books.today());
    let yesterday = today.pred_opt().unwrap();
    let mut movements = call(2, now, 9);
    movements.sent.endpoint = Endpoint::Movements;
    let mut synchronised = presumed(3, now, 5);
    synchronised.sent =
        Sent { lane: Lane::Background, caller: Caller::Service, cnj: Some(number(1)), ..synchronised.sent };
    let mut balance = call(4, now, 0);
    balance.sent = Sent { endpoint: Endpoint::Balance, cnj: None, ..balance.sent };
    let earlier = call(5, now - TimeDelta::hours(24), 6);
    let ages_ago = call(6, now - TimeDelta::days(3), 1_000);
    books.tier.store_calls(NODE, &[call(1, now, 7), movements, synchronised, balance, earlier, ages_ago]).await;
    let avoided = |tier: &str, lookups, centavos| Avoided { tier: tier.to_owned(), lookups, centavos };
    let add = AddAvoided { avoided: vec![avoided("memory", 3, 30), avoided("redis", 1, 10), avoided("memory", 1, 10)] };
    books.tier.ask(add.clone()).await;
    books.tier.ask(add).await;
    books.tier.ask(AddAvoided { avoided: vec![] }).await;
    books.execute(&format!("INSERT INTO avoided_calls VALUES ('{yesterday}', 'redis', 5, 500)"));

    let report = books.report(Days::Recent).await;
    assert_eq!((report.from, report.to), (yesterday, today));
    assert_eq!((report.requests, report.spent_centavos, report.presumed_centavos), (5, 27, 5));
    assert_eq!((report.avoided_centavos, report.without_cache_centavos), (600, 627));
    let days: Vec<_> =
        report.days.iter().map(|day| (day.day, day.requests, day.spent_centavos, day.avoided_centavos)).collect();
    assert_eq!(days, [(today, 4, 21, 100), (yesterday, 1, 6, 500)]);
    assert_eq!(
        sums(&report.by_endpoint),
        [("escavador/cover", 3, 18), ("escavador/movements", 1, 9), ("escavador/balance", 1, 0)]
    );
    assert_eq!(sums(&report.by_lane), [("interactive", 4, 22), ("background", 1, 5)]);
    assert_eq!(sums(&report.by_client), [("anonymous", 4, 22), ("service", 1, 5)]);
    assert_eq!(sums(&report.by_outcome), [("ok", 4, 22), ("timed-out", 1, 5)]);
    let (first, second) = (number(0).masked(), number(1).masked());
    assert_eq!(sums(&report.by_process), [(first.as_str(), 3, 22), (second.as_str(), 1, 5)]);
    assert_eq!(report.avoided, [avoided("redis", 7, 520), avoided("memory", 8, 80)]);
    assert_eq!((report.budget.day.spent_centavos, report.budget.day.cap_centavos), (21, None));

    let spent = async |days| {
        let report = books.report(days).await;
        (report.spent_centavos, report.requests)
    };
    assert_eq!(spent(Days::Today).await, (21, 4));
    assert_eq!(spent(Days::Yesterday).await, (6, 1));
    let three_days_ago = today - TimeDelta::days(3);
    assert_eq!(spent(Days::Range(three_days_ago, yesterday)).await, (1_006, 2));
    assert_eq!(spent(Days::Range(yesterday, three_days_ago)).await, (0, 0));
    let ever = books.report(Days::Range(NaiveDate::from_ymd_opt(1, 1, 1).unwrap(), today)).await;
    assert_eq!((ever.spent_centavos, (ever.to - ever.from).num_days()), (1_027, 399));
    let month = books.report(Days::Month).await;
    assert_eq!(month.spent_centavos, month.budget.month.spent_centavos);
    let caps = Caps { day: Some(100), month: Some(50_000) };
    let budget = books.tier.ask(ReadBudget { caps }).await;
    assert_eq!((budget.day.left_centavos, budget.month.cap_centavos), (Some(79), Some(50_000)));
}

#[actix_web::test]
async fn a_report_names_the_twenty_dearest_processes() {
    let books = Books::new("dearest").await;
    let now = Utc::now();
    let mut calls: Vec<Call> = (0..30)
        .map(|n| {
            let mut call = call(u128::from(n), now, u64::from(n / 10));
            call.sent.cnj = Some(number(n));
            call
        })
        .collect();
    // The same money in more requests goes first.
    calls.push(Call {
        sent: Sent { cnj: Some(number(25)), ..call(100, now, 0).sent },
        cost: Cost::NOTHING,
        ..call(100, now, 0)
    });
    books.tier.store_calls(NODE, &calls).await;
    let report = books.report(Days::Today).await;
    let centavos: Vec<u64> = report.by_process.iter().map(|sum| sum.centavos).collect();
    assert_eq!(centavos, [[2; 10], [1; 10]].concat());
    assert_eq!(report.by_process[0].name, number(25).masked());
}

#[actix_web::test]
async fn prices_are_what_was_charged_lately() {
    let books = Books::new("prices").await;
    let now = Utc::now();
    let refused = Call { outcome: CallOutcome::ServerError, ..call(4, now, 600) };
    let mut status = call(6, now, 0);
    status.sent.endpoint = Endpoint::Status;
    let calls = [
        call(1, now, 5),
        call(2, now - TimeDelta::days(29), 6),
        call(3, now - TimeDelta::days(31), 700),
        refused,
        presumed(5, now, 800),
        status,
    ];
    books.tier.store_calls(NODE, &calls).await;
    books.execute(
        "INSERT INTO api_calls SELECT repeat('f', 32), node, at, day, provider, 'of-a-newer-version', cnj, lane, client, outcome,
                http_status, 0, 0, cost_basis, 0 FROM api_calls LIMIT 1",
    );
    let prices = books.tier.ask(ReadPrices).await;
    assert_eq!(prices, [(Provider::Escavador, Endpoint::Cover, 6), (Provider::Escavador, Endpoint::Status, 0)]);
}

const TABLES: [&str; 6] =
    ["api_calls", "budget_periods", "budget_reservations", "avoided_calls", "vendor_accounts", "ledger_nodes"];

#[actix_web::test]
async fn another_role_sees_and_changes_nothing() {
    let books = Books::new("rights").await;
    books.tier.store_calls(NODE, &[call(1, Utc::now(), 7)]).await;
    books
        .tier
        .ask(Reserve { node: NODE, wanted: vec![Draw { reservation: Id::new(1), centavos: 1 }], caps: Caps::default() })
        .await;
    let avoided = Avoided { tier: "redis".to_owned(), lookups: 1, centavos: 1 };
    books.tier.ask(AddAvoided { avoided: vec![avoided] }).await;
    books.tier.ask(Attest { report: NodeReport { node: NODE, round: 0, sent: 0, is_quiet: true } }).await;
    let role = format!("role_{}", books.database.name());
    books.execute(&format!("CREATE ROLE {role} LOGIN"));
    let url = books.database.url.replace("postgres@", &format!("{role}@"));
    let (session, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    actix_web::rt::spawn(connection);
    for table in TABLES {
        assert_ne!(books.text(&format!("SELECT count(*) FROM {table}")), "0", "{table} has nothing to see");
        let said = session.simple_query(&format!("SELECT 1 FROM {table}")).await;
        assert!(said.is_err(), "{table} can be read");
        assert!(session.simple_query(&format!("DELETE FROM {table}")).await.is_err(), "{table} can be changed");
        // Even where somebody granted the right, the policies that are not there show no row.
        books.execute(&format!("GRANT SELECT, DELETE ON {table} TO {role}"));
        assert!(session.query(&format!("SELECT 1 FROM {table}"), &[]).await.unwrap().is_empty(), "{table}");
        assert_eq!(session.execute(&format!("DELETE FROM {table}"), &[]).await.unwrap(), 0, "{table}");
    }
    for function in [
        "reserve_budget('x', repeat('0', 32), 1, NULL, NULL)",
        "reserve_budgets('x', ARRAY[repeat('0', 32)], '{1}', NULL, NULL)",
        "release_budget(ARRAY[repeat('0', 32)])",
        "close_vendor_account('escavador', 0, 0, 7, '{}')",
        "settle_calls('{escavador}', '{2026-01-01}', '{1}', '{NULL}', '{NULL}')",
        "lock_budget_periods('{2026-01-01}')",
        "change_budget('{2026-01-01}', '{1}', '{1}')",
    ] {
        let said = session.simple_query(&format!("SELECT {function}")).await;
        let refusal = said.unwrap_err().as_db_error().unwrap().message().to_owned();
        assert!(refusal.contains("permission denied for function"), "{function}: {refusal}");
    }
    books.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    books.assert_exact();
}

/// The functions, the time zones and the report are the same in the database inside the process.
#[cfg(feature = "embedded")]
#[actix_web::test]
async fn the_embedded_database_keeps_the_same_books() {
    use juscache::config::postgres::PostgresSettings;
    use juscache::postgres_tier::embedded::Embedded;
    use juscache::postgres_tier::ledger::messages::{CloseAccount, Reserved};
    use juscache::postgres_tier::migrations;

    let folder = tempfile::tempdir().unwrap();
    let embedded = Embedded::start(folder.path()).await.unwrap();
    migrations::apply(&embedded.url()).await.unwrap();
    let tier = Tier::with(PostgresSettings { pool_size: 1, ..PostgresSettings::new(embedded.url()) });
    tier.learns(true).await;
    let caps = Caps { day: Some(100), month: Some(1_000) };
    let draw = |id, centavos| Draw { reservation: Id::new(id), centavos };
    let reserve = |id, centavos| Reserve { node: NODE, wanted: vec![draw(id, centavos)], caps };
    assert!(matches!(tier.ask(reserve(1, 60)).await, Reserved::Granted { .. }));
    assert!(matches!(tier.ask(reserve(2, 60)).await, Reserved::Exhausted { .. }));
    let both = Reserve { wanted: vec![draw(3, 30), draw(4, 30)], ..reserve(0, 0) };
    assert!(matches!(tier.ask(both).await, Reserved::Exhausted { .. }));
    // Long ago by its own clock; its reservation says today.
    let drawn = drawing(call(1, at("2026-01-01T00:00:00Z"), 25), Id::new(1), 30);
    for _ in 0..2 {
        tier.store_calls(NODE, &[drawn.clone(), presumed(2, at("2026-02-01T02:59:59Z"), 4)]).await;
    }
    let report = tier.ask(ReadLedger { days: Days::Today, caps }).await;
    let line = report.budget.day;
    assert_eq!((line.spent_centavos, line.reserved_centavos, line.left_centavos), (25, 30, Some(45)));
    assert_eq!((report.spent_centavos, report.requests), (25, 1));
    let january = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
    let earlier = tier.ask(ReadLedger { days: Days::Range(january, january), caps }).await;
    assert_eq!((earlier.spent_centavos, earlier.presumed_centavos), (4, 4));
    let provider = Provider::Escavador;
    let books = tier.ask(ReadAccount { provider }).await;
    assert_eq!((books.booked_centavos, books.presumed.len()), (29, 1));
    let uncharged = vec![Id::new(2)];
    assert!(tier.ask(CloseAccount { provider, round: 0, balance_centavos: 1, booked_centavos: 29, uncharged }).await);
    assert_eq!(tier.ask(ReadAccount { provider }).await.booked_centavos, 25);
    tier.end().await;
    embedded.stop().await;
}
