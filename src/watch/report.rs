//! Whether a monitor of the vendor's is cheaper than asking again and again. Pure.

use std::time::Duration;

use serde::Serialize;

use crate::domain::watch::Frequency;
use crate::ledger::words::reais;
use crate::postgres_tier::watch::messages::WatchedProcess;

/// What is compared is a month of this length.
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Business days of such a month.
const BUSINESS_DAYS: f64 = 21.0;

/// Days with news for each business day where nothing was learned: two a month.
const UNKNOWN_RATE: f64 = 0.1;

/// The lifetime of a copy where none is stored, and the shortest that is believed.
const USUAL_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
const SHORTEST_LIFETIME: Duration = Duration::from_secs(60);

/// What things cost now, in centavos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// A look at the vendor's status.
    pub status: u64,
    /// A cover and the first page of movements.
    pub refresh: u64,
    /// A monitor for a month.
    pub monitor: u64,
}

/// What is known of one process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// For how long a copy counts as fresh.
    pub lifetime: Duration,
    /// Days with news for each business day.
    pub change_rate: f64,
    /// Paid requests and centavos of the last thirty days, if it was watched, and had no monitor, all the while.
    pub spent: Option<u64>,
    /// Whether it has a monitor that works.
    pub followed: bool,
    /// How often the monitor looks.
    pub frequency: Frequency,
}

/// Where the cost of asking comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The ledger's last thirty days.
    Spent,
    /// The lifetime of its copy and how often it changes.
    Expected,
}

/// The comparison for one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Where `polling_centavos` comes from.
    pub basis: Basis,
    /// How often its status is looked at in a month.
    pub expected_checks: u64,
    /// How often it is bought in a month, in thousandths.
    pub expected_refreshes_per_mille: u64,
    /// What asking costs in a month.
    pub polling_centavos: u64,
    /// What a monitor costs in a month.
    pub monitor_centavos: u64,
    /// Whether the monitor is cheaper.
    pub worth_it: bool,
    /// The same, for people.
    pub summary: String,
}

/// The comparison for several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Total {
    /// How many.
    pub processes: u64,
    /// For how many of them a monitor is cheaper.
    pub worth_it: u64,
    /// What asking for all of them costs in a month.
    pub polling_centavos: u64,
    /// What monitors for all of them cost in a month.
    pub monitor_centavos: u64,
    /// What is saved where a monitor is cheaper.
    pub saving_centavos: u64,
    /// The same, for people.
    pub summary: String,
}

/// What counts of a watched process. The ledger speaks only for whoever was watched for the whole month.
#[must_use]
pub fn facts(process: &WatchedProcess, frequency: Frequency) -> Facts {
    let monitor = process.watch.monitor.is_some_and(|monitor| monitor.id.is_some());
    let whole_month = process.watched_for >= MONTH && process.requests > 0 && !monitor;
    let rate = process.copy.and_then(|copy| copy.change_rate).filter(|rate| rate.is_finite());
    Facts {
        lifetime: process.copy.map_or(USUAL_LIFETIME, |copy| copy.lifetime),
        change_rate: rate.unwrap_or(UNKNOWN_RATE).max(0.0),
        spent: whole_month.then_some(process.spent_centavos),
        followed: monitor,
        frequency,
    }
}

/// Compares. A process is bought no more often than it is looked at; whoever looks costs little, whoever buys costs much.
#[must_use]
pub fn judge(facts: &Facts, prices: Prices) -> Verdict {
    let expected_checks = MONTH.as_secs() / facts.lifetime.max(SHORTEST_LIFETIME).as_secs().max(1);
    let changes = thousandths(facts.change_rate * BUSINESS_DAYS);
    let expected_refreshes_per_mille = changes.min(expected_checks.saturating_mul(1_000));
    let expected = expected_checks
        .saturating_mul(prices.status)
        .saturating_add(expected_refreshes_per_mille.saturating_mul(prices.refresh) / 1_000);
    let (basis, polling_centavos) = facts.spent.map_or((Basis::Expected, expected), |spent| (Basis::Spent, spent));
    let worth_it = prices.monitor < polling_centavos;
    let kind = match facts.frequency {
        Frequency::Daily => "diário",
        Frequency::Weekly => "semanal",
    };
    let (monitor, polling) = (reais(prices.monitor), reais(polling_centavos));
    let has = if facts.followed { format!("o monitor {kind} custa") } else { format!("um monitor {kind} custaria") };
    let asks = match (facts.followed, basis) {
        (true, _) => "sem ele seriam",
        (false, Basis::Spent) => "hoje gastam-se",
        (false, Basis::Expected) => "sem ele espera-se gastar",
    };
    let end = if worth_it { "vale a pena" } else { "não vale a pena" };
    let summary = format!("{has} {monitor} por mês; {asks} {polling}: {end}");
    let monitor_centavos = prices.monitor;
    Verdict {
        basis,
        expected_checks,
        expected_refreshes_per_mille,
        polling_centavos,
        monitor_centavos,
        worth_it,
        summary,
    }
}

