//! A report as one sentence in Portuguese: how much we spent, on what, and what it would have cost without the cache.

use chrono::NaiveDate;

use super::report::{LedgerReport, Sum};

/// The days of every report are days here.
pub const TIMEZONE: &str = "America/Sao_Paulo";
/// The money of every report.
pub const CURRENCY: &str = "BRL";

/// What the sentence names before it says `outros`.
const NAMED: usize = 3;

/// Centavos as `R$ 1.234,56`.
#[must_use]
pub fn reais(centavos: u64) -> String {
    format!("R$ {},{:02}", thousands(centavos / 100), centavos % 100)
}

/// A count as `1.234`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('.');
        }
        grouped.push(digit);
    }
    grouped
}

/// A day as `31/12/2026`.
#[must_use]
pub fn day(day: NaiveDate) -> String {
    day.format("%d/%m/%Y").to_string()
}

/// The sentence.
#[must_use]
pub fn summary(report: &LedgerReport) -> String {
    let LedgerReport { from, to, requests, spent_centavos, presumed_centavos, .. } = *report;
    let when = if from == to { format!("Em {}", day(from)) } else { format!("De {} a {}", day(from), day(to)) };
    let times = match requests {
        1 => "1 requisição".to_owned(),
        many => format!("{} requisições", thousands(many)),
    };
    let spent = match (spent_centavos, requests) {
        (0, 0) => ", nada gasto".to_owned(),
        (0, 1) => ", nada gasto (1 requisição, sem custo)".to_owned(),
        (0, _) => format!(", nada gasto ({times}, todas sem custo)"),
        _ => {
            let presumed = match presumed_centavos {
                0 => String::new(),
                part => format!(" ({} presumidos, de respostas que não chegaram)", reais(part)),
            };
            format!(" gastamos {}{presumed} em {times}{}", reais(spent_centavos), on_what(&report.by_endpoint))
        }
    };
    let otherwise = match (report.avoided_centavos, spent_centavos) {
        (0, 0) => "; o cache não evitou nenhuma compra".to_owned(),
        (0, _) => format!("; sem o cache teria custado o mesmo, {}", reais(report.without_cache_centavos)),
        (avoided, _) => {
            format!("; sem o cache teria custado {} ({} a mais)", reais(report.without_cache_centavos), reais(avoided))
        }
    };
    format!("{when}{spent}{otherwise}.")
}

/// `: capas R$ 3,00 e movimentações R$ 1,20`; nothing when nothing cost anything.
fn on_what(sums: &[Sum]) -> String {
    let mut paid: Vec<&Sum> = sums.iter().filter(|sum| sum.centavos > 0).collect();
    paid.sort_by_key(|sum| std::cmp::Reverse(sum.centavos));
    let mut parts: Vec<String> =
        paid.iter().take(NAMED).map(|sum| format!("{} {}", thing(&sum.name), reais(sum.centavos))).collect();
    let others: u64 = paid.iter().skip(NAMED).map(|sum| sum.centavos).fold(0, u64::saturating_add);
    if others > 0 {
        parts.push(format!("outros {}", reais(others)));
    }
    match parts.split_last() {
        None => String::new(),
        Some((only, [])) => format!(": {only}"),
        Some((last, first)) => format!(": {} e {last}", first.join(", ")),
    }
}

/// `escavador/cover` in a reader's words; what is not known here keeps its name.
fn thing(name: &str) -> &str {
    match name.rsplit('/').next().unwrap_or(name) {
        "cover" => "capas",
        "movements" => "movimentações",
        "movements-next" => "páginas seguintes de movimentações",
        "status" => "consultas de situação",
        "balance" => "consultas de saldo",
        "update-request" => "pedidos de atualização",
        "search" => "buscas",
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::report::{BudgetLine, BudgetReport};

    fn report(spent: u64, avoided: u64, sums: &[(&str, u64)]) -> LedgerReport {
        let day = NaiveDate::from_ymd_opt(2026, 8, 1).unwrap();
        let by_endpoint: Vec<_> = sums
            .iter()
            .map(|(name, centavos)| Sum { name: (*name).into(), requests: 2, centavos: *centavos })
            .collect();
        LedgerReport {
            from: day,
            to: day.succ_opt().unwrap(),
            requests: by_endpoint.iter().map(|sum| sum.requests).sum(),
            spent_centavos: spent,
            presumed_centavos: 0,
            avoided_centavos: avoided,
            without_cache_centavos: spent + avoided,
            days: Vec::new(),
            by_endpoint,
            by_lane: Vec::new(),
            by_client: Vec::new(),
            by_outcome: Vec::new(),
            by_process: Vec::new(),
            avoided: Vec::new(),
            budget: BudgetReport { day: BudgetLine::default(), month: BudgetLine::default() },
        }
    }

    #[test]
    fn money_is_written_as_in_brazil() {
        for (centavos, text) in [
            (0, "R$ 0,00"),
            (5, "R$ 0,05"),
            (100, "R$ 1,00"),
            (99_999, "R$ 999,99"),
            (123_456, "R$ 1.234,56"),
            (100_000_000, "R$ 1.000.000,00"),
            (u64::MAX, "R$ 184.467.440.737.095.516,15"),
        ] {
            assert_eq!(reais(centavos), text);
        }
    }

    #[test]
    fn the_sentence_says_how_much_on_what_and_what_it_would_have_been() {
        let sums = [("escavador/movements", 120), ("escavador/cover", 300), ("escavador/status", 0)];
        assert_eq!(
            summary(&report(420, 123_456, &sums)),
            "De 01/08/2026 a 02/08/2026 gastamos R$ 4,20 em 6 requisições: capas R$ 3,00 e movimentações R$ 1,20; \
             sem o cache teria custado R$ 1.238,76 (R$ 1.234,56 a mais)."
        );
        let many = [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)];
        let told = summary(&report(15, 0, &many));
        assert!(told.contains(": e R$ 0,05, d R$ 0,04, c R$ 0,03 e outros R$ 0,03; "), "{told}");
        assert!(told.ends_with("sem o cache teria custado o mesmo, R$ 0,15."), "{told}");
    }

    #[test]
    fn one_day_one_request_and_a_presumption_are_said_so() {
        let mut one = report(27, 0, &[("escavador/cover", 27)]);
        one.to = one.from;
        (one.requests, one.presumed_centavos) = (1, 27);
        let told = summary(&one);
        let start = "Em 01/08/2026 gastamos R$ 0,27 (R$ 0,27 presumidos, de respostas que não chegaram) em 1 requisição: \
                     capas R$ 0,27;";
        assert!(told.starts_with(start), "{told}");
    }

    #[test]
    fn nothing_spent_reads_well() {
        let when = "De 01/08/2026 a 02/08/2026, nada gasto";
        assert_eq!(summary(&report(0, 0, &[])), format!("{when}; o cache não evitou nenhuma compra."));
        assert_eq!(
            summary(&report(0, 540, &[("escavador/status", 0)])),
            format!("{when} (2 requisições, todas sem custo); sem o cache teria custado R$ 5,40 (R$ 5,40 a mais).")
        );
    }
}
