//! Everything that is asked of PostgreSQL about money.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Date, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::messages::{
    AccountBooks, AddAvoided, CloseAccount, ReadAccount, ReadBudget, ReadLedger, ReadPrices, Release, ReleaseNode,
    Reserve, Reserved, StoreCalls,
};
use super::models::{AccountRow, BudgetRow, CallColumns, PresumedRow, PriceRow, hex, reserved, stored};
use super::report::{AvoidedRow, Span, SumRow, assemble};
use super::rounds::forget_node;
use crate::domain::snapshot::Provider;
use crate::ledger::call::{Call, Endpoint, Id};
use crate::ledger::report::{BudgetReport, LedgerReport};

diesel::define_sql_function! {
    /// Typed, so that its statement is prepared once for each connection: one round trip each time.
    fn reserve_budgets(
        node: Text,
        ids: Array<Text>,
        centavos: Array<BigInt>,
        day_cap: Nullable<BigInt>,
        month_cap: Nullable<BigInt>,
    ) -> Record<(Text, BigInt)>;
}

/// Rows and their money, each batch at once. Doing it twice is doing it once.
pub(super) async fn store_calls(connection: &mut AsyncPgConnection, store: &StoreCalls) -> QueryResult<()> {
    for batch in store.calls.chunks(StoreCalls::BATCH) {
        store_batch(connection, store.node, batch).await?;
    }
    Ok(())
}

/// One statement: the money of the rows that are new is booked with them. Rows are inserted in the order of their ids, because two
/// nodes may store the same ones, and each waits for what the other has inserted.
async fn store_batch(connection: &mut AsyncPgConnection, node: Id, calls: &[Call]) -> QueryResult<()> {
    let CallColumns {
        ids,
        ats,
        providers,
        endpoints,
        cnjs,
        lanes,
        clients,
        outcomes,
        statuses,
        expected,
        costs,
        bases,
        durations,
        reservations,
        draws,
    } = &CallColumns::of(calls);
    diesel::sql_query(
        "WITH incoming AS (
             SELECT DISTINCT ON (id) *
             FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
                 AS given (id, at, provider, endpoint, cnj, lane, client, outcome, http_status, expected_centavos,
                           cost_centavos, cost_basis, duration_ms, reservation, draw_centavos)
             ORDER BY id
         ), added AS (
             INSERT INTO api_calls
                 (id, node, at, day, provider, endpoint, cnj, lane, client, outcome, http_status, expected_centavos,
                  cost_centavos, cost_basis, duration_ms)
             SELECT incoming.id, $1, incoming.at, COALESCE(held.day, budget_day(incoming.at)), incoming.provider,
                    incoming.endpoint, incoming.cnj, incoming.lane, incoming.client, incoming.outcome,
                    incoming.http_status, incoming.expected_centavos, incoming.cost_centavos, incoming.cost_basis,
                    incoming.duration_ms
             FROM incoming LEFT JOIN budget_reservations AS held ON held.id = incoming.reservation
             ORDER BY incoming.id
             ON CONFLICT DO NOTHING
             RETURNING id, day
         )
         SELECT settle_calls(array_agg(incoming.provider), array_agg(added.day), array_agg(incoming.cost_centavos),
                             array_agg(incoming.reservation), array_agg(incoming.draw_centavos))
         FROM added JOIN incoming ON incoming.id = added.id",
    )
    .bind::<Text, _>(node.to_string())
    .bind::<Array<Text>, _>(ids)
    .bind::<Array<Timestamptz>, _>(ats)
    .bind::<Array<Text>, _>(providers)
    .bind::<Array<Text>, _>(endpoints)
    .bind::<Array<Nullable<Text>>, _>(cnjs)
    .bind::<Array<Text>, _>(lanes)
    .bind::<Array<Text>, _>(clients)
    .bind::<Array<Text>, _>(outcomes)
    .bind::<Array<Nullable<SmallInt>>, _>(statuses)
    .bind::<Array<BigInt>, _>(expected)
    .bind::<Array<BigInt>, _>(costs)
    .bind::<Array<Text>, _>(bases)
    .bind::<Array<BigInt>, _>(durations)
    .bind::<Array<Nullable<Text>>, _>(reservations)
    .bind::<Array<Nullable<BigInt>>, _>(draws)
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets money aside, if the caps allow it.
pub(super) async fn reserve(connection: &mut AsyncPgConnection, reserve: &Reserve) -> QueryResult<Reserved> {
    let Reserve { node, wanted, caps } = reserve;
    let (ids, amounts): (Vec<String>, Vec<i64>) =
        wanted.iter().map(|draw| (draw.reservation.to_string(), stored(draw.centavos))).unzip();
    let call = reserve_budgets(node.to_string(), ids, amounts, caps.day.map(stored), caps.month.map(stored));
    let (answer, ends_in_ms): (String, i64) = diesel::select(call).get_result(connection).await?;
    reserved(&answer, ends_in_ms).ok_or(diesel::result::Error::NotFound)
}

