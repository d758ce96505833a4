//! A process as it is read.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::messages::StoredProcess;
use super::schema::process_status_cache;
use crate::domain::version::Version;

/// What a read brings.
#[derive(Queryable, Selectable)]
#[diesel(table_name = process_status_cache, check_for_backend(diesel::pg::Pg))]
pub(super) struct StoredRow {
    snapshot: Option<Vec<u8>>,
    cache_valid_until: DateTime<Utc>,
    absent_until: Option<DateTime<Utc>>,
    absent_since: Option<DateTime<Utc>>,
    verified_at: Option<DateTime<Utc>>,
    last_api_sync: DateTime<Utc>,
}

impl From<StoredRow> for StoredProcess {
    fn from(row: StoredRow) -> Self {
        Self {
            envelope: row.snapshot.map(Bytes::from),
            fresh_until: row.cache_valid_until,
            version: Version::new(row.verified_at, row.absent_since.unwrap_or(row.last_api_sync)),
            absent_until: row.absent_until,
        }
    }
}