/// Adds up.
#[must_use]
pub fn total<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Total {
    let (mut processes, mut worth_it, mut polling, mut monitor, mut saving) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    for verdict in verdicts {
        processes += 1;
        polling = polling.saturating_add(verdict.polling_centavos);
        monitor = monitor.saturating_add(verdict.monitor_centavos);
        if verdict.worth_it {
            worth_it += 1;
            saving = saving.saturating_add(verdict.polling_centavos.saturating_sub(verdict.monitor_centavos));
        }
    }
    let summary = match (processes, worth_it) {
        (0, _) => "nenhum processo é vigiado".to_owned(),
        (1, 0) => "para o processo vigiado um monitor não vale a pena".to_owned(),
        (_, 0) => format!("para nenhum dos {processes} processos vigiados um monitor vale a pena"),
        _ => format!(
            "para {worth_it} de {processes} processos vigiados um monitor vale a pena; economia de {} por mês",
            reais(saving)
        ),
    };
    let (polling_centavos, monitor_centavos, saving_centavos) = (polling, monitor, saving);
    Total { processes, worth_it, polling_centavos, monitor_centavos, saving_centavos, summary }
}

/// A count as thousandths, rounded down; nothing where it is none.
fn thousandths(count: f64) -> u64 {
    // A second's thousandth is a millisecond: the conversion that neither truncates nor wraps.
    let span = Duration::try_from_secs_f64(count).unwrap_or_default();
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: Prices = Prices { status: 0, refresh: 600, monitor: 300 };

    fn known(hours: u64, change_rate: f64, spent: Option<u64>) -> Facts {
        let lifetime = Duration::from_secs(hours * 3_600);
        Facts { lifetime, change_rate, spent, followed: false, frequency: Frequency::Daily }
    }

    #[test]
    fn what_changes_often_is_cheaper_to_monitor() {
        for (facts, prices, checks, refreshes, polling, worth_it) in [
            (known(24, 0.1, None), PRICES, 30, 2_100, 1_260, true),
            (known(24, 0.02, None), PRICES, 30, 420, 252, false),
            (known(24, 0.0, None), PRICES, 30, 0, 0, false),
            (known(24, 5.0, None), PRICES, 30, 30_000, 18_000, true),
            (known(24 * 60, 1.0, None), PRICES, 0, 0, 0, false),
            (known(1, 0.0, None), Prices { status: 1, ..PRICES }, 720, 0, 720, true),
            (known(0, f64::INFINITY, None), PRICES, 43_200, 0, 0, false),
            (known(24, 0.1, Some(299)), PRICES, 30, 2_100, 299, false),
            (known(24, 0.0, Some(301)), PRICES, 30, 0, 301, true),
            (known(24, 0.1, Some(300)), PRICES, 30, 2_100, 300, false),
        ] {
            let verdict = judge(&facts, prices);
            let seen = (verdict.expected_checks, verdict.expected_refreshes_per_mille, verdict.polling_centavos);
            assert_eq!((seen, verdict.worth_it), ((checks, refreshes, polling), worth_it), "{facts:?}");
        }
    }

    #[test]
    fn the_sentence_says_what_is_compared() {
        let spent = judge(&known(24, 0.1, Some(1_260)), PRICES).summary;
        assert_eq!(spent, "um monitor diário custaria R$ 3,00 por mês; hoje gastam-se R$ 12,60: vale a pena");
        let weekly = Facts { frequency: Frequency::Weekly, ..known(24, 0.0, None) };
        let none = "um monitor semanal custaria R$ 3,00 por mês; sem ele espera-se gastar R$ 0,00: não vale a pena";
        assert_eq!(judge(&weekly, PRICES).summary, none);
        let followed = Facts { followed: true, ..known(24, 0.1, None) };
        let has = "o monitor diário custa R$ 3,00 por mês; sem ele seriam R$ 12,60: vale a pena";
        assert_eq!(judge(&followed, PRICES).summary, has);
    }

    #[test]
    fn sums_count_savings_only_where_there_are_some() {
        let verdicts = [judge(&known(24, 0.1, None), PRICES), judge(&known(24, 0.0, None), PRICES)];
        let sum = total(&verdicts);
        let expected = (2, 1, 1_260, 600, 960);
        let seen = (sum.processes, sum.worth_it, sum.polling_centavos, sum.monitor_centavos, sum.saving_centavos);
        assert_eq!(seen, expected);
        let words = "para 1 de 2 processos vigiados um monitor vale a pena; economia de R$ 9,60 por mês";
        assert_eq!(sum.summary, words);
        assert_eq!(total([]).summary, "nenhum processo é vigiado");
    }
}
