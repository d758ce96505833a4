//! Everything that is asked of `warm_lists` and `warm_items`, one statement each.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::messages::{AcceptList, ClaimItems, NoteItem, PruneLists, ReadList};
use super::models::{FailedRow, ListRow, TakenRow};
use crate::domain::cnj::Cnj;
use crate::domain::warm::{FailedItem, ItemNext, ItemNote, ItemState, ListChange, TakenItem, WarmDetail, WarmList};

/// Stores a list with its processes. Whoever is not sure that it was stored says it again: the id names it.
pub(super) async fn accept(
    connection: &mut AsyncPgConnection,
    AcceptList { id, cnjs, duplicates, most_running }: &AcceptList,
) -> QueryResult<Option<WarmList>> {
    let numbers: Vec<String> = cnjs.iter().map(Cnj::masked).collect();
    let row: Option<ListRow> = diesel::sql_query(
        "WITH list AS (
             INSERT INTO warm_lists (id, total, duplicates)
             SELECT $1, $2, $3 WHERE (SELECT count(*) FROM warm_lists WHERE state = 'running') < $4
             ON CONFLICT (id) DO NOTHING
             RETURNING *
         ), items AS (
             INSERT INTO warm_items (list, position, cnj)
             SELECT list.id, named.position, named.cnj
             FROM list, unnest($5) WITH ORDINALITY AS named (cnj, position)
         )
         SELECT * FROM list UNION ALL SELECT * FROM warm_lists WHERE id = $1",
    )
    .bind::<Text, _>(id)
    .bind::<Integer, _>(small(numbers.len()))
    .bind::<Integer, _>(small(*duplicates))
    .bind::<BigInt, _>(i64::from(*most_running))
    .bind::<Array<Text>, _>(numbers)
    .get_result(connection)
    .await
    .optional()?;
    Ok(row.and_then(ListRow::list))
}

/// A list, and the first of those that failed.
pub(super) async fn read(
    connection: &mut AsyncPgConnection,
    ReadList { id, most_failed }: &ReadList,
) -> QueryResult<Option<WarmDetail>> {
    let row: Option<ListRow> = diesel::sql_query("SELECT * FROM warm_lists WHERE id = $1")
        .bind::<Text, _>(id)
        .get_result(connection)
        .await
        .optional()?;
    let Some(list) = row.and_then(ListRow::list) else { return Ok(None) };
    let failed: Vec<FailedRow> = match list.failed {
        0 => Vec::new(),
        _ => {
            diesel::sql_query(
                "SELECT cnj, position, outcome, attempts FROM warm_items WHERE list = $1 AND state = 'failed'
                 ORDER BY position LIMIT $2",
            )
            .bind::<Text, _>(id)
            .bind::<BigInt, _>(i64::try_from(*most_failed).unwrap_or(i64::MAX))
            .get_results(connection)
            .await?
        }
    };
    Ok(Some(WarmDetail { list, failures: failed.into_iter().map(FailedItem::from).collect() }))
}

/// The latest lists.
pub(super) async fn latest(connection: &mut AsyncPgConnection, most: usize) -> QueryResult<Vec<WarmList>> {
    let rows: Vec<ListRow> = diesel::sql_query("SELECT * FROM warm_lists ORDER BY requested_at DESC, id LIMIT $1")
        .bind::<BigInt, _>(i64::try_from(most).unwrap_or(i64::MAX))
        .get_results(connection)
        .await?;
    Ok(rows.into_iter().filter_map(ListRow::list).collect())
}

/// Stops a list. Its processes keep saying that they wait: nobody takes them from a list that does not run.
pub(super) async fn cancel(connection: &mut AsyncPgConnection, id: &str) -> QueryResult<Option<WarmList>> {
    let row: Option<ListRow> = diesel::sql_query(
        "WITH cancelled AS (
             UPDATE warm_lists SET state = 'cancelled', ended_at = now(), paused_until = NULL, paused_reason = NULL
             WHERE id = $1 AND state = 'running' RETURNING *
         )
         SELECT * FROM cancelled
         UNION ALL SELECT * FROM warm_lists WHERE id = $1 AND NOT EXISTS (SELECT FROM cancelled)",
    )
    .bind::<Text, _>(id)
    .get_result(connection)
    .await
    .optional()?;
    Ok(row.and_then(ListRow::list))
}

/// Takes what is due: see `claim_warm_items` in the migrations.
pub(super) async fn claim(
    connection: &mut AsyncPgConnection,
    ClaimItems { most, lease }: &ClaimItems,
) -> QueryResult<Vec<TakenItem>> {
    let rows: Vec<TakenRow> = diesel::sql_query("SELECT * FROM claim_warm_items($1, $2 * interval '1 second')")
        .bind::<Integer, _>(small(*most))
        .bind::<Double, _>(lease.as_secs_f64())
        .get_results(connection)
        .await?;
    Ok(rows.into_iter().filter_map(TakenRow::item).collect())
}

