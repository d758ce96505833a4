//! Storing a process: its copy, its movements and the news that they bring, in one transaction.

mod rows;
mod statements;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::Error as QueryError;
use diesel_async::{AsyncConnection, AsyncPgConnection};

pub(super) use self::rows::ProcessRows;
use super::messages::{Novelty, Stored};
use crate::domain::diff::Diff;

/// A process that was seen for the first time by two stores at once is tried again by the one that came second. A third time means that
/// it was cleaned away in between.
const ATTEMPTS: u32 = 3;

/// Stores a process unless a newer version is stored: all of it or nothing. Doing it twice is doing it once.
pub(super) async fn store(connection: &mut AsyncPgConnection, rows: &ProcessRows) -> QueryResult<Stored> {
    for _ in 1..ATTEMPTS {
        match attempt(connection, rows).await {
            Err(QueryError::RollbackTransaction) => {}
            done => return done,
        }
    }
    attempt(connection, rows).await
}

/// Six round trips if nothing is new. It gives [`QueryError::RollbackTransaction`] if the process was not there and then was: without
/// its row there is nothing to lock, and what the other store brought has to be read before anything can be called new.
async fn attempt(connection: &mut AsyncPgConnection, rows: &ProcessRows) -> QueryResult<Stored> {
    connection
        .transaction(async |connection| {
            // By itself, before anything is read: a statement sees what was there when it began, not when it got its lock.
            let earlier = statements::lock(connection, &rows.cnj).await?;
            if statements::upsert_status(connection, rows, earlier.is_some()).await? == 0 {
                return match earlier {
                    None => Err(QueryError::RollbackTransaction),
                    // A copy that is stored already is a success; only a newer one is not.
                    Some(stored) if stored.version() == Some(rows.version) => Ok(Stored::Stored(Novelty::default())),
                    Some(_) => Ok(Stored::Outdated),
                };
            }
            let before = earlier.and_then(|stored| stored.provider());
            let known = match before {
                Some(_) => statements::known(connection, &rows.cnj).await?,
                None => Vec::new(),
            };
            let diff = Diff::between(before, &known, rows.provider, &rows.listed);
            write(connection, rows, &diff).await.map(Stored::Stored)
        })
        .await
}

/// The movements, and what is told of them. The events come last, because their numbers are locked from there to the commit.
async fn write(connection: &mut AsyncPgConnection, rows: &ProcessRows, diff: &Diff<'_>) -> QueryResult<Novelty> {
    statements::upsert_movements(connection, rows, &first_seen(rows, diff)).await?;
    if diff.unclaimed > 0 || !diff.changed.is_empty() {
        statements::fill_identities(connection, rows).await?;
    }
    let gone: Vec<&str> = diff.gone().map(|id| id.as_str()).collect();
    if !gone.is_empty() {
        statements::mark_removed(connection, rows, &gone).await?;
    }
    let (kinds, ids): (Vec<&str>, Vec<&str>) = diff.events().map(|(kind, id)| (kind.as_str(), id.as_str())).unzip();
    let numbers =
        if ids.is_empty() { Vec::new() } else { statements::insert_events(connection, rows, &kinds, &ids).await? };
    Ok(Novelty {
        first_sight: diff.first_sight,
        events: u32::try_from(numbers.len()).unwrap_or(u32::MAX),
        newest_event: numbers.into_iter().max(),
    })
}

/// When each movement first reached us, should it turn out to have no row yet.
fn first_seen(rows: &ProcessRows, diff: &Diff<'_>) -> Vec<DateTime<Utc>> {
    let inherited: HashMap<_, _> = diff.renumbered.iter().map(|one| (one.id, one.first_seen)).collect();
    let fetched = rows.version.fetched_at;
    rows.listed.iter().map(|listed| inherited.get(&listed.id).copied().unwrap_or(fetched)).collect()
}
