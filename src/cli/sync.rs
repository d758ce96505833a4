//! `juscache sync`.

use std::time::Duration;

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::ask::{Question, Service, admin_token, sentence};
use super::progress::Progress;
use super::table::{Table, wrapped};
use super::{DONE, FAILED, WRONG_USAGE, print, say};
use crate::ambient::SystemClock;
use crate::config::source::Environment;
use crate::ledger::words::{reais, thousands};

const SYNC: &str = "/api/v1/admin/sync";
/// How often a cycle is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A cycle that takes longer goes on without being watched.
const LOOKS: u32 = 2 * 3600 * 2;
/// Looks in a row without an answer: a service that restarts is back sooner.
const SILENT_LOOKS: u32 = 60;

/// What can be asked. Nothing given: how it stands.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Start a cycle, or join the one under way, and watch it to its end. It may cost money.
    #[arg(long, conflicts_with = "status")]
    now: bool,
    /// Show how it stands.
    #[arg(long)]
    status: bool,
    /// Print JSON: how it stands, or with --now the cycle when it has ended.
    #[arg(long)]
    json: bool,
    /// The service; by default the one that JUSCACHE_LISTEN names.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The admin token; by default JUSCACHE_ADMIN_TOKEN, which other users of this machine cannot read.
    #[arg(long)]
    token: Option<SecretString>,
}

#[derive(Debug, Deserialize)]
struct Status {
    state: String,
    leader: Leader,
    next_run_at: Option<String>,
    interval_seconds: f64,
    today: Today,
    current: Option<Current>,
    last: Option<Run>,
}

#[derive(Debug, Deserialize)]
struct Leader {
    node: Option<String>,
    epoch: u64,
    is_this_node: bool,
}

#[derive(Debug, Deserialize)]
struct Today {
    day: String,
    calls: u64,
    limit: u64,
    refreshed: u64,
    unchanged: u64,
    failed: u64,
    cost_centavos: u64,
}

#[derive(Debug, Deserialize)]
struct Current {
    #[serde(flatten)]
    run: Run,
    batch: Vec<Claim>,
}

#[derive(Debug, Deserialize)]
struct Claim {
    cnj: String,
    class: String,
    state: String,
    explanation: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Run {
    id: u64,
    trigger: String,
    started_at: String,
    ending: Option<String>,
    duration_seconds: Option<f64>,
    chosen: u64,
    refreshed: u64,
    unchanged: u64,
    failed: u64,
    cleaned: u64,
    calls: u64,
    cost_centavos: u64,
}

#[derive(Deserialize)]
struct Requested {
    run: u64,
    joined: bool,
}

#[derive(Deserialize)]
struct Runs {
    runs: Vec<Value>,
}

/// Asks a running service.
pub(super) fn run(environment: &Environment, args: &Args) -> u8 {
    let token = match admin_token(environment, args.token.as_ref()) {
        Ok(token) => token,
        Err(mistake) => {
            say(&mistake);
            return WRONG_USAGE;
        }
    };
    if !args.now {
        let question =
            Question { server: args.server.as_deref(), path: SYNC.to_owned(), token: Some(&token), json: args.json };
        return question.ask(environment, |body| parsed(body).map(|status| page(&status)));
    }
    let service = match Service::open(environment, args.server.as_deref(), Some(&token)) {
        Ok(service) => service,
        Err(mistake) => {
            say(&mistake);
            return WRONG_USAGE;
        }
    };
    match actix_rt::System::new().block_on(watch(&service, args.json)) {
        Ok(code) => code,
        Err(what) => {
            say(&what);
            FAILED
        }
    }
}

fn parsed<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|error| error.to_string())
}

async fn say_or_fetch(service: &Service, method: Method, path: &str) -> Result<String, String> {
    match service.ask(method, path, None).await {
        Ok((true, body)) => Ok(body),
        Ok((false, body)) => Err(sentence(&body)),
        Err(error) => Err(format!("no juscache answers at {}: {error}", service.address())),
    }
}

/// Starts or joins a cycle, and shows it until it ends.
async fn watch(service: &Service, json: bool) -> Result<u8, String> {
    let body = say_or_fetch(service, Method::POST, SYNC).await?;
    let Requested { run, joined } = parsed(&body)?;
    let mut show = Progress::of(0, SystemClock::shared());
    show.say(&if joined { format!("ciclo {run}, já em andamento") } else { format!("ciclo {run} pedido") });
    let mut silent = 0;
    for _ in 0..LOOKS {
        match say_or_fetch(service, Method::GET, SYNC).await {
            Ok(body) => {
                silent = 0;
                let status: Status = parsed(&body)?;
                match status.current {
                    Some(current) if current.run.id == run => progress(&mut show, &current),
                    _ => {
                        drop(show);
                        return conclude(service, json, run).await;
                    }
                }
            }
            Err(what) => {
                silent += 1;
                if silent >= SILENT_LOOKS {
                    return Err(what);
                }
            }
        }
        sleep(LOOK_EVERY).await;
    }
    Err(format!("o ciclo {run} continua; `juscache sync` mostra como está"))
}

fn progress(show: &mut Progress, Current { run, batch }: &Current) {
    let under_way = batch.iter().filter(|claim| claim.state == "refreshing").map(|claim| claim.cnj.as_str());
    let names: Vec<&str> = under_way.take(2).collect();
    show.grow(run.chosen);
    show.show(run.refreshed + run.unchanged + run.failed, &names.join(", "));
}

