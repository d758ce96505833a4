//! `juscache ledger`.

use secrecy::SecretString;
use serde::Deserialize;

use super::ask::{Question, admin_token};
use super::table::{Table, wrapped};
use super::{WRONG_USAGE, say};
use crate::config::source::Environment;
use crate::http::days;
use crate::ledger::report::{Avoided, BudgetLine, BudgetReport, DaySum, LedgerReport, Sum};
use crate::ledger::words::{day, reais, thousands};

/// What can be asked. Nothing given: yesterday and today.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One day: yesterday, today, or as 2026-12-31.
    #[arg(long, value_name = "DAY", conflicts_with_all = ["from", "to", "month"])]
    day: Option<String>,
    /// The first of some days, as 2026-12-01.
    #[arg(long, value_name = "DAY", requires = "to", conflicts_with = "month")]
    from: Option<String>,
    /// The last of them.
    #[arg(long, value_name = "DAY", requires = "from", conflicts_with = "month")]
    to: Option<String>,
    /// The month so far.
    #[arg(long)]
    month: bool,
    /// Print the answer's JSON as it came.
    #[arg(long)]
    json: bool,
    /// The service; by default the one that JUSCACHE_LISTEN names.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The admin token; by default JUSCACHE_ADMIN_TOKEN, which other users of this machine cannot read.
    #[arg(long)]
    token: Option<SecretString>,
}

/// Asks a running service what was spent and shows it.
pub(super) fn run(environment: &Environment, args: &Args) -> u8 {
    let query = query(args);
    if let Err(error) = days::read(&query) {
        say(&error.detail_pt());
        return WRONG_USAGE;
    }
    let Some(token) = admin_token(environment, args.token.as_ref()) else { return WRONG_USAGE };
    let question = Question {
        server: args.server.as_deref(),
        path: format!(
            "/api/v1/admin/ledger{query}",
            query = if query.is_empty() { query } else { format!("?{query}") }
        ),
        token: Some(&token),
        json: args.json,
    };
    question.ask(environment, |body| match serde_json::from_str::<Answer>(body) {
        Ok(answer) => Ok(page(&answer)),
        Err(error) => Err(error.to_string()),
    })
}

fn query(args: &Args) -> String {
    match (&args.day, &args.from, &args.to) {
        (Some(day), ..) => format!("day={day}"),
        (_, Some(from), Some(to)) => format!("from={from}&to={to}"),
        _ if args.month => "period=month".to_owned(),
        _ => String::new(),
    }
}

#[derive(Deserialize)]
struct Answer {
    summary: String,
    #[serde(flatten)]
    report: LedgerReport,
}

/// The whole answer for a person.
fn page(Answer { summary, report }: &Answer) -> String {
    let LedgerReport { days, by_endpoint, by_lane, by_client, by_process, avoided, budget, .. } = report;
    let mut blocks = vec![wrapped(summary)];
    if days.len() > 1 {
        blocks.push(days_table(days));
    }
    for (title, sums) in [
        ("Por operação", by_endpoint),
        ("Por fila", by_lane),
        ("Por cliente", by_client),
        ("Processos que mais custaram", by_process),
    ] {
        blocks.push(sums_table(title, sums));
    }
    blocks.push(avoided_table(avoided));
    blocks.push(budget_table(budget));
    blocks.join("\n\n")
}

fn days_table(days: &[DaySum]) -> String {
    let mut table = Table::new(["Por dia", "requisições", "gasto", "evitado"], "nada gasto");
    for sum in days {
        table.row([day(sum.day), thousands(sum.requests), reais(sum.spent_centavos), reais(sum.avoided_centavos)]);
    }
    table.lines().join("\n")
}

fn sums_table(title: &'static str, sums: &[Sum]) -> String {
    let mut table = Table::new([title, "requisições", "gasto"], "nada gasto");
    for sum in sums {
        table.row([sum.name.clone(), thousands(sum.requests), reais(sum.centavos)]);
    }
    table.lines().join("\n")
}

fn avoided_table(avoided: &[Avoided]) -> String {
    let mut table = Table::new(["Evitado por", "consultas", "evitado"], "nada evitado");
    for Avoided { tier, lookups, centavos } in avoided.iter().filter(|tier| tier.lookups > 0) {
        table.row([meaning(tier), thousands(*lookups), reais(*centavos)]);
    }
    table.lines().join("\n")
}

/// A tier's word with what it means.
fn meaning(tier: &str) -> String {
    let meaning = match tier {
        "memory" => "cópia neste processo",
        "redis" => "cópia no Redis",
        "database" => "cópia no PostgreSQL",
        "coalesced" => "compra de outro leitor",
        "confirmed" => "conferência grátis",
        _ => return tier.to_owned(),
    };
    format!("{tier} ({meaning})")
}

fn budget_table(budget: &BudgetReport) -> String {
    let mut table = Table::new(["Orçamento", "limite", "gasto", "reservado", "resta"], "sem limite");
    for (name, line) in [("hoje", budget.day), ("este mês", budget.month)] {
        let BudgetLine { cap_centavos, spent_centavos, reserved_centavos, left_centavos } = line;
        let of = |amount: Option<u64>| amount.map_or_else(|| "sem limite".to_owned(), reais);
        table.row([name.into(), of(cap_centavos), reais(spent_centavos), reais(reserved_centavos), of(left_centavos)]);
    }
    table.lines().join("\n")
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