/// Gives back what is left of reservations.
pub(super) async fn release(connection: &mut AsyncPgConnection, release: &Release) -> QueryResult<()> {
    let ids = hex(&release.reservations);
    diesel::sql_query("SELECT release_budget($1)").bind::<Array<Text>, _>(ids).execute(connection).await?;
    Ok(())
}

/// Gives back what a process left behind, and forgets it.
pub(super) async fn release_node(connection: &mut AsyncPgConnection, release: &ReleaseNode) -> QueryResult<()> {
    diesel::sql_query("SELECT release_budget((SELECT array_agg(id) FROM budget_reservations WHERE node = $1))")
        .bind::<Text, _>(release.node.to_string())
        .execute(connection)
        .await?;
    forget_node(connection, release.node).await
}

/// How far the caps are used up.
pub(super) async fn read_budget(connection: &mut AsyncPgConnection, read: &ReadBudget) -> QueryResult<BudgetReport> {
    Ok(budget(connection).await?.under(read.caps))
}

async fn budget(connection: &mut AsyncPgConnection) -> QueryResult<BudgetRow> {
    diesel::sql_query(
        "SELECT now.today,
                COALESCE(day.spent_centavos, 0) AS day_spent, COALESCE(day.reserved_centavos, 0) AS day_reserved,
                COALESCE(month.spent_centavos, 0) AS month_spent, COALESCE(month.reserved_centavos, 0) AS month_reserved
         FROM (SELECT budget_day(now()) AS today) AS now
         LEFT JOIN budget_periods AS day ON day.period = to_char(now.today, 'YYYY-MM-DD')
         LEFT JOIN budget_periods AS month ON month.period = to_char(now.today, 'YYYY-MM')",
    )
    .get_result(connection)
    .await
}

/// What was spent, all of it at one moment. A report that takes too long is refused by the server before the tier would conclude
/// that there is none.
pub(super) async fn read_ledger(connection: &mut AsyncPgConnection, read: &ReadLedger) -> QueryResult<LedgerReport> {
    let mut snapshot = connection.build_transaction().read_only().repeatable_read();
    snapshot
        .run(async |connection| {
            connection.batch_execute("SET LOCAL statement_timeout = '3s'").await?;
            let budget = budget(connection).await?;
            let span = Span::of(read.days, budget.today);
            let sums = sums(connection, span).await?;
            let avoided = avoided(connection, span).await?;
            Ok(assemble(span, sums, avoided, budget.under(read.caps)))
        })
        .await
}

/// Every breakdown in one pass over the rows.
async fn sums(connection: &mut AsyncPgConnection, span: Span) -> QueryResult<Vec<SumRow>> {
    diesel::sql_query(
        "SELECT part, name, requests, centavos, presumed
         FROM (
             SELECT *, row_number() OVER (PARTITION BY part ORDER BY centavos DESC, requests DESC, name) AS place
             FROM (
                 SELECT CASE 0
                            WHEN GROUPING(day) THEN 'day'
                            WHEN GROUPING(endpoint) THEN 'endpoint'
                            WHEN GROUPING(lane) THEN 'lane'
                            WHEN GROUPING(client) THEN 'client'
                            WHEN GROUPING(outcome) THEN 'outcome'
                            WHEN GROUPING(cnj) THEN 'process'
                            ELSE 'all'
                        END AS part,
                        COALESCE(to_char(day, 'YYYY-MM-DD'), provider || '/' || endpoint, lane, client, outcome, cnj, '')
                            AS name,
                        count(*) AS requests,
                        COALESCE(sum(cost_centavos), 0)::bigint AS centavos,
                        COALESCE(sum(cost_centavos) FILTER (WHERE cost_basis = 'presumed'), 0)::bigint AS presumed
                 FROM api_calls
                 WHERE day BETWEEN $1 AND $2
                 GROUP BY GROUPING SETS ((), (day), (provider, endpoint), (lane), (client), (outcome), (cnj))
                 HAVING NOT (GROUPING(cnj) = 0 AND cnj IS NULL)
             ) AS summed
         ) AS placed
         WHERE part <> 'process' OR place <= 20
         ORDER BY part, place",
    )
    .bind::<Date, _>(span.from)
    .bind::<Date, _>(span.to)
    .load(connection)
    .await
}

