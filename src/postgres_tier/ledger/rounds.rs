//! What the processes tell each other before one of them takes stock.

use diesel::OptionalExtension;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::messages::{Attest, BeginRound, NodeReport, ReadNodes, ReadRound};
use super::models::{counted, stored};
use crate::ledger::call::Id;

#[derive(QueryableByName)]
struct RoundRow {
    #[diesel(sql_type = BigInt)]
    round: i64,
}

#[derive(QueryableByName)]
struct NodeRow {
    #[diesel(sql_type = Text)]
    node: String,
    #[diesel(sql_type = BigInt)]
    round: i64,
    #[diesel(sql_type = BigInt)]
    sent: i64,
    #[diesel(sql_type = Bool)]
    is_quiet: bool,
}

/// Begins a round. For fifteen seconds after its last one a process has the stock-taking for itself, until it is done: two at once
/// would only disturb each other.
pub(super) async fn begin_round(connection: &mut AsyncPgConnection, begin: &BeginRound) -> QueryResult<Option<u64>> {
    let begun: Option<RoundRow> = diesel::sql_query(
        "INSERT INTO vendor_accounts AS account (provider, round, round_by, round_at) VALUES ($1, 1, $2, now())
         ON CONFLICT (provider) DO UPDATE
         SET round = account.round + 1, round_by = EXCLUDED.round_by, round_at = EXCLUDED.round_at
         WHERE account.round_by IS NULL OR account.round_by = EXCLUDED.round_by
            OR account.round_at < now() - interval '15 seconds'
         RETURNING round",
    )
    .bind::<Text, _>(begin.provider.as_str())
    .bind::<Text, _>(begin.node.to_string())
    .get_result(connection)
    .await
    .optional()?;
    Ok(begun.map(|row| counted(row.round)))
}

/// Which round it is.
pub(super) async fn read_round(connection: &mut AsyncPgConnection, read: &ReadRound) -> QueryResult<u64> {
    let round: Option<RoundRow> = diesel::sql_query("SELECT round FROM vendor_accounts WHERE provider = $1")
        .bind::<Text, _>(read.provider.as_str())
        .get_result(connection)
        .await
        .optional()?;
    Ok(round.map_or(0, |row| counted(row.round)))
}

/// Answers a round, unless a later one has been answered.
pub(super) async fn attest(connection: &mut AsyncPgConnection, attest: &Attest) -> QueryResult<()> {
    let NodeReport { node, round, sent, is_quiet } = attest.report;
    diesel::sql_query(
        "INSERT INTO ledger_nodes AS held (node, round, sent, is_quiet) VALUES ($1, $2, $3, $4)
         ON CONFLICT (node) DO UPDATE
         SET round = EXCLUDED.round, sent = EXCLUDED.sent, is_quiet = EXCLUDED.is_quiet, seen_at = now()
         WHERE held.round <= EXCLUDED.round",
    )
    .bind::<Text, _>(node.to_string())
    .bind::<BigInt, _>(stored(round))
    .bind::<BigInt, _>(stored(sent))
    .bind::<Bool, _>(is_quiet)
    .execute(connection)
    .await?;
    Ok(())
}

/// The others that were heard of within a day: of one that is gone for good, and its folder with it, nothing will be heard.
pub(super) async fn read_nodes(connection: &mut AsyncPgConnection, read: &ReadNodes) -> QueryResult<Vec<NodeReport>> {
    let rows: Vec<NodeRow> = diesel::sql_query(
        "SELECT node, round, sent, is_quiet FROM ledger_nodes
         WHERE node <> $1 AND seen_at > now() - interval '1 day'
         ORDER BY node",
    )
    .bind::<Text, _>(read.but.to_string())
    .load(connection)
    .await?;
    rows.iter().map(NodeRow::report).collect()
}

/// Forgets a process, and those that nobody has heard of for a month.
pub(super) async fn forget_node(connection: &mut AsyncPgConnection, node: Id) -> QueryResult<()> {
    diesel::sql_query("DELETE FROM ledger_nodes WHERE node = $1 OR seen_at < now() - interval '30 days'")
        .bind::<Text, _>(node.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

impl NodeRow {
    /// The schema allows no other names: one that cannot be read must not pass for nobody.
    fn report(&self) -> QueryResult<NodeReport> {
        let node = self.node.parse().map_err(|_| diesel::result::Error::NotFound)?;
        let (round, sent) = (counted(self.round), counted(self.sent));
        Ok(NodeReport { node, round, sent, is_quiet: self.is_quiet })
    }
}
