//! `JUSCACHE_BUDGET_DAY`, `JUSCACHE_BUDGET_MONTH`.

use super::reader::Reader;
use crate::postgres_tier::ledger::messages::Caps;

/// The most a cap can be: a hundred million reais.
const MOST_CENTAVOS: u32 = u32::MAX;

/// Reads the caps, in centavos of a real. Zero is a cap too: nothing is bought.
pub fn read(reader: &mut Reader<'_>) -> Caps {
    Caps { day: cap(reader, "JUSCACHE_BUDGET_DAY"), month: cap(reader, "JUSCACHE_BUDGET_MONTH") }
}

fn cap(reader: &mut Reader<'_>, variable: &'static str) -> Option<u64> {
    reader.text(variable)?;
    Some(u64::from(reader.number(variable, 0, (0, MOST_CENTAVOS))))
}

/// The smaller of the caps, which bounds what a node may set aside for itself.
#[must_use]
pub fn smallest(caps: Caps) -> Option<u64> {
    match (caps.day, caps.month) {
        (Some(day), Some(month)) => Some(day.min(month)),
        (day, month) => day.or(month),
    }
}
