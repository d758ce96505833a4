//! `juscache demo`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use super::serve::{ending, ledger_line, stop_signal};
use super::{FAILED, WRONG_USAGE, print, say};
use crate::ambient::{Random, SystemClock, SystemRandom};
use crate::app::App;
use crate::config::Settings;
use crate::config::reader::Mistakes;
use crate::config::source::{Environment, Strings};
use crate::sandbox::{Sandbox, SandboxSettings, demo_numbers};
use crate::telemetry::logging;

const SEED: u64 = 1;
const KNOWN: usize = 5;
/// The vendor answers in seconds; with no delay at all, a demo would not show what a near copy is worth.
const VENDOR_LATENCY: Duration = Duration::from_millis(60);

/// The environment without what would reach real systems: invented processes must never get into a real cache, nor a demo
/// spend real credits.
struct Harmless<'a>(&'a Environment);

impl Strings for Harmless<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let stores = ["DATABASE_URL", "REDIS_URL"].contains(&name);
        let vendors = ["ESCAVADOR_", "DATAJUD_"].iter().any(|vendor| name.starts_with(vendor));
        let is_real = stores || (vendors && name != "ESCAVADOR_REQUESTS_PER_MINUTE");
        if is_real { None } else { self.0.get(name) }
    }
}

/// A folder of this demo's own, removed at its end.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            let _gone = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Runs the demo until a signal.
pub(super) fn run(environment: &Environment) -> u8 {
    let settings = match read(environment) {
        Ok(settings) => settings,
        Err(mistakes) => {
            say(&format!("the configuration has mistakes; nothing was started\n{mistakes}"));
            return WRONG_USAGE;
        }
    };
    let filter = environment.get("RUST_LOG").unwrap_or_else(|| "warn".into());
    logging::start(Some(&filter), settings.server.log_format);
    let temporary = environment.get("JUSCACHE_DATA_DIR").is_none();
    let folder = Folder { path: settings.data_dir.clone(), temporary };
    let code = actix_rt::System::new().block_on(serve(settings));
    drop(folder);
    code
}

fn read(environment: &Environment) -> Result<Settings, Mistakes> {
    let mut settings = Settings::read(&Harmless(environment))?;
    settings.data_dir = match environment.get("JUSCACHE_DATA_DIR") {
        // Invented processes must not get into the database of a real service.
        Some(folder) => PathBuf::from(folder).join("demo"),
        None => std::env::temp_dir().join(format!("juscache-demo-{:016x}", SystemRandom.bits() >> 64)),
    };
    if environment.get("JUSCACHE_LISTEN").is_none() && TcpListener::bind(settings.server.listen).is_err() {
        settings.server.listen.set_port(0);
    }
    Ok(settings)
}

async fn serve(mut settings: Settings) -> u8 {
    let vendor = SandboxSettings {
        seed: SEED,
        latency: VENDOR_LATENCY,
        requests_per_minute: settings.fetcher.requests_per_minute,
        ..SandboxSettings::default()
    };
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let sandbox = match Sandbox::start(vendor, anywhere, SystemClock::shared()).await {
        Ok(sandbox) => sandbox,
        Err(error) => {
            say(&format!("the simulated vendor cannot start: {error}"));
            return FAILED;
        }
    };
    settings.fetcher.base_url = sandbox.base_url();
    settings.fetcher.api_key = Some("demo".into());
    settings.datajud.base_url = sandbox.base_url();
    settings.datajud.api_key = Some("demo".into());
    let app = match App::start(settings, SystemClock::shared(), SystemRandom::shared()).await {
        Ok(app) => app,
        Err(error) => {
            say(&format!("the demo cannot start: {error}"));
            return FAILED;
        }
    };
    let numbers = demo_numbers(KNOWN + 2, SEED);
    let (known, new) = numbers.split_at_checked(KNOWN).unwrap_or_default();
    app.learn(known).await;
    print(&welcome(&format!("http://{}", app.address()), &sandbox.base_url(), known, new, &ledger_line(&app)));
    let code = ending(app.run_until(stop_signal()).await);
    sandbox.stop().await;
    code
}

fn welcome(juscache: &str, sandbox: &str, known: &[String], new: &[String], ledger: &str) -> String {
    let [new, newer] = [0, 1].map(|index| new.get(index).map_or("", String::as_str));
    let lookup = format!("{juscache}/api/v1/process-movements");
    let (known, others) = known.split_first().map_or(("", String::new()), |(first, rest)| (first, rest.join("  ")));
    format!(
        "
juscache answers at {juscache}, on a database inside this program, with a simulated Escavador and DataJud.
Lines to paste into another terminal:

A process that is known already, from memory:
  curl -i '{lookup}/{known}/detailed?limit=3'
  curl -s '{lookup}/{known}/summary'

One that is new: bought once, then known:
  curl -i '{lookup}/{new}/detailed?limit=3'

The vendor goes away, the answers do not:
  curl '{sandbox}/__sandbox/outage' -d '{{\"on\":true}}'
  curl -i '{lookup}/{new}/detailed?limit=3&force_refresh=true'
  curl '{sandbox}/__sandbox/outage' -d '{{\"on\":false}}'

The credit runs out: what was bought is still served, what is new comes from DataJud, for free:
  curl '{sandbox}/__sandbox/credits' -d '{{\"centavos\":0}}'
  curl -i '{lookup}/{new}/detailed?limit=3&force_refresh=true'
  curl -i '{lookup}/{newer}/detailed?limit=3'
  curl '{sandbox}/__sandbox/credits' -d '{{\"centavos\":200000000}}'

What was spent, and what it would have cost without the copies:
  {ledger}

How it is:
  curl '{juscache}/health/ready'
  curl '{juscache}/metrics'

Known as well: {others}
Ctrl-C ends it.
"
    )
}