async fn avoided(connection: &mut AsyncPgConnection, span: Span) -> QueryResult<Vec<AvoidedRow>> {
    diesel::sql_query("SELECT day, tier, lookups, centavos FROM avoided_calls WHERE day BETWEEN $1 AND $2")
        .bind::<Date, _>(span.from)
        .bind::<Date, _>(span.to)
        .load(connection)
        .await
}

/// What requests cost.
pub(super) async fn read_prices(
    connection: &mut AsyncPgConnection,
    _: &ReadPrices,
) -> QueryResult<Vec<(Provider, Endpoint, u64)>> {
    let prices: Vec<PriceRow> = diesel::sql_query(
        "SELECT provider, endpoint, max(cost_centavos) AS centavos FROM api_calls
         WHERE day > budget_day(now()) - 30 AND outcome = 'ok' AND cost_basis = 'charged'
         GROUP BY provider, endpoint
         ORDER BY provider, endpoint",
    )
    .load(connection)
    .await?;
    Ok(prices.iter().filter_map(PriceRow::price).collect())
}

/// Adds to what was avoided today.
pub(super) async fn add_avoided(connection: &mut AsyncPgConnection, add: &AddAvoided) -> QueryResult<()> {
    let tiers: Vec<&str> = add.avoided.iter().map(|avoided| avoided.tier.as_str()).collect();
    let lookups: Vec<i64> = add.avoided.iter().map(|avoided| stored(avoided.lookups)).collect();
    let centavos: Vec<i64> = add.avoided.iter().map(|avoided| stored(avoided.centavos)).collect();
    diesel::sql_query(
        "INSERT INTO avoided_calls AS held (day, tier, lookups, centavos)
         SELECT budget_day(now()), given.tier, sum(given.lookups)::bigint, sum(given.centavos)::bigint
         FROM unnest($1, $2, $3) AS given (tier, lookups, centavos)
         GROUP BY given.tier
         ORDER BY given.tier
         ON CONFLICT (day, tier) DO UPDATE
         SET lookups = held.lookups + EXCLUDED.lookups, centavos = held.centavos + EXCLUDED.centavos",
    )
    .bind::<Array<Text>, _>(tiers)
    .bind::<Array<BigInt>, _>(lookups)
    .bind::<Array<BigInt>, _>(centavos)
    .execute(connection)
    .await?;
    Ok(())
}

/// What is booked with a vendor, all of it at one moment.
pub(super) async fn read_account(connection: &mut AsyncPgConnection, read: &ReadAccount) -> QueryResult<AccountBooks> {
    let provider = read.provider.as_str();
    let mut snapshot = connection.build_transaction().read_only().repeatable_read();
    snapshot
        .run(async |connection| {
            let account: Option<AccountRow> = diesel::sql_query(
                "SELECT spent_centavos, balance_centavos, booked_centavos FROM vendor_accounts WHERE provider = $1",
            )
            .bind::<Text, _>(provider)
            .get_result(connection)
            .await
            .optional()?;
            let presumed: Vec<PresumedRow> = diesel::sql_query(
                "SELECT id, cost_centavos FROM api_calls WHERE provider = $1 AND cost_basis = 'presumed'
                 ORDER BY at DESC, id LIMIT $2",
            )
            .bind::<Text, _>(provider)
            .bind::<BigInt, _>(i64::from(ReadAccount::MOST_PRESUMED))
            .load(connection)
            .await?;
            Ok(account.unwrap_or_default().with(&presumed))
        })
        .await
}

/// Takes stock, unless the ledger has changed.
pub(super) async fn close_account(connection: &mut AsyncPgConnection, close: &CloseAccount) -> QueryResult<bool> {
    let closed: ClosedRow = diesel::sql_query("SELECT close_vendor_account($1, $2, $3, $4, $5) AS closed")
        .bind::<Text, _>(close.provider.as_str())
        .bind::<BigInt, _>(stored(close.round))
        .bind::<BigInt, _>(close.balance_centavos)
        .bind::<BigInt, _>(stored(close.booked_centavos))
        .bind::<Array<Text>, _>(hex(&close.uncharged))
        .get_result(connection)
        .await?;
    Ok(closed.closed)
}

#[derive(QueryableByName)]
struct ClosedRow {
    #[diesel(sql_type = Bool)]
    closed: bool,
}
