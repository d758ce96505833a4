//! `juscache warm <file|->`.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::Read;
use std::time::{Duration, Instant};

use reqwest::Method;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;

use super::ask::{Service, admin_token, sentence};
use super::progress::Progress;
use super::serve::stop_signal;
use super::table::Table;
use super::{DONE, FAILED, WRONG_USAGE, print, say};
use crate::ambient::{Clock, SystemClock};
use crate::config::source::Environment;
use crate::domain::cnj::Cnj;
use crate::domain::warm::{FailedItem, ListState, MOST_IN_A_LIST, WarmList};
use crate::http::routes::admin::warm::PATH;
use crate::ledger::words::{reais, thousands};

/// Bytes of a list at the most: two million numbers, more than a service takes in.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// How often the service is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For how long a service that does not answer is asked again: it may be restarting.
const ABSENCE: Duration = Duration::from_secs(5 * 60);
/// Processes that failed that are named in the table; JSON has what the service tells.
const MOST_NAMED: usize = 20;

/// What can be asked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file with one process number a line, masked or as 20 digits; `-` for stdin. Empty lines, and what follows a `#`, are passed over.
    file: String,
    /// Print the tally as JSON.
    #[arg(long)]
    json: bool,
    /// The service; by default the one that JUSCACHE_LISTEN names.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The admin token; by default JUSCACHE_ADMIN_TOKEN, which other users of this machine cannot read.
    #[arg(long)]
    token: Option<SecretString>,
}

/// Sends the list, watches it, tells how it ended.
pub(super) fn run(environment: &Environment, args: &Args) -> u8 {
    let prepared = read(&args.file).and_then(|text| {
        let numbers = numbers(&text)?;
        let token = admin_token(environment, args.token.as_ref())?;
        Ok((numbers, Service::open(environment, args.server.as_deref(), Some(&token))?))
    });
    let (Numbers { cnjs, duplicates }, service) = match prepared {
        Ok(prepared) => prepared,
        Err(mistake) => {
            say(&mistake);
            return WRONG_USAGE;
        }
    };
    let watch = Watch { service: &service, accepted: RefCell::default() };
    let ended = actix_rt::System::new().block_on(async {
        tokio::select! {
            ended = watch.load(&cnjs) => Some(ended),
            () = stop_signal() => None,
        }
    });
    let answers = match ended {
        Some(Ok(answers)) => answers,
        Some(Err(what)) => {
            say(&what);
            watch.say_what_goes_on();
            return FAILED;
        }
        None => {
            say("Interrompido.");
            watch.say_what_goes_on();
            return FAILED;
        }
    };
    let tally = Tally::of(answers, duplicates);
    if args.json {
        print(&serde_json::to_string(&tally).unwrap_or_default());
    } else {
        print(&page(&tally));
    }
    if tally.failed == 0 && tally.state == ListState::Done { DONE } else { FAILED }
}

fn read(file: &str) -> Result<String, String> {
    let mut text = String::new();
    let input: Box<dyn Read> = match file {
        "-" => Box::new(std::io::stdin()),
        _ => Box::new(std::fs::File::open(file).map_err(|error| format!("cannot read {file}: {error}"))?),
    };
    let read = input.take(MOST_BYTES + 1).read_to_string(&mut text);
    let bytes = read.map_err(|error| format!("cannot read {file}: {error}"))?;
    if u64::try_from(bytes).is_ok_and(|bytes| bytes > MOST_BYTES) {
        return Err(format!("{file} is larger than {MOST_BYTES} bytes; divide it"));
    }
    Ok(text)
}

/// The processes of a text, each once.
#[derive(Debug, PartialEq, Eq)]
struct Numbers {
    cnjs: Vec<Cnj>,
    duplicates: u64,
}