/// Writes a try down, for the item and its list together: the counts of a list are those of its items at every moment. What is over may
/// be told by whoever knows, however late; what is tried again, only by whoever has it.
pub(super) async fn note(
    connection: &mut AsyncPgConnection,
    NoteItem { item, note }: &NoteItem,
) -> QueryResult<Option<WarmList>> {
    let ItemNote { next, attempts, outcome, cost_centavos, list } = *note;
    let again_after = match next {
        ItemNext::Again { after_seconds } => Some(after_seconds),
        ItemNext::Over(_) => None,
    };
    let (resumes, pause, reason, strikes) = match list {
        ListChange::None => (false, None, None, None),
        ListChange::Resume => (true, None, None, Some(0)),
        ListChange::TryNext => (false, Some(0.0), None, None),
        ListChange::Pause { seconds, reason, strikes } => (false, Some(seconds), Some(reason.as_str()), Some(strikes)),
    };
    let row: Option<ListRow> = diesel::sql_query(
        "WITH item AS (
             UPDATE warm_items SET
                 state = $4,
                 attempts = $5,
                 outcome = $6,
                 cost_centavos = cost_centavos + $7,
                 next_attempt_at = now() + $8 * interval '1 second',
                 taken_until = NULL
             WHERE list = $1 AND position = $2 AND state = 'waiting'
               AND ($4 <> 'waiting' OR (claims = $3 AND taken_until IS NOT NULL))
             RETURNING state
         ), told AS (
             SELECT state = 'done' AS done, state = 'known' AS known, state = 'unknown' AS unknown,
                    state = 'failed' AS failed, (state <> 'waiting')::integer AS ended
             FROM item
         )
         UPDATE warm_lists AS list SET
             done = list.done + told.done::integer,
             known = list.known + told.known::integer,
             unknown = list.unknown + told.unknown::integer,
             failed = list.failed + told.failed::integer,
             cost_centavos = list.cost_centavos + $7,
             strikes = CASE WHEN $9 THEN 0 ELSE greatest(list.strikes, $10) END,
             paused_until = CASE
                 WHEN list.state <> 'running'
                     OR list.done + list.known + list.unknown + list.failed + told.ended >= list.total THEN NULL
                 WHEN $9 THEN NULL
                 -- The one that found out ends the others' wait for it; anybody else only makes the pause longer.
                 WHEN $11 AND $12 IS NOT NULL THEN now() + $12 * interval '1 second'
                 ELSE greatest(list.paused_until, now() + $12 * interval '1 second') END,
             paused_reason = CASE
                 WHEN list.state <> 'running'
                     OR list.done + list.known + list.unknown + list.failed + told.ended >= list.total THEN NULL
                 WHEN $9 THEN NULL
                 ELSE coalesce($13, list.paused_reason) END,
             ended_at = CASE
                 WHEN list.done + list.known + list.unknown + list.failed + told.ended >= list.total
                 THEN coalesce(list.ended_at, now()) ELSE list.ended_at END,
             state = CASE
                 WHEN list.state = 'running'
                     AND list.done + list.known + list.unknown + list.failed + told.ended >= list.total
                 THEN 'done' ELSE list.state END
         FROM told WHERE list.id = $1
         RETURNING list.*",
    )
    .bind::<Text, _>(&item.list)
    .bind::<Integer, _>(small(item.position))
    .bind::<Integer, _>(small(item.claim))
    .bind::<Text, _>(next.state().as_str())
    .bind::<Integer, _>(small(attempts))
    .bind::<Text, _>(outcome)
    .bind::<BigInt, _>(i64::try_from(cost_centavos).unwrap_or(i64::MAX))
    .bind::<Nullable<Double>, _>(again_after)
    .bind::<Bool, _>(resumes)
    .bind::<Nullable<Integer>, _>(strikes.map(small))
    .bind::<Bool, _>(item.strikes > 0)
    .bind::<Nullable<Double>, _>(pause)
    .bind::<Nullable<Text>, _>(reason)
    .get_result(connection)
    .await
    .optional()?;
    debug_assert_eq!(again_after.is_some(), next.state() == ItemState::Waiting);
    Ok(row.and_then(ListRow::list))
}

/// Removes some processes of the list that ended first, or the list itself once it has none left.
pub(super) async fn prune(
    connection: &mut AsyncPgConnection,
    PruneLists { keep, most }: &PruneLists,
) -> QueryResult<usize> {
    #[derive(QueryableByName)]
    struct Gone {
        #[diesel(sql_type = BigInt)]
        gone: i64,
    }
    let Gone { gone } = diesel::sql_query(
        "WITH old AS MATERIALIZED (
             SELECT id FROM warm_lists WHERE ended_at < now() - $1 * interval '1 second'
             ORDER BY ended_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
         ), few AS MATERIALIZED (
             SELECT item.list, item.position FROM warm_items AS item JOIN old ON old.id = item.list
             LIMIT $2 FOR UPDATE OF item SKIP LOCKED
         ), items AS (
             DELETE FROM warm_items AS item USING few
             WHERE item.list = few.list AND item.position = few.position RETURNING 1
         ), lists AS (
             DELETE FROM warm_lists AS list USING old
             WHERE list.id = old.id AND NOT EXISTS (SELECT FROM warm_items AS item WHERE item.list = old.id) RETURNING 1
         )
         SELECT (SELECT count(*) FROM items) + (SELECT count(*) FROM lists) AS gone",
    )
    .bind::<Double, _>(keep.as_secs_f64())
    .bind::<BigInt, _>(i64::try_from(*most).unwrap_or(i64::MAX))
    .get_result(connection)
    .await?;
    Ok(usize::try_from(gone).unwrap_or(0))
}

fn small(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}