async fn conclude(service: &Service, json: bool, run: u64) -> Result<u8, String> {
    let body = say_or_fetch(service, Method::GET, &format!("{SYNC}/runs?limit=500")).await?;
    let Runs { runs } = parsed(&body)?;
    let ended = runs.into_iter().find(|line| line.get("id").and_then(Value::as_u64) == Some(run));
    let ended = ended.ok_or_else(|| format!("o ciclo {run} não está mais na lista"))?;
    if json {
        print(&ended.to_string());
    }
    let ended: Run = serde_json::from_value(ended).map_err(|error| error.to_string())?;
    if !json {
        print(&wrapped(&summary(&ended)));
    }
    // What kept the vendor from being asked is for somebody to look at.
    let went_well = matches!(ended.ending.as_deref(), Some("completed" | "day-limit" | "off"));
    Ok(if went_well { DONE } else { FAILED })
}

/// How a cycle went, in a sentence.
fn summary(run: &Run) -> String {
    let Run { id, refreshed, unchanged, failed, cleaned, calls, cost_centavos, .. } = run;
    format!(
        "Ciclo {id} ({trigger}), {ending}{took}: {refreshed} com novidade, {unchanged} sem mudança, {failed} com falha, {cleaned} \
         registros removidos; {calls} requisições, {cost}.",
        trigger = meaning(&run.trigger),
        ending = meaning(run.ending.as_deref().unwrap_or("running")),
        took = run.duration_seconds.map_or_else(String::new, |seconds| format!(" em {seconds:.1} s")),
        calls = thousands(*calls),
        cost = reais(*cost_centavos),
    )
}

fn meaning(word: &str) -> &str {
    match word {
        "schedule" => "agendado",
        "request" => "pedido",
        "running" => "em andamento",
        "completed" => "concluído",
        "day-limit" => "limite do dia atingido",
        "off" => "desligado (limite zero)",
        "no-provider" => "sem fornecedor configurado",
        "unauthorized" => "chave recusada pelo fornecedor",
        "no-credit" => "conta sem créditos",
        "budget-exhausted" => "orçamento esgotado",
        "rate-limited" => "fornecedor pediu menos requisições",
        "vendor-down" => "fornecedor fora do ar",
        other => other,
    }
}

/// The whole state for a person.
fn page(status: &Status) -> String {
    let Status { leader, today, .. } = status;
    let who = match (&leader.node, leader.is_this_node) {
        (None, _) => "ninguém conduz agora".to_owned(),
        (Some(_), true) => format!("este nó conduz (época {})", leader.epoch),
        (Some(node), false) => format!("o nó {} conduz (época {})", node.get(..8).unwrap_or(node), leader.epoch),
    };
    let state = if status.state == "running" { "em andamento" } else { "em espera" };
    let next = status.next_run_at.as_deref().unwrap_or("ainda não marcado");
    let mut blocks = vec![
        wrapped(&format!("Sincronização {state}; {who}. Próximo ciclo: {next}, a cada {} s.", status.interval_seconds)),
        wrapped(&format!(
            "Hoje ({}): {} de {} requisições; {} com novidade, {} sem mudança, {} com falha; {}.",
            today.day,
            thousands(today.calls),
            thousands(today.limit),
            today.refreshed,
            today.unchanged,
            today.failed,
            reais(today.cost_centavos)
        )),
    ];
    if let Some(Current { run, batch }) = &status.current {
        blocks.push(wrapped(&format!("{} Desde {}.", summary(run), run.started_at)));
        let mut table = Table::new(["Processo", "classe", "estado"], "nenhum processo ainda");
        for claim in batch {
            table.row([claim.cnj.clone(), claim.class.clone(), claim.state.clone()]);
        }
        blocks.push(table.lines().join("\n"));
        blocks.extend(batch.iter().map(|claim| wrapped(&format!("{}: {}", claim.cnj, claim.explanation))));
    }
    if let Some(run) = &status.last {
        blocks.push(wrapped(&format!("Último: {}", summary(run))));
    }
    blocks.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = r#""id":7,"trigger":"request","started_at":"2026-11-23T10:00:00.000Z","chosen":4,"refreshed":1,"unchanged":2,
        "failed":1,"cleaned":0,"calls":12,"cost_centavos":327"#;

    fn body(current: &str) -> String {
        format!(
            r#"{{"state":"running","leader":{{"node":"0123456789abcdef0123456789abcdef","epoch":3,"is_this_node":false}},
            "next_run_at":"2026-11-23T10:30:00.000Z","interval_seconds":1800.0,
            "today":{{"day":"2026-11-23","calls":12,"limit":200,"refreshed":1,"unchanged":2,"failed":1,"cost_centavos":327}},
            "current":{current},"last":{{{RUN},"ending":"no-credit","duration_seconds":1.25}}}}"#
        )
    }

    #[test]
    fn the_state_is_readable() {
        let batch = r#"[{"cnj":"0000001-39.2024.8.26.0100","class":"expired","state":"refreshing","explanation":"read often"}]"#;
        let running = format!(r#"{{{RUN},"ending":null,"duration_seconds":null,"batch":{batch}}}"#);
        let status: Status = parsed(&body(&running)).unwrap();
        let page = page(&status);
        for part in ["em andamento", "o nó 01234567", "12 de 200", "R$ 3,27", "read often", "conta sem créditos em 1.2"]
        {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    }

    #[test]
    fn what_is_no_answer_is_said() {
        assert!(parsed::<Status>("{}").is_err());
        let idle: Status = parsed(&body("null")).unwrap();
        assert!(idle.current.is_none() && page(&idle).contains("Último: Ciclo 7"));
    }
}