/// Reads the numbers, or tells of every line that holds none.
fn numbers(text: &str) -> Result<Numbers, String> {
    let (mut cnjs, mut seen, mut wrong, mut duplicates) = (Vec::new(), HashSet::new(), Vec::new(), 0);
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1_u64..) {
        let given = line.split('#').next().unwrap_or_default().trim();
        if given.is_empty() {
            continue;
        }
        match Cnj::parse(given) {
            Ok(cnj) if seen.insert(cnj) => cnjs.push(cnj),
            Ok(_known) => duplicates += 1,
            Err(error) => wrong.push(format!("linha {number}: {}", error.detail_pt())),
        }
    }
    if !wrong.is_empty() {
        wrong.push(format!("Nada foi enviado: {} linhas não trazem um número de processo.", wrong.len()));
        return Err(wrong.join("\n"));
    }
    if cnjs.is_empty() {
        return Err("Nada foi enviado: não há nenhum número de processo na lista.".into());
    }
    Ok(Numbers { cnjs, duplicates })
}

/// A list as the service tells of it.
#[derive(Debug, Clone, Deserialize)]
struct Answer {
    #[serde(flatten)]
    list: WarmList,
    #[serde(default)]
    failures: Vec<FailedItem>,
}

/// What goes on at the service.
struct Watch<'a> {
    service: &'a Service,
    /// The lists that it took in, by id: they go on whatever becomes of this command.
    accepted: RefCell<Vec<String>>,
}

