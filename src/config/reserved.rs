//! Settings that the contract names for rooms that are not built yet. They are checked like all others, and whoever sets one
//! is told that it has no effect: a cap that is silently ignored would be worse than none.

use std::time::Duration;

use super::reader::Reader;

/// Checks them and returns the names of those that are set.
pub fn check(reader: &mut Reader<'_>) -> Vec<&'static str> {
    reader.retention("JUSCACHE_RETENTION", Duration::from_secs(7 * 24 * 3600));
    reader.timeout("JUSCACHE_SYNC_INTERVAL", Duration::from_secs(1800));
    reader.number("JUSCACHE_SYNC_BATCH", 10, (1, 1000));
    reader.number("JUSCACHE_SYNC_DAILY_LIMIT", 200, (0, 1_000_000));
    reader.duration("JUSCACHE_SYNC_WINDOW", Duration::from_secs(7200));
    const NAMES: [&str; 5] = [
        "JUSCACHE_RETENTION",
        "JUSCACHE_SYNC_BATCH",
        "JUSCACHE_SYNC_DAILY_LIMIT",
        "JUSCACHE_SYNC_INTERVAL",
        "JUSCACHE_SYNC_WINDOW",
    ];
    NAMES.into_iter().filter(|name| reader.text(name).is_some()).collect()
}
