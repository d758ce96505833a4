//! The command line: one file a subcommand.

mod ask;
mod check;
mod demo;
mod ledger;
mod lookup;
mod migrate;
mod progress;
mod sandbox;
mod serve;
mod sync;
mod table;
mod warm;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Settings;
use crate::config::source::{Environment, Strings};
use crate::telemetry::logging;

/// Done.
const DONE: u8 = 0;
/// Failed.
const FAILED: u8 = 1;
/// Wrong usage or configuration; clap uses the same number.
const WRONG_USAGE: u8 = 2;

/// A gateway in front of the Escavador API: answers from the nearest copy, spends as little as it can, and goes on answering
/// when Redis, PostgreSQL, the network or the vendor is gone.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (also: no subcommand). Applies pending migrations first.
    Serve,
    /// Run the whole service on an embedded database and a simulated vendor: needs nothing installed and no key.
    Demo,
    /// Apply pending migrations.
    Migrate {
        /// Only list them.
        #[arg(long)]
        check: bool,
    },
    /// Ask a running service for one process.
    Lookup(lookup::Args),
    /// Ask a running service what was spent, on what, and what it would have cost without the cache.
    Ledger(ledger::Args),
    /// Have a running service load a list of processes in the background, and watch it.
    Warm(warm::Args),
    /// Show how a running service's synchronisation stands, or start a cycle now and watch it.
    Sync(sync::Args),
    /// Run only the simulated Escavador and DataJud.
    Sandbox(sandbox::Args),
    /// Read the whole configuration, report every mistake, then say which dependencies can be reached.
    Check,
}

/// Runs the command line and returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let environment = match Environment::load() {
        Ok(environment) => environment,
        Err(mistake) => {
            say(&mistake);
            return ExitCode::from(WRONG_USAGE);
        }
    };
    raise_file_limit();
    let code = match cli.command.unwrap_or(Command::Serve) {
        Command::Demo => demo::run(&environment),
        Command::Sandbox(args) => sandbox::run(&environment, &args),
        Command::Lookup(args) => lookup::run(&environment, &args),
        Command::Ledger(args) => ledger::run(&environment, &args),
        Command::Warm(args) => warm::run(&environment, &args),
        Command::Sync(args) => sync::run(&environment, &args),
        Command::Check => check::run(&environment),
        Command::Serve => with_settings(&environment, serve::run),
        Command::Migrate { check } => with_settings(&environment, |settings| migrate::run(settings, check)),
    };
    ExitCode::from(code)
}

/// Reads the configuration and starts logging; every mistake is shown, and nothing is started.
fn with_settings(environment: &Environment, run: impl FnOnce(Settings) -> u8) -> u8 {
    match Settings::read(environment) {
        Ok(settings) => {
            logging::start(environment.get("RUST_LOG").as_deref(), settings.server.log_format);
            run(settings)
        }
        Err(mistakes) => {
            say(&format!("the configuration has mistakes; nothing was started\n{mistakes}"));
            WRONG_USAGE
        }
    }
}

/// Every connection is an open file, and many systems start a program with room for 1,024 although it may have more.
fn raise_file_limit() {
    // As high as we are allowed; if that fails, what we have is what there is.
    let _limit = rlimit::increase_nofile_limit(u64::MAX);
}

/// How this program is called, for lines to paste: by its name where the shell finds it, by its place otherwise.
fn program() -> String {
    let called = std::env::args_os().next().map(PathBuf::from).filter(|called| called.components().count() == 1);
    let program = called.or_else(|| std::env::current_exe().ok()).unwrap_or_else(|| "juscache".into());
    let program = program.display().to_string();
    let is_plain = program.chars().all(|sign| sign.is_alphanumeric() || "/._-+".contains(sign));
    if is_plain { program } else { format!("'{program}'") }
}

/// A line for a person, on stderr. Nobody may be reading any more (`| head`), which is no reason to panic.
fn say(line: &str) {
    let _unread = writeln!(std::io::stderr(), "{line}");
}

/// A line of a command's result, on stdout; as [`say`].
fn print(line: &str) {
    let _unread = writeln!(std::io::stdout(), "{line}");
}
