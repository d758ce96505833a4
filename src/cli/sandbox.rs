//! `juscache sandbox`.

use std::net::SocketAddr;
use std::time::Duration;

use super::serve::stop_signal;
use super::{DONE, FAILED, print, program, say};
use crate::ambient::SystemClock;
use crate::config::server::LogFormat;
use crate::config::source::{Environment, Strings};
use crate::sandbox::{Sandbox, SandboxSettings, demo_numbers};
use crate::telemetry::logging;

/// What can be set.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where it listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8100")]
    listen: SocketAddr,
    /// The same seed makes the same processes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long every answer takes, as 200ms or 2s.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    latency: Duration,
    /// The account's credit in centavos.
    #[arg(long, default_value_t = 100_000_000)]
    credits: i64,
    /// The one key that is accepted; any without it.
    #[arg(long)]
    key: Option<String>,
}

/// Runs the simulated vendor until a signal.
pub(super) fn run(environment: &Environment, args: &Args) -> u8 {
    logging::start(environment.get("RUST_LOG").as_deref(), LogFormat::Text);
    let settings = SandboxSettings {
        seed: args.seed,
        latency: args.latency,
        credits_centavos: args.credits,
        api_key: args.key.clone(),
        ..SandboxSettings::default()
    };
    actix_rt::System::new().block_on(async {
        match Sandbox::start(settings, args.listen, SystemClock::shared()).await {
            Ok(sandbox) => {
                print(&format!(
                    "The simulated Escavador, and a simulated DataJud beside it, answer at {0}\n\
                     Point juscache at them, with data of its own:\n  \
                     JUSCACHE_DATA_DIR=./sandbox-data ESCAVADOR_BASE_URL={0} ESCAVADOR_API_KEY=sandbox \
                     DATAJUD_BASE_URL={0} DATAJUD_API_KEY=sandbox {2} serve\n\
                     Some processes it knows: {1}\n\
                     Its switches (faults, outage, credits): {0}/__sandbox",
                    sandbox.base_url(),
                    demo_numbers(3, args.seed).join("  "),
                    program(),
                ));
                stop_signal().await;
                sandbox.stop().await;
                DONE
            }
            Err(error) => {
                say(&format!("the sandbox cannot listen on {}: {error}", args.listen));
                FAILED
            }
        }
    })
}