impl Watch<'_> {
    /// Sends everything, then looks until nothing runs any more.
    async fn load(&self, cnjs: &[Cnj]) -> Result<Vec<Answer>, String> {
        let mut answers = Vec::new();
        for list in cnjs.chunks(MOST_IN_A_LIST) {
            let numbers: Vec<String> = list.iter().map(Cnj::masked).collect();
            let body = json!({ "cnjs": numbers }).to_string();
            let answer = self.ask(Method::POST, PATH, Some(body)).await.map_err(Trouble::text)?;
            self.accepted.borrow_mut().push(answer.list.id.clone());
            answers.push(answer);
        }
        let total = answers.iter().map(|answer| answer.list.total).sum();
        let mut progress = Progress::of(total, SystemClock::shared());
        loop {
            let done = answers.iter().map(|answer| answer.list.total.saturating_sub(answer.list.waiting)).sum();
            progress.show(done, &note(&answers));
            if answers.iter().all(|answer| answer.list.state != ListState::Running) {
                return Ok(answers);
            }
            sleep(LOOK_EVERY).await;
            for answer in answers.iter_mut().filter(|answer| answer.list.state == ListState::Running) {
                let path = format!("{PATH}/{}", answer.list.id);
                *answer = self.look(&path, &progress).await?;
            }
        }
    }

    /// How one list stands; a service that is away for a moment is waited for.
    async fn look(&self, path: &str, progress: &Progress) -> Result<Answer, String> {
        let mut away_since: Option<Instant> = None;
        loop {
            let trouble = match self.ask(Method::GET, path, None).await {
                Ok(answer) => return Ok(answer),
                Err(trouble @ Trouble::Final(_)) => return Err(trouble.text()),
                Err(trouble @ Trouble::Passing(_)) => trouble,
            };
            let now = SystemClock.monotonic();
            match away_since {
                None => {
                    progress.say(&format!("{} (tentando de novo…)", trouble.text()));
                    away_since = Some(now);
                }
                Some(since) if now.saturating_duration_since(since) > ABSENCE => return Err(trouble.text()),
                Some(_) => {}
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<Answer, Trouble> {
        let server = self.service.address();
        let (answered, body) = self
            .service
            .ask(method, path, body)
            .await
            .map_err(|error| Trouble::Passing(format!("no juscache answers at {server}: {error}")))?;
        if !answered {
            #[derive(Deserialize, Default)]
            struct Status {
                status: u16,
            }
            let Status { status } = serde_json::from_str(&body).unwrap_or_default();
            let what = sentence(&body);
            return Err(if status >= 500 { Trouble::Passing(what) } else { Trouble::Final(what) });
        }
        serde_json::from_str(&body)
            .map_err(|error| Trouble::Final(format!("{server} does not answer as a juscache of this version: {error}")))
    }

    fn say_what_goes_on(&self) {
        let accepted = self.accepted.borrow();
        if accepted.is_empty() {
            say("O serviço não confirmou nenhuma lista.");
            return;
        }
        say("O que o serviço já aceitou segue em andamento nele; para acompanhar ou cancelar (GET ou DELETE):");
        for id in accepted.iter() {
            say(&format!("  {}{PATH}/{id}", self.service.address()));
        }
    }
}

/// Why a question was not answered.
enum Trouble {
    /// It may be over in a moment.
    Passing(String),
    /// It will not.
    Final(String),
}

impl Trouble {
    fn text(self) -> String {
        match self {
            Self::Passing(text) | Self::Final(text) => text,
        }
    }
}

/// What is said beside the bar.
fn note(answers: &[Answer]) -> String {
    let cost = answers.iter().map(|answer| answer.list.cost_centavos).sum();
    let pause = answers.iter().find_map(|answer| answer.list.paused_reason);
    match pause {
        Some(reason) => format!("{}, em pausa: {}", reais(cost), reason.as_str()),
        None => reais(cost),
    }
}

/// How it ended.
#[derive(Debug, Serialize)]
struct Tally {
    state: ListState,
    total: u64,
    duplicates: u64,
    known: u64,
    loaded: u64,
    unknown: u64,
    failed: u64,
    not_looked_up: u64,
    cost_centavos: u64,
    cost_reais: String,
    lists: Vec<String>,
    failures: Vec<FailedItem>,
}

impl Tally {
    fn of(answers: Vec<Answer>, duplicates: u64) -> Self {
        let sum = |part: fn(&WarmList) -> u64| answers.iter().map(|answer| part(&answer.list)).sum();
        let cost_centavos: u64 = sum(|list| list.cost_centavos);
        let is_cancelled = answers.iter().any(|answer| answer.list.state == ListState::Cancelled);
        Self {
            state: if is_cancelled { ListState::Cancelled } else { ListState::Done },
            total: sum(|list| list.total),
            duplicates: duplicates + sum(|list| list.duplicates),
            known: sum(|list| list.known),
            loaded: sum(|list| list.done),
            unknown: sum(|list| list.unknown),
            failed: sum(|list| list.failed),
            not_looked_up: sum(|list| list.waiting),
            cost_centavos,
            cost_reais: format!("{}.{:02}", cost_centavos / 100, cost_centavos % 100),
            lists: answers.iter().map(|answer| answer.list.id.clone()).collect(),
            failures: answers.into_iter().flat_map(|answer| answer.failures).collect(),
        }
    }
}

/// The tally for a person.
fn page(tally: &Tally) -> String {
    let mut table = Table::new(["Processos", "quantos"], "nenhum");
    for (name, count) in [
        ("já conhecidos (sem custo)", tally.known),
        ("carregados", tally.loaded),
        ("desconhecidos do fornecedor", tally.unknown),
        ("falharam", tally.failed),
        ("não consultados (lista cancelada)", tally.not_looked_up),
        ("total", tally.total),
        ("repetidos na lista", tally.duplicates),
    ] {
        if count > 0 || name == "total" {
            table.row([name.into(), thousands(count)]);
        }
    }
    let mut blocks = vec![table.lines().join("\n"), format!("Custo: {}", reais(tally.cost_centavos))];
    if !tally.failures.is_empty() {
        let mut table = Table::new(["Falharam", "tentativas", "motivo"], "nenhum");
        for FailedItem { cnj, outcome, attempts, .. } in tally.failures.iter().take(MOST_NAMED) {
            table.row([cnj.clone(), attempts.to_string(), outcome.clone()]);
        }
        blocks.push(table.lines().join("\n"));
    }
    blocks.join("\n\n")
}

#[cfg(test)]
#[path = "warm_tests.rs"]
mod tests;
