//! `juscache lookup <cnj>`.

use serde::Deserialize;

use super::ask::Question;
use super::{WRONG_USAGE, say};
use crate::config::source::Environment;
use crate::domain::cnj::Cnj;

/// What can be asked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The process's number, masked or as 20 digits.
    cnj: String,
    /// Ask the vendor even if a copy is held. May cost credits.
    #[arg(long)]
    fresh: bool,
    /// Print the answer's JSON as it came.
    #[arg(long)]
    json: bool,
    /// The service; by default the one that JUSCACHE_LISTEN names.
    #[arg(long)]
    server: Option<String>,
}

/// Asks a running service and shows the timeline, newest first.
pub(super) fn run(environment: &Environment, args: &Args) -> u8 {
    let cnj = match Cnj::parse(&args.cnj) {
        Ok(cnj) => cnj,
        Err(error) => {
            say(&error.detail_pt());
            return WRONG_USAGE;
        }
    };
    let question = Question {
        server: args.server.as_deref(),
        path: format!("/api/v1/process-movements/{cnj}/detailed?limit=500&force_refresh={}", args.fresh),
        token: None,
        json: args.json,
    };
    question.ask(environment, |body| Ok(timeline(body)))
}

/// What is shown of an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    cnj: String,
    total_movements: u64,
    current_phase: String,
    progress_percentage: u8,
    outcome: String,
    tribunal_info: Tribunal,
    movements: Vec<Movement>,
    cached_at: String,
    cache_source: String,
    freshness: Freshness,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tribunal {
    name: String,
    grau: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Movement {
    date: Option<String>,
    icon: String,
    description: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Freshness {
    stale: bool,
    reason: Option<String>,
}

fn timeline(body: &str) -> String {
    let answer: Answer = serde_json::from_str(body).unwrap_or_default();
    let mut lines = vec![
        format!("{}  {} {}", answer.cnj, answer.tribunal_info.name, answer.tribunal_info.grau.unwrap_or_default()),
        format!(
            "fase {} ({}%), resultado {}, {} movimentações",
            answer.current_phase, answer.progress_percentage, answer.outcome, answer.total_movements,
        ),
        format!("obtido em {} ({})", answer.cached_at, answer.cache_source),
    ];
    if answer.freshness.stale {
        lines.push(format!("cópia vencida: {}", answer.freshness.reason.unwrap_or_default()));
    }
    lines.push(String::new());
    lines.extend(answer.movements.into_iter().map(|movement| {
        let day = movement.date.unwrap_or_else(|| "sem data  ".into());
        format!("{day}  {} {}", movement.icon, movement.description)
    }));
    lines.join("\n")
}
