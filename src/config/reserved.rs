//! Settings that the contract names for rooms that are not built yet. They are checked like all others, and whoever sets one
//! is told that it has no effect: a cap that is silently ignored would be worse than none.

use super::reader::Reader;

/// Checks them and returns the names of those that are set.
pub fn check(reader: &mut Reader<'_>) -> Vec<&'static str> {
    reader.flag("JUSCACHE_WEBHOOK_PRIVATE", false);
    const NAMES: [&str; 2] = ["ESCAVADOR_CALLBACK_TOKEN", "JUSCACHE_WEBHOOK_PRIVATE"];
    NAMES.into_iter().filter(|name| reader.text(name).is_some()).collect()
}
